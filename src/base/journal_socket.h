/* Messages with fields for journald, by its native protocol, without waiting: sd_journal_sendv
 * waits for as long as journald takes nothing. One thread at a time.
 */
#ifndef BASE_JOURNAL_SOCKET_H
#define BASE_JOURNAL_SOCKET_H

#include <stddef.h>

#define JOURNAL_SOCKET_PATH "/run/systemd/journal/socket"

struct journal_socket {
	int fd; /* -1 = not connected */
};

struct log_field {
	const char *name; /* upper case, digits and _ */
	const char *value;
};

/* One entry: text is MESSAGE, severity PRIORITY as syslog(3) has it, ident SYSLOG_IDENTIFIER. No
 * value has a line break; together they have 8000 bytes at most. Connects to path when it is not
 * connected, and anew when its reader was restarted. 0, -EAGAIN when journald takes nothing now,
 * -EMSGSIZE when it is too long, or another -errno, as when there is no journald. */
int journal_socket_send(struct journal_socket *socket, const char *path, int severity,
                        const char *ident, const char *text, const struct log_field *fields,
                        unsigned n_fields);

/* Harmless when it is not connected. */
void journal_socket_close(struct journal_socket *socket);

#endif
