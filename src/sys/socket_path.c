/* Paths of unix sockets. See socket_path.h.
 */
#include "sys/socket_path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Looks at the path's directory, up to and with its last '/'. 0 or -errno. */
static int directory_look(const char *path, struct stat *st)
{
	char directory[PATH_MAX];
	int length = (int)(strrchr(path, '/') - path) + 1;

	if (snprintf(directory, sizeof(directory), "%.*s", length, path) >= (int)sizeof(directory))
		return -ENAMETOOLONG;
	return stat(directory, st) < 0 ? -errno : 0;
}

int socket_path_check(const char *path, size_t size, struct error *err)
{
	const char *name = strrchr(path, '/');
	struct stat st;
	int rc;

	if (path[0] != '/')
		return error_set(err, EINVAL, "%.200s is no absolute path; give one from / on",
		                 path);
	if (strlen(path) >= size)
		return error_set(err, ENAMETOOLONG,
		                 "%.200s is longer than a socket's path may be (%zu bytes)", path,
		                 size - 1);
	if (name[1] == '\0' || strcmp(name, "/.") == 0 || strcmp(name, "/..") == 0)
		return error_set(err, EINVAL, "%s names a directory; add the socket's name", path);
	rc = directory_look(path, &st);
	if (rc == 0 && !S_ISDIR(st.st_mode))
		rc = -ENOTDIR;
	if (rc < 0)
		return error_set(err, -rc, "the directory of %s: %s; make it first", path,
		                 strerror(-rc));
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return error_set(err, EEXIST,
		                 "%s is there and is not a socket; move it away, or choose another "
		                 "path",
		                 path);
	return 0;
}

bool socket_path_same(const char *a, const char *b)
{
	struct stat st[2];

	if (a[0] != '/' || b[0] != '/' || strcmp(strrchr(a, '/'), strrchr(b, '/')) != 0)
		return false;
	return strcmp(a, b) == 0 ||
	       (directory_look(a, &st[0]) == 0 && directory_look(b, &st[1]) == 0 &&
	        st[0].st_dev == st[1].st_dev && st[0].st_ino == st[1].st_ino);
}
