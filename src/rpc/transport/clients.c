/* Who is connected to an endpoint. See clients.h.
 *
 * ZeroMQ owns the connections; the monitor tells their descriptors, and by the time it is read
 * such a number may already mean another file. So a connection is cut in three steps: duplicate
 * the descriptor, which holds the file whatever becomes of the number; see that it is a connection
 * of this endpoint; shut it down, upon which ZeroMQ closes it and says so. At worst another
 * connection of the same endpoint is hit.
 */
#include "rpc/transport/clients.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/parse.h"
#include "event/loop.h"
#include "rpc/transport/uninterrupted.h"

#define BUCKETS       256   /* of the connections by descriptor */
#define SILENT_MS     15000 /* longer than any answer takes, a statistics' delay included */
#define REQUEST_MS    1000  /* longer than it takes from connecting to a request's arrival */
#define FLOODED_BYTES 16384
#define TCP_KEY       (UINT64_C(1) << 63)

struct connection {
	LIST_ENTRY(connection) by_fd;
	TAILQ_ENTRY(connection) by_use;
	struct client *client; /* NULL once it is gone, or all of them are */
	int fd;
	unsigned n_held;   /* requests that wait for their answer */
	bool spoken;       /* has sent a whole request */
	bool cut;          /* and about to go */
	uint64_t since_ms; /* accepted, or last used */
};

TAILQ_HEAD(connection_queue, connection);
LIST_HEAD(connection_list, connection);

struct client { /* a process or a host; there as long as it has connections */
	LIST_ENTRY(client) link;
	uint64_t key;
	unsigned n_connections;              /* without those that are cut */
	uint64_t n_requests;                 /* since somebody was last looked for */
	struct connection_queue connections; /* longest unused first */
};

struct clients {
	const char *name;
	void *socket;  /* the one that is watched */
	void *monitor; /* where it says what happens */
	unsigned connections_max;
	unsigned n_connections;                                 /* without those that are cut */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* "" for tcp */
	in_port_t port;                                         /* network order; 0 for ipc */
	struct clients_counts counts;
	struct log_limit log_limit;
	LIST_HEAD(client_list, client) list;
	struct connection_list buckets[BUCKETS];
};

/* --- the connections, as ZeroMQ's descriptors ---------------------------------------------- */

/* A process by its number, a host by a hash of its address. Hosts that share one share a lot. */
static uint64_t key_find(int fd)
{
	struct sockaddr_storage peer = {0};
	struct ucred credentials;
	socklen_t length = sizeof(credentials);
	const uint8_t *bytes = NULL;
	size_t size = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 &&
	    credentials.pid > 0)
		return (uint64_t)credentials.pid;
	length = sizeof(peer);
	if (getpeername(fd, (struct sockaddr *)&peer, &length) < 0)
		return TCP_KEY;
	if (peer.ss_family == AF_INET) {
		bytes = (const uint8_t *)&((const struct sockaddr_in *)&peer)->sin_addr;
		size = sizeof(struct in_addr);
	} else if (peer.ss_family == AF_INET6) {
		bytes = (const uint8_t *)&((const struct sockaddr_in6 *)&peer)->sin6_addr;
		size = sizeof(struct in6_addr);
	}
	return hash_bytes(HASH_START, bytes, size) | TCP_KEY;
}

static bool is_ours(const struct clients *clients, int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_un local;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} name = {0};
	socklen_t length = sizeof(name);
	int listening = 0;

	if (getsockname(fd, &name.any, &length) < 0)
		return false;
	length = sizeof(listening);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0 || listening)
		return false;
	switch (name.any.sa_family) {
	case AF_UNIX:
		return clients->path[0] != '\0' &&
		       strncmp(name.local.sun_path, clients->path, sizeof(clients->path)) == 0;
	case AF_INET:
		return clients->port != 0 && name.v4.sin_port == clients->port;
	case AF_INET6:
		return clients->port != 0 && name.v6.sin6_port == clients->port;
	default:
		return false;
	}
}

/* Whether more waits to be read than one that waits for answers has sent. */
static bool is_flooded(int fd)
{
	int bytes = 0;

	return ioctl(fd, FIONREAD, &bytes) == 0 && bytes > FLOODED_BYTES;
}

static void connection_cut(struct clients *clients, struct connection *connection,
                           bool only_if_flooded)
{
	int fd = fcntl(connection->fd, F_DUPFD_CLOEXEC, 0);
	bool ours = fd >= 0 && is_ours(clients, fd);

	if (ours && (!only_if_flooded || is_flooded(fd))) {
		shutdown(fd, SHUT_RDWR);
		connection->cut = true;
		connection->client->n_connections--;
		clients->n_connections--;
		clients->counts.cut++;
	}
	if (fd >= 0)
		close(fd);
}

/* --- the lists ------------------------------------------------------------------------------ */

static struct connection *connection_find(struct clients *clients, int fd)
{
	struct connection *connection;

	LIST_FOREACH (connection, &clients->buckets[(unsigned)fd % BUCKETS], by_fd)
		if (connection->fd == fd)
			return connection;
	return NULL;
}

static struct client *client_get(struct clients *clients, uint64_t key)
{
	struct client *client;

	LIST_FOREACH (client, &clients->list, link)
		if (client->key == key)
			return client;
	client = calloc(1, sizeof(*client));
	if (client == NULL)
		return NULL;
	client->key = key;
	TAILQ_INIT(&client->connections);
	LIST_INSERT_HEAD(&clients->list, client, link);
	return client;
}

static void client_free_unused(struct client *client)
{
	if (!TAILQ_EMPTY(&client->connections))
		return;
	LIST_REMOVE(client, link);
	free(client);
}

/* Whoever holds it frees it in the end. */
static void connection_forget(struct connection *connection)
{
	connection->client = NULL;
	if (connection->n_held == 0)
		free(connection);
}

static void connection_remove(struct clients *clients, struct connection *connection)
{
	struct client *client = connection->client;

	if (!connection->cut) {
		client->n_connections--;
		clients->n_connections--;
	}
	LIST_REMOVE(connection, by_fd);
	TAILQ_REMOVE(&client->connections, connection, by_use);
	connection_forget(connection);
	client_free_unused(client);
}

/* What the heaviest client has not used for longest. */
static struct connection *victim_find(struct clients *clients)
{
	struct connection *connection, *victim = NULL;
	const struct client *client;
	unsigned most = 0;

	LIST_FOREACH (client, &clients->list, link) {
		if (client->n_connections == 0 || client->n_connections < most)
			continue;
		connection = TAILQ_FIRST(&client->connections);
		while (connection->cut)
			connection = TAILQ_NEXT(connection, by_use);
		if (client->n_connections == most && victim->since_ms <= connection->since_ms)
			continue;
		most = client->n_connections;
		victim = connection;
	}
	return victim;
}

static void connection_add(struct clients *clients, int fd)
{
	struct connection *connection = connection_find(clients, fd);
	struct client *client;

	if (connection != NULL) /* its end went unnoticed */
		connection_remove(clients, connection);
	client = client_get(clients, key_find(fd));
	connection = client != NULL ? calloc(1, sizeof(*connection)) : NULL;
	if (connection == NULL) {
		if (client != NULL)
			client_free_unused(client);
		return;
	}
	connection->client = client;
	connection->fd = fd;
	connection->since_ms = clock_now_ms();
	LIST_INSERT_HEAD(&clients->buckets[(unsigned)fd % BUCKETS], connection, by_fd);
	TAILQ_INSERT_TAIL(&client->connections, connection, by_use);
	client->n_connections++;
	clients->n_connections++;
	clients->counts.accepted++;
	if (clients->n_connections <= clients->connections_max)
		return;
	connection_cut(clients, victim_find(clients), false);
	log_write_limited(&clients->log_limit, LOG_WARNING,
	                  "%s: more than %u connections: cutting those that are not used, of the "
	                  "client that has most",
	                  clients->name, clients->connections_max);
}

/* --- what the monitor tells ----------------------------------------------------------------- */

/* Two frames: a number of 16 bits, the event, one of 32, its value; then the address. */
static bool event_receive(const struct clients *clients, uint16_t *event, uint32_t *value)
{
	uint8_t bytes[sizeof(*event) + sizeof(*value)];
	char address[256];

	if (UNINTERRUPTED(zmq_recv(clients->monitor, bytes, sizeof(bytes), ZMQ_DONTWAIT)) !=
	    (int)sizeof(bytes))
		return false;
	memcpy(event, bytes, sizeof(*event));
	memcpy(value, bytes + sizeof(*event), sizeof(*value));
	(void)UNINTERRUPTED(zmq_recv(clients->monitor, address, sizeof(address), ZMQ_DONTWAIT));
	return true;
}

void clients_update(struct clients *clients)
{
	struct connection *connection;
	uint16_t event;
	uint32_t value;

	while (event_receive(clients, &event, &value)) {
		if (event == ZMQ_EVENT_ACCEPTED) {
			connection_add(clients, (int)value);
		} else if (event == ZMQ_EVENT_DISCONNECTED) {
			connection = connection_find(clients, (int)value);
			if (connection != NULL)
				connection_remove(clients, connection);
		}
	}
}

void *clients_monitor(struct clients *clients)
{
	return clients->monitor;
}

struct connection *clients_sender(struct clients *clients, int fd)
{
	struct connection *connection = connection_find(clients, fd);

	/* The monitor is read now and then; what it says of a connection comes before what that
	 * sends. */
	if (connection == NULL) {
		clients_update(clients);
		connection = connection_find(clients, fd);
	}
	if (connection == NULL)
		return NULL;
	connection->spoken = true;
	connection->since_ms = clock_now_ms();
	connection->client->n_requests++;
	TAILQ_REMOVE(&connection->client->connections, connection, by_use);
	TAILQ_INSERT_TAIL(&connection->client->connections, connection, by_use);
	return connection;
}

unsigned connection_held(const struct connection *connection)
{
	return connection != NULL ? connection->n_held : 0;
}

void connection_hold(struct connection *connection)
{
	if (connection != NULL)
		connection->n_held++;
}

void connection_release(struct connection *connection)
{
	if (connection == NULL)
		return;
	assert(connection->n_held > 0);
	connection->n_held--;
	if (connection->n_held == 0 && connection->client == NULL)
		free(connection);
}

/* --- cutting off ---------------------------------------------------------------------------- */

static bool is_to_blame(const struct connection *connection, enum clients_blame blame,
                        const struct client *busiest)
{
	uint64_t age_ms = clock_now_ms() - connection->since_ms;

	switch (blame) {
	case CLIENTS_SILENT:
		return age_ms > (connection->spoken ? SILENT_MS : REQUEST_MS);
	case CLIENTS_BUSIEST:
		return connection->client == busiest;
	default:
		return true;
	}
}

void clients_cut(struct clients *clients, enum clients_blame blame)
{
	struct connection *connection;
	struct client *client, *busiest = NULL;
	uint64_t cut_before = clients->counts.cut;

	clients_update(clients);
	LIST_FOREACH (client, &clients->list, link) {
		if (busiest == NULL || client->n_requests > busiest->n_requests)
			busiest = client;
	}
	LIST_FOREACH (client, &clients->list, link) {
		TAILQ_FOREACH (connection, &client->connections, by_use)
			if (!connection->cut && is_to_blame(connection, blame, busiest))
				connection_cut(clients, connection, blame == CLIENTS_FLOODING);
		if (blame == CLIENTS_BUSIEST)
			client->n_requests = 0;
	}
	if (clients->counts.cut != cut_before)
		log_write_limited(&clients->log_limit, LOG_WARNING,
		                  "%s: %llu connections were cut off", clients->name,
		                  (unsigned long long)(clients->counts.cut - cut_before));
}

void clients_counts_read(const struct clients *clients, struct clients_counts *out)
{
	*out = clients->counts;
	out->connections = clients->n_connections;
}

/* --- life ----------------------------------------------------------------------------------- */

void clients_identify(struct clients *clients, const char *last_endpoint)
{
	const char *port = strrchr(last_endpoint, ':');
	uint32_t number;

	clients->path[0] = '\0';
	clients->port = 0;
	if (string_starts_with(last_endpoint, "ipc://"))
		string_copy(clients->path, sizeof(clients->path), last_endpoint + strlen("ipc://"));
	else if (port != NULL && parse_u32(port + 1, 1, UINT16_MAX, &number) == 0)
		clients->port = htons((uint16_t)number);
}

struct clients *clients_create(void *zmq_context, void *socket, const char *name,
                               unsigned connections_max, struct error *err)
{
	struct clients *clients = calloc(1, sizeof(*clients));
	char address[64];

	if (clients == NULL) {
		error_set(err, ENOMEM, "endpoint %s: out of memory", name);
		return NULL;
	}
	clients->name = name;
	clients->socket = socket;
	clients->connections_max = connections_max;
	clients->log_limit = (struct log_limit)LOG_LIMIT(10000, 3);
	LIST_INIT(&clients->list);
	for (unsigned i = 0; i < BUCKETS; i++)
		LIST_INIT(&clients->buckets[i]);

	snprintf(address, sizeof(address), "inproc://clients-of-%s", name);
	clients->monitor = zmq_socket(zmq_context, ZMQ_PAIR);
	/* No limit to what waits for us: ZeroMQ's thread would wait with it, under a lock. */
	if (clients->monitor == NULL ||
	    zmq_setsockopt(clients->monitor, ZMQ_RCVHWM, &(int){0}, sizeof(int)) < 0 ||
	    zmq_setsockopt(clients->monitor, ZMQ_LINGER, &(int){0}, sizeof(int)) < 0 ||
	    zmq_socket_monitor(socket, address, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED) < 0 ||
	    UNINTERRUPTED(zmq_connect(clients->monitor, address)) < 0) {
		error_set(err, errno, "endpoint %s: %s", name, zmq_strerror(errno));
		if (clients->monitor != NULL)
			zmq_close(clients->monitor);
		free(clients);
		return NULL;
	}
	return clients;
}

void clients_destroy(struct clients *clients)
{
	struct client *client, *next_client;
	struct connection *connection, *next;

	if (clients == NULL)
		return;
	zmq_socket_monitor(clients->socket, NULL, 0);
	zmq_close(clients->monitor);
	for (client = LIST_FIRST(&clients->list); client != NULL; client = next_client) {
		next_client = LIST_NEXT(client, link);
		for (connection = TAILQ_FIRST(&client->connections); connection != NULL;
		     connection = next) {
			next = TAILQ_NEXT(connection, by_use);
			connection_forget(connection);
		}
		free(client);
	}
	free(clients);
}
