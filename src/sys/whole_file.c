/* Files that are replaced as a whole. See whole_file.h. */
#include "sys/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/socket_file.h"

#define SET_ASIDE_MAX 9

/* --- reading ------------------------------------------------------------------------------- */

static int check_stat(const struct stat *st, const char *path, size_t max, struct error *err)
{
	if (!S_ISREG(st->st_mode))
		return error_set(err, EINVAL, "%s is not a plain file", path);
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return error_set(err, EPERM, "%s belongs to another user", path);
	if (st->st_mode & S_IWOTH)
		return error_set(err, EPERM, "%s may be written by everybody", path);
	if ((size_t)st->st_size > max)
		return error_set(err, EFBIG, "%s has %lld bytes, more than the %zu it can have",
		                 path, (long long)st->st_size, max);
	return 0;
}

/* As many bytes as there are, up to size. -errno. */
static ssize_t read_all(int fd, char *out, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, out + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int whole_file_read(const char *path, size_t max, char **out, size_t *size, struct error *err)
{
	/* O_NONBLOCK: a fifo put there must not hold us up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	char *data = NULL;
	ssize_t n;

	if (fd < 0)
		return error_set(err, errno, "cannot read %s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0) {
		error_set(err, errno, "cannot read %s: %s", path, strerror(errno));
		goto out;
	}
	if (check_stat(&st, path, max, err) < 0)
		goto out;
	data = malloc((size_t)st.st_size + 1);
	if (data == NULL) {
		error_set(err, ENOMEM, "cannot read %s: out of memory", path);
		goto out;
	}
	n = read_all(fd, data, (size_t)st.st_size);
	if (n < 0) {
		error_set(err, (int)-n, "cannot read %s: %s", path, strerror((int)-n));
		free(data);
		data = NULL;
		goto out;
	}
	data[n] = '\0';
	*out = data;
	*size = (size_t)n;
out:
	close(fd);
	return data != NULL ? 0 : -err->code;
}

/* --- writing ------------------------------------------------------------------------------- */

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_new(const char *path, const char *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
	              0600);
	int rc;

	if (fd < 0)
		return -errno;
	rc = write_all(fd, data, size);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	return rc;
}

/* The new name is the directory's content. */
static int sync_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

int whole_file_write(const char *path, const char *data, size_t size, struct error *err)
{
	char fresh[PATH_MAX], directory[PATH_MAX];
	const char *name = strrchr(path, '/');
	int rc;

	if (name == NULL || name == path ||
	    snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh))
		return error_set(err, EINVAL, "%s cannot be written: not a name for a file", path);
	snprintf(directory, sizeof(directory), "%.*s", (int)(name - path), path);
	if (socket_file_make_directory(directory, err) < 0)
		return -err->code;
	rc = write_new(fresh, data, size);
	if (rc == 0 && rename(fresh, path) < 0)
		rc = -errno;
	if (rc < 0) {
		unlink(fresh);
		return error_set(err, -rc, "cannot write %s: %s", path, strerror(-rc));
	}
	rc = sync_directory(directory);
	if (rc < 0)
		return error_set(err, -rc, "cannot write %s to the disk: %s", path, strerror(-rc));
	return 0;
}

/* --- setting aside ------------------------------------------------------------------------- */

int whole_file_set_aside(const char *path, char out[PATH_MAX], struct error *err)
{
	struct stat st;
	int n = snprintf(out, PATH_MAX, "%s.damaged", path);

	for (int i = 1; n < PATH_MAX && i <= SET_ASIDE_MAX && lstat(out, &st) == 0; i++)
		n = snprintf(out, PATH_MAX, "%s.damaged-%d", path, i);
	if (n >= PATH_MAX)
		return error_set(err, ENAMETOOLONG, "%s cannot be set aside: too long a name",
		                 path);
	if (rename(path, out) < 0)
		return error_set(err, errno, "%s cannot be set aside: %s", path, strerror(errno));
	return 0;
}
