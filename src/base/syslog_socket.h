/* The system's log by its socket, without waiting. libc's syslog() waits for as long as whoever
 * reads /dev/log takes nothing, and with it would the thread that logs. One thread at a time.
 */
#ifndef BASE_SYSLOG_SOCKET_H
#define BASE_SYSLOG_SOCKET_H

#include <stddef.h>

struct syslog_socket {
	int fd; /* -1 = not connected */
};

/* One message of at most 4000 bytes, as RFC 3164 has it: severity as syslog(3)'s, facility daemon.
 * Connects to path when it is not connected, and anew when its reader was restarted. 0, -EAGAIN
 * when the reader takes nothing now, or another -errno, as when there is no reader. */
int syslog_socket_send(struct syslog_socket *socket, const char *path, int severity,
                       const char *ident, const char *text);

/* Harmless when it is not connected. */
void syslog_socket_close(struct syslog_socket *socket);

#endif
