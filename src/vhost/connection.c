/* See connection.h. */
#include "vhost/connection.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void connection_open(struct connection *connection, int fd)
{
	connection->fd = fd;
	connection->received = connection->n_fds = 0;
	connection->out_size = connection->sent = 0;
}

void connection_close(struct connection *connection)
{
	for (unsigned i = 0; i < connection->n_fds; i++)
		close(connection->fds[i]);
	if (connection->fd >= 0)
		close(connection->fd);
	connection_open(connection, -1);
}

/* Of what a control message brings, as much as there is room for; more is closed. */
static void take_fds(struct connection *connection, const struct cmsghdr *control)
{
	size_t n = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int fd;

	for (size_t i = 0; i < n; i++) {
		memcpy(&fd, CMSG_DATA(control) + i * sizeof(fd), sizeof(fd));
		if (connection->n_fds < MESSAGE_FDS_ROOM)
			connection->fds[connection->n_fds++] = fd;
		else
			close(fd);
	}
}

/* Descriptors go with a message's first byte. */
static enum connection_result check_fds(const struct connection *connection, int flags,
                                        unsigned before, struct error *err)
{
	if ((flags & MSG_CTRUNC) != 0 || connection->n_fds > MESSAGE_FDS_MAX)
		error_set(err, EPROTO, "sent more descriptors than a message may have");
	else if (connection->received > 0 && connection->n_fds > before)
		error_set(err, EPROTO, "sent descriptors in the midst of a message");
	else
		return CONNECTION_DONE;
	return CONNECTION_ENDED;
}

/* Up to size bytes at the place that has come. */
static enum connection_result receive_some(struct connection *connection, unsigned size,
                                           struct error *err)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(MESSAGE_FDS_ROOM * sizeof(int))];
	} control;
	struct iovec to = {(char *)&connection->in + connection->received, size};
	struct msghdr header = {.msg_iov = &to,
	                        .msg_iovlen = 1,
	                        .msg_control = control.bytes,
	                        .msg_controllen = sizeof(control.bytes)};
	unsigned before = connection->n_fds;
	ssize_t n = recvmsg(connection->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return CONNECTION_WAITS;
	if (n <= 0)
		return CONNECTION_ENDED;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c != NULL; c = CMSG_NXTHDR(&header, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			take_fds(connection, c);
	if (check_fds(connection, header.msg_flags, before, err) == CONNECTION_ENDED)
		return CONNECTION_ENDED;
	connection->received += (unsigned)n;
	return CONNECTION_DONE;
}

/* A header that is none is not waited for any longer than it takes to see that. */
enum connection_result connection_receive(struct connection *connection, struct error *err)
{
	enum connection_result result = CONNECTION_DONE;

	err->code = 0;
	while (result == CONNECTION_DONE && connection->received < MESSAGE_HEADER_BYTES)
		result = receive_some(connection, MESSAGE_HEADER_BYTES - connection->received, err);
	if (result != CONNECTION_DONE)
		return result;
	if (message_check_header(&connection->in, err) < 0)
		return CONNECTION_ENDED;
	while (result == CONNECTION_DONE &&
	       connection->received < MESSAGE_HEADER_BYTES + connection->in.size)
		result = receive_some(
		        connection,
		        MESSAGE_HEADER_BYTES + connection->in.size - connection->received, err);
	return result;
}

void connection_take(struct connection *connection)
{
	connection->received = connection->n_fds = 0;
}

enum connection_result connection_flush(struct connection *connection)
{
	struct iovec from = {(char *)&connection->out + connection->sent,
	                     connection->out_size - connection->sent};
	struct msghdr header = {.msg_iov = &from, .msg_iovlen = 1};
	ssize_t n;

	if (!connection_is_sending(connection))
		return CONNECTION_DONE;
	n = sendmsg(connection->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return CONNECTION_ENDED;
	if (n > 0)
		connection->sent += (unsigned)n;
	return connection_is_sending(connection) ? CONNECTION_WAITS : CONNECTION_DONE;
}

/* In one piece, since there are front ends that read header and payload with a call each, and take
 * what comes short for an error. */
enum connection_result connection_reply(struct connection *connection, const struct message *reply)
{
	connection->out_size = MESSAGE_HEADER_BYTES + reply->size;
	connection->sent = 0;
	memcpy(&connection->out, reply, connection->out_size);
	return connection_flush(connection);
}
