/* Messages with fields for journald. See journal_socket.h. An entry is a datagram of lines, each
 * NAME=value.
 */
#include "base/journal_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/parse.h"

#define ENTRY_MAX 8192

struct entry {
	char bytes[ENTRY_MAX];
	size_t size;
	bool too_long;
};

static void add(struct entry *entry, const char *name, const char *value)
{
	size_t room = ENTRY_MAX - entry->size;
	int n = snprintf(entry->bytes + entry->size, room, "%s=%s\n", name, value);

	if (n < 0 || (size_t)n >= room)
		entry->too_long = true;
	else
		entry->size += (size_t)n;
}

static void add_number(struct entry *entry, const char *name, int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	add(entry, name, text);
}

static int connect_to(struct journal_socket *out, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	string_copy(address.sun_path, sizeof(address.sun_path), path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	out->fd = fd;
	return 0;
}

static int entry_send(const struct journal_socket *to, const struct entry *entry)
{
	if (send(to->fd, entry->bytes, entry->size, MSG_NOSIGNAL) >= 0)
		return 0;
	return errno == EAGAIN || errno == ENOBUFS || errno == EINTR ? -EAGAIN : -errno;
}

int journal_socket_send(struct journal_socket *socket, const char *path, int severity,
                        const char *ident, const char *text, const struct log_field *fields,
                        unsigned n_fields)
{
	struct entry entry = {.size = 0};
	int rc = -ENOTCONN;

	add(&entry, "MESSAGE", text);
	add_number(&entry, "PRIORITY", LOG_PRI(severity));
	add_number(&entry, "SYSLOG_FACILITY", LOG_DAEMON >> 3);
	add(&entry, "SYSLOG_IDENTIFIER", ident);
	add_number(&entry, "SYSLOG_PID", (int)getpid());
	for (unsigned i = 0; i < n_fields; i++)
		add(&entry, fields[i].name, fields[i].value);
	if (entry.too_long)
		return -EMSGSIZE;
	if (socket->fd >= 0)
		rc = entry_send(socket, &entry);
	if (rc == 0 || rc == -EAGAIN || rc == -EMSGSIZE)
		return rc;
	journal_socket_close(socket);
	rc = connect_to(socket, path);
	return rc == 0 ? entry_send(socket, &entry) : rc;
}

void journal_socket_close(struct journal_socket *socket)
{
	if (socket->fd >= 0)
		close(socket->fd);
	socket->fd = -1;
}
