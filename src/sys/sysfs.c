/* Bounded reading and writing of sysfs. See sysfs.h. */
#include "sys/sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"

static int path_make(char out[PATH_MAX], const char *root, const char *format, va_list args)
{
	int used = snprintf(out, PATH_MAX, "%s/", root);

	if (used < 0 || used >= PATH_MAX)
		return -ENAMETOOLONG;
	int more = vsnprintf(out + used, (size_t)(PATH_MAX - used), format, args);
	return more < 0 || more >= PATH_MAX - used ? -ENAMETOOLONG : 0;
}

static int text_read(char *out, size_t size, const char *path)
{
	size_t len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (len < size) {
		ssize_t n = read(fd, out + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int code = errno;

			close(fd);
			return -code;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	if (len == size)
		return -EMSGSIZE;
	if (len > 0 && out[len - 1] == '\n')
		len--;
	out[len] = '\0';
	return 0;
}

int sysfs_read_text(char *out, size_t size, const char *root, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;

	va_start(args, format);
	int rc = path_make(path, root, format, args);
	va_end(args);
	return rc < 0 ? rc : text_read(out, size, path);
}

int sysfs_read_number(int64_t *out, const char *root, const char *format, ...)
{
	char path[PATH_MAX], text[24], *end;
	va_list args;

	va_start(args, format);
	int rc = path_make(path, root, format, args);
	va_end(args);
	if (rc == 0)
		rc = text_read(text, sizeof(text), path);
	if (rc < 0)
		return rc;
	errno = 0;
	long long number = strtoll(text, &end, string_starts_with(text, "0x") ? 16 : 10);
	if (errno != 0)
		return -errno;
	if (end == text || *end != '\0')
		return -EINVAL;
	*out = number;
	return 0;
}

int sysfs_read_link_name(char *out, size_t size, const char *root, const char *format, ...)
{
	char path[PATH_MAX], target[PATH_MAX];
	va_list args;

	va_start(args, format);
	int rc = path_make(path, root, format, args);
	va_end(args);
	if (rc < 0)
		return rc;
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	const char *slash = strrchr(target, '/');
	return string_copy(out, size, slash != NULL ? slash + 1 : target);
}

int sysfs_write_text(const char *root, const char *text, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;

	va_start(args, format);
	int rc = path_make(path, root, format, args);
	va_end(args);
	if (rc < 0)
		return rc;
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return rc;
}
