/* Pid files and lock files. See pid_file.h. */
#include "sys/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.h"

#define RETRIES_MAX 16 /* each one means that another instance came or went in between */

static bool stands_at(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && ours.st_dev == there.st_dev &&
	       ours.st_ino == there.st_ino;
}

/* 0 when the file names nobody: its holder has not written yet. */
static uint32_t holder_read(int fd)
{
	char text[16];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	uint32_t pid;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return parse_u32(text, 1, INT32_MAX, &pid) == 0 ? pid : 0;
}

static int refuse_taken(const char *path, int fd, struct error *err)
{
	uint32_t pid = holder_read(fd);

	if (pid == 0)
		return error_set(err, EADDRINUSE, "another instance runs: it holds %s", path);
	return error_set(err, EADDRINUSE, "another instance runs (pid %u): it holds %s", pid, path);
}

/* An open and locked file, which may have lost its name meanwhile. */
static int open_locked(const char *path, struct error *err)
{
	struct stat st;
	/* O_NONBLOCK: a fifo put there must not hold us up. */
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);

	if (fd < 0 && (errno == ELOOP || errno == EISDIR || errno == ENXIO))
		return error_set(err, EEXIST, "%s is there and is not a plain file; remove it",
		                 path);
	if (fd < 0)
		return error_set(err, errno, "cannot create %s: %s%s", path, strerror(errno),
		                 errno == ENOENT ? " (its directory is missing: create it)" : "");
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return error_set(err, EEXIST, "%s is there and is not a plain file; remove it",
		                 path);
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int rc = errno == EWOULDBLOCK ? refuse_taken(path, fd, err)
		                              : error_set(err, errno, "cannot lock %s: %s", path,
		                                          strerror(errno));

		close(fd);
		return rc;
	}
	return fd;
}

static int holder_write(int fd, const char *path, struct error *err)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) < 0)
		return error_set(err, errno, "cannot write %s: %s", path, strerror(errno));
	ssize_t n = pwrite(fd, text, (size_t)len, 0);
	if (n == len)
		return 0;
	int code = n < 0 ? errno : ENOSPC;
	return error_set(err, code, "cannot write %s: %s", path, strerror(code));
}

int pid_file_lock(const char *path, struct error *err)
{
	/* Between open and lock the former holder may have removed the file: then we hold a lock
	 * that nobody else will ever meet, and must start again. */
	for (int i = 0; i < RETRIES_MAX; i++) {
		int fd = open_locked(path, err);

		if (fd < 0)
			return fd;
		if (!stands_at(fd, path)) {
			close(fd);
			continue;
		}
		int rc = holder_write(fd, path, err);
		if (rc < 0) {
			pid_file_unlock(path, fd);
			return rc;
		}
		return fd;
	}
	return error_set(err, EAGAIN, "%s is removed and made again all the time by others", path);
}

/* A file of ours alone, as open to others as the one before it; or -errno with err. */
static int make_anew(const char *path, int before, struct error *err)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 && errno == EEXIST)
		return error_set(err, EEXIST, "%s is somebody else's", path);
	if (fd < 0)
		return error_set(err, errno, "cannot create %s: %s", path, strerror(errno));
	if (fstat(before, &st) == 0)
		(void)fchmod(fd, st.st_mode & 0777);
	/* Another instance may have been quicker to open it, and is to have it then. */
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && stands_at(fd, path) &&
	    holder_write(fd, path, err) == 0)
		return fd;
	close(fd);
	return error_set(err, EEXIST, "%s is somebody else's", path);
}

int pid_file_keep(const char *path, int *fd, struct error *err)
{
	int fresh;

	if (stands_at(*fd, path))
		return 0;
	fresh = make_anew(path, *fd, err);
	if (fresh < 0)
		return fresh;
	close(*fd);
	*fd = fresh;
	return 1;
}

int pid_file_look(const char *path, struct error *err)
{
	int rc = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return 0;
	/* Shared: two that only look do not take each other for an instance. */
	if (flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		rc = refuse_taken(path, fd, err);
	close(fd);
	return rc;
}

void pid_file_unlock(const char *path, int fd)
{
	if (stands_at(fd, path))
		unlink(path);
	close(fd);
}
