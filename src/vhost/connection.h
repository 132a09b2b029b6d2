/* The bytes of one connection with a front end: messages are put together from whatever pieces they
 * come in, with their descriptors, and replies are sent on as far as the peer takes them. Never
 * waits. Protocol thread.
 */
#ifndef VHOST_CONNECTION_H
#define VHOST_CONNECTION_H

#include <stdbool.h>

#include "base/error.h"
#include "vhost/message.h"

struct connection {
	int fd; /* -1 = none */
	struct message in;
	unsigned received; /* bytes of `in` */
	int fds[MESSAGE_FDS_ROOM];
	unsigned n_fds;
	struct message out;
	unsigned out_size, sent; /* bytes of `out`; all is sent when they are equal */
};

enum connection_result {
	CONNECTION_WAITS, /* for the peer */
	CONNECTION_DONE,
	CONNECTION_ENDED, /* by the peer, if err has no code, or for what it did */
};

/* fd is a stream socket, and the connection's from here on. */
void connection_open(struct connection *connection, int fd);
/* Closes all that is open. Harmless when nothing is. */
void connection_close(struct connection *connection);

/* DONE: `in` is a whole message, with n_fds descriptors; connection_take is due. */
enum connection_result connection_receive(struct connection *connection, struct error *err);
/* The message's descriptors are the caller's, and the next one may come. */
void connection_take(struct connection *connection);

/* Sends what of `out` is still to be sent, or the reply, which takes its place. DONE: all of it. */
enum connection_result connection_reply(struct connection *connection, const struct message *reply);
enum connection_result connection_flush(struct connection *connection);

static inline bool connection_is_midway(const struct connection *connection)
{
	return connection->received > 0;
}

static inline bool connection_is_sending(const struct connection *connection)
{
	return connection->sent < connection->out_size;
}

#endif
