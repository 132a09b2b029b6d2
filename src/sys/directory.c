/* The directory of a file of ours. See directory.h. */
#include "sys/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/socket_file.h"

static void directory_format(char out[PATH_MAX], const char *path)
{
	int length = (int)(strrchr(path, '/') - path);

	snprintf(out, PATH_MAX, "%.*s", length > 0 ? length : 1, path);
}

void directory_note(const char *path, struct stat *noted)
{
	char directory[PATH_MAX];
	struct stat st;

	directory_format(directory, path);
	if (stat(directory, &st) == 0)
		*noted = st;
}

static int give_back(const char *directory, const struct stat *noted)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fchown(fd, noted->st_uid, noted->st_gid) < 0 || fchmod(fd, noted->st_mode & 07777) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

int directory_mend(const char *path, const struct stat *noted, bool ours, struct error *err)
{
	char directory[PATH_MAX];
	struct stat st;
	int rc;

	directory_format(directory, path);
	if (stat(directory, &st) == 0)
		return 0;
	if (errno != ENOENT || !ours)
		return error_set(err, errno, "its directory %s: %s; make it, then all is well",
		                 directory, strerror(errno));
	if (socket_file_make_directory(directory, err) < 0)
		return -err->code;
	if (noted->st_mode == 0)
		return 0;
	rc = give_back(directory, noted);
	return rc < 0 ? error_set(err, -rc, "its directory %s cannot be as it was: %s", directory,
	                          strerror(-rc))
	              : 0;
}
