/* The files of unix sockets. See socket_file.h.
 *
 * Socket directories may be writable by others (/tmp), so a path may come to mean another file
 * between two calls. Hence each file is held by an O_PATH descriptor and acted on through it: by
 * /proc/self/fd for calls that only take a path, which also spares us the 107 bytes of sun_path.
 */
#include "sys/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/parse.h"

#define FD_PATH_MAX 40

static void fd_path_format(char out[FD_PATH_MAX], int fd)
{
	snprintf(out, FD_PATH_MAX, "/proc/self/fd/%d", fd);
}

/* Whether somebody serves the socket held by fd. 0 or -errno. */
static int serving_find(int fd, enum socket_file_kind *kind)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (probe < 0)
		return -errno;
	_Static_assert(sizeof(address.sun_path) >= FD_PATH_MAX, "fits");
	fd_path_format(address.sun_path, fd);
	int code = connect(probe, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
	close(probe);
	switch (code) {
	case ECONNREFUSED:
		*kind = SOCKET_FILE_STALE;
		return 0;
	case 0:
	case EAGAIN:     /* its queue of connections is full */
	case EPROTOTYPE: /* a socket, but no stream */
	case EINPROGRESS:
		*kind = SOCKET_FILE_LIVE;
		return 0;
	default:
		return -code;
	}
}

/* *fd holds the file, or is -1 when there is none; to be closed by the caller after 0 only. */
static int file_look(const char *path, enum socket_file_kind *kind, int *fd)
{
	struct stat st;
	int rc;

	*fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0) {
		*kind = SOCKET_FILE_NONE;
		return errno == ENOENT ? 0 : -errno;
	}
	if (fstat(*fd, &st) < 0)
		rc = -errno;
	else if (!S_ISSOCK(st.st_mode)) {
		*kind = SOCKET_FILE_FOREIGN;
		rc = 0;
	} else
		rc = serving_find(*fd, kind);
	if (rc < 0)
		close(*fd);
	return rc;
}

int socket_file_look(const char *path, enum socket_file_kind *kind)
{
	int fd;
	int rc = file_look(path, kind, &fd);

	if (rc == 0 && fd >= 0)
		close(fd);
	return rc;
}

/* Unlinks path if it still is the file that fd holds. */
static int file_remove(const char *path, int fd)
{
	struct stat held, there;

	if (fstat(fd, &held) < 0)
		return -errno;
	if (lstat(path, &there) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (held.st_dev != there.st_dev || held.st_ino != there.st_ino)
		return -EADDRINUSE;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int socket_file_clear(const char *path, struct error *err)
{
	enum socket_file_kind kind = SOCKET_FILE_NONE;
	int fd;
	int rc = file_look(path, &kind, &fd);

	if (rc < 0)
		return error_set(err, -rc, "cannot look at %s: %s", path, strerror(-rc));
	if (kind == SOCKET_FILE_STALE)
		rc = file_remove(path, fd);
	if (fd >= 0)
		close(fd);
	if (kind == SOCKET_FILE_FOREIGN)
		return error_set(err, EEXIST,
		                 "%s is there and is not a socket; move it away, or choose another "
		                 "path",
		                 path);
	if (kind == SOCKET_FILE_LIVE || rc == -EADDRINUSE)
		return error_set(err, EADDRINUSE,
		                 "another process serves %s; stop it, or choose another path",
		                 path);
	if (rc < 0)
		return error_set(err, -rc, "cannot remove the stale socket %s: %s", path,
		                 strerror(-rc));
	return 0;
}

/* Mode before owner: there is no moment at which more people may connect than in the end. */
static int file_give(int fd, uid_t owner, gid_t group, mode_t mode)
{
	char fd_path[FD_PATH_MAX];

	fd_path_format(fd_path, fd);
	if (chmod(fd_path, mode) < 0)
		return -errno;
	if (owner == (uid_t)-1 && group == (gid_t)-1)
		return 0;
	return fchownat(fd, "", owner, group, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int socket_file_give(const char *path, uid_t owner, gid_t group, mode_t mode, struct error *err)
{
	struct stat st;
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, errno, "cannot open the socket %s: %s", path,
		                 strerror(errno));
	int rc = fstat(fd, &st) < 0      ? -errno
	         : !S_ISSOCK(st.st_mode) ? -EEXIST
	                                 : file_give(fd, owner, group, mode);
	close(fd);
	if (rc == -EEXIST)
		return error_set(err, EEXIST, "%s is no socket: somebody else put it there", path);
	if (rc == -EPERM)
		return error_set(
		        err, EPERM,
		        "cannot give the socket %s to user %d, group %d (-1: unchanged): only "
		        "root may",
		        path, (int)owner, (int)group);
	if (rc < 0)
		return error_set(err, -rc, "cannot set owner and mode of the socket %s: %s", path,
		                 strerror(-rc));
	return 0;
}

/* One level. A directory that is there already stays as it is. */
static int directory_make(const char *path)
{
	struct stat st;

	if (mkdir(path, 0755) == 0)
		return chmod(path, 0755) < 0 ? -errno : 0; /* whatever the umask took away */
	int code = errno;
	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	return -code;
}

int socket_file_make_directory(const char *path, struct error *err)
{
	char part[PATH_MAX];
	int rc = string_copy(part, sizeof(part), path);

	/* Each prefix that ends before a slash, then the whole. */
	for (char *slash = part; rc == 0 && (slash = strchr(slash + 1, '/')) != NULL;) {
		*slash = '\0';
		rc = directory_make(part);
		*slash = '/';
	}
	if (rc == 0)
		rc = directory_make(part);
	if (rc < 0)
		return error_set(err, -rc, "cannot make the directory %s: %s", path, strerror(-rc));
	return 0;
}
