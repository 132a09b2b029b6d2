/* The directory of the guests' sockets. See socket_dir.h. */
#include "sys/socket_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/socket_file.h"

#define NOBODY_ELSE ((gid_t)-1)

/* -1: it is none, or a link. */
static int directory_open(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

static bool is_socket(int fd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_SOCK;
	return fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode);
}

static bool holds_only_sockets(int fd)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again >= 0 ? fdopendir(again) : NULL;
	const struct dirent *entry;
	bool only = dir != NULL;

	if (dir == NULL && again >= 0)
		close(again);
	while (only && (entry = readdir(dir)) != NULL)
		only = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		       is_socket(fd, entry);
	if (dir != NULL)
		closedir(dir);
	return only;
}

/* Where everybody may write, sockets need nobody's gift; and /tmp is not to be given away. */
static bool is_shared(const struct stat *st)
{
	return (st->st_mode & S_ISVTX) != 0;
}

bool socket_dir_is_for_sockets(const char *path)
{
	struct stat st;
	int fd = directory_open(path);
	bool is = fd >= 0 && fstat(fd, &st) == 0 && !is_shared(&st) && holds_only_sockets(fd);

	if (fd >= 0)
		close(fd);
	return is;
}

static mode_t mode_wanted(mode_t now, gid_t group, bool group_writes)
{
	mode_t mode = (now & 07777) | 0700;

	if (group != NOBODY_ELSE)
		mode |= group_writes ? 0070 : 0050;
	return mode;
}

/* is_new: nobody else had it before. */
static int give(int fd, const struct socket_dir_users *users, bool is_new)
{
	gid_t group = users->group;
	struct stat st;
	mode_t mode;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (is_new && group == NOBODY_ELSE && users->owner == (uid_t)-1)
		group = users->group_if_new;
	if (group == NOBODY_ELSE && users->owner == (uid_t)-1)
		return SOCKET_DIR_READY;
	mode = mode_wanted(st.st_mode, group, users->group_writes);
	if ((users->owner == (uid_t)-1 || users->owner == st.st_uid) &&
	    (group == NOBODY_ELSE || group == st.st_gid) && mode == (st.st_mode & 07777))
		return SOCKET_DIR_READY;
	if (is_shared(&st) || !holds_only_sockets(fd))
		return SOCKET_DIR_FOREIGN;
	if (fchown(fd, users->owner, group) < 0 || fchmod(fd, mode) < 0)
		return -errno;
	return SOCKET_DIR_READY;
}

int socket_dir_prepare(const char *path, const struct socket_dir_users *users, struct error *err)
{
	struct stat st;
	bool is_new = stat(path, &st) < 0;
	int fd, rc;

	if (socket_file_make_directory(path, err) < 0)
		return -err->code;
	fd = directory_open(path);
	if (fd < 0) /* a link, or not ours to read: it is there, which suffices */
		return SOCKET_DIR_FOREIGN;
	rc = give(fd, users, is_new);
	close(fd);
	if (rc < 0)
		return error_set(err, -rc,
		                 "cannot give the directory %s to user %d, group %d "
		                 "(-1: unchanged): %s",
		                 path, (int)users->owner, (int)users->group, strerror(-rc));
	return rc;
}
