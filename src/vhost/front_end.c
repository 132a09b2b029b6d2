/* See front_end.h. */
#include "vhost/front_end.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hash.h"

/* Of /proc/PID/stat: fields behind the name, which may have anything in it but ends in the last
 * parenthesis. The start is the 22nd of all, in the machine's time. */
#define FIELDS_BEFORE_START 20

/* A text of digits, or "" where it may not be read. */
static const char *start_of(pid_t pid, char *text, size_t size)
{
	char path[32];
	char *field;
	ssize_t n = -1;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, size - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	field = strrchr(text, ')');
	for (unsigned i = 0; field != NULL && i < FIELDS_BEFORE_START; i++)
		field = strchr(field + 1, ' ');
	if (field == NULL)
		return "";
	field[1 + strcspn(field + 1, " ")] = '\0';
	return field + 1;
}

uint64_t front_end_of(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	char text[1024];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0)
		return 0;
	const char *start = start_of(peer.pid, text, sizeof(text));
	uint64_t hash = hash_number(HASH_START, (uint64_t)peer.pid);

	return hash_bytes(hash, start, strlen(start)) | 1;
}
