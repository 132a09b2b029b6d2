/* Messages for the system's log, see syslog_socket.h. */
#include "base/syslog_socket.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/parse.h"

#define MESSAGE_MAX 4096

static int connect_as(struct syslog_socket *out, const char *path, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

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

static int connect_to(struct syslog_socket *out, const char *path)
{
	int rc = connect_as(out, path, SOCK_DGRAM);

	/* Some readers take a stream, in which a NUL ends each message. */
	return rc == -EPROTOTYPE ? connect_as(out, path, SOCK_STREAM) : rc;
}

/* "<27>Nov 30 12:00:00 ident[123]: text", its NUL counted. The month is in English. */
static size_t message_format(char out[MESSAGE_MAX], int severity, const char *ident,
                             const char *text)
{
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	int n = snprintf(out, MESSAGE_MAX, "<%d>%s %2d %02d:%02d:%02d %s[%d]: %s",
	                 LOG_MAKEPRI(LOG_DAEMON, LOG_PRI(severity)), months[tm.tm_mon], tm.tm_mday,
	                 tm.tm_hour, tm.tm_min, tm.tm_sec, ident, (int)getpid(), text);

	if (n < 0) {
		out[0] = '\0';
		n = 0;
	}
	return (n < MESSAGE_MAX ? (size_t)n : MESSAGE_MAX - 1) + 1;
}

static int message_send(const struct syslog_socket *to, const char *message, size_t size)
{
	int type = SOCK_DGRAM;

	getsockopt(to->fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof(type)});
	/* A datagram ends by itself. */
	ssize_t n = send(to->fd, message, type == SOCK_DGRAM ? size - 1 : size, MSG_NOSIGNAL);

	if (n >= 0)
		return 0;
	return errno == EAGAIN || errno == ENOBUFS || errno == EINTR ? -EAGAIN : -errno;
}

int syslog_socket_send(struct syslog_socket *socket, const char *path, int severity,
                       const char *ident, const char *text)
{
	char message[MESSAGE_MAX];
	size_t size = message_format(message, severity, ident, text);
	int rc = -ENOTCONN;

	if (socket->fd >= 0)
		rc = message_send(socket, message, size);
	if (rc == 0 || rc == -EAGAIN)
		return rc;
	syslog_socket_close(socket);
	rc = connect_to(socket, path);
	return rc == 0 ? message_send(socket, message, size) : rc;
}

void syslog_socket_close(struct syslog_socket *socket)
{
	if (socket->fd >= 0)
		close(socket->fd);
	socket->fd = -1;
}
