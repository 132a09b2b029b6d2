/* Who is connected to an endpoint, and how many may be. ZeroMQ has no limit of its own; its socket
 * monitor tells of each connection that comes and goes. Connections are counted by client, that is
 * by process (ipc) or by host (tcp). When there are too many, the client that has most loses the
 * one it has not used for longest: so a client that opens a thousand is in nobody's way but its
 * own, and newcomers are always served. All of it belongs to the control thread.
 */
#ifndef RPC_TRANSPORT_CLIENTS_H
#define RPC_TRANSPORT_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct clients;

/* Of one client. Stays valid as long as it is held, cut off or not. */
struct connection;

struct clients_counts {
	unsigned connections;
	uint64_t accepted; /* since the start */
	uint64_t cut;      /* by us */
};

/* How hard to look for those who make us keep too much; see memory_guard.h. */
enum clients_blame {
	CLIENTS_FLOODING, /* connections from which a lot waits to be read */
	CLIENTS_SILENT,   /* connections that have sent no whole request yet, or none for long */
	CLIENTS_BUSIEST,  /* all of the client that has sent most requests lately */
	CLIENTS_ALL,
};

/* Watches a ZeroMQ socket that is not bound yet. connections_max > 0. NULL with err. */
struct clients *clients_create(void *zmq_context, void *socket, const char *name,
                               unsigned connections_max, struct error *err);
/* Before the socket is closed. Harmless on NULL. What is held stays valid until released. */
void clients_destroy(struct clients *clients);

/* Whose connections those are: the socket's own name, of which all share path or port. After
 * bind; a connection is cut only if its name is that. */
void clients_identify(struct clients *clients, const char *last_endpoint);

/* To be polled for reading (it is a ZeroMQ socket), and then for clients_update. */
void *clients_monitor(struct clients *clients);
void clients_update(struct clients *clients);

/* The connection that a message has come by, from its descriptor; NULL when that is gone. Counts
 * the message and makes the connection the last one used. */
struct connection *clients_sender(struct clients *clients, int fd);

/* Requests that wait for their answer are held in the name of their connection. It may be NULL. */
unsigned connection_held(const struct connection *connection);
void connection_hold(struct connection *connection);
void connection_release(struct connection *connection);

/* Cuts connections off. Their ZeroMQ sockets connect again by themselves. */
void clients_cut(struct clients *clients, enum clients_blame blame);

void clients_counts_read(const struct clients *clients, struct clients_counts *out);

#endif
