/* A ZeroMQ endpoint that publishes. See publisher.h.
 *
 * ZeroMQ drops for a subscriber whose queue is full, without a word. To count that, each message is
 * first sent as if nothing might be dropped, which fails as a whole when one queue is full; and
 * only then as usual, for those who have room.
 */
#include "rpc/transport/publisher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "base/log.h"
#include "rpc/transport/uninterrupted.h"

#define SUBSCRIPTION_MAX 256  /* bytes of what a subscriber may send at a time */
#define HANDSHAKE_MS     5000 /* then a peer that does not speak ZeroMQ is cut off */

struct publisher {
	struct loop *loop;
	void *socket;
	struct clients *clients;
	struct binding binding;
	uint64_t missed;
};

static int option_set(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof(value));
}

static int options_set(void *socket)
{
	if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &(int64_t){SUBSCRIPTION_MAX}, sizeof(int64_t)) <
	            0 ||
	    option_set(socket, ZMQ_SNDHWM, PUBLISHER_QUEUE_MAX) < 0 ||
	    option_set(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) < 0 ||
	    option_set(socket, ZMQ_LINGER, 0) < 0)
		return -errno;
	return 0;
}

/* Subscriptions come in when ZeroMQ looks whether there is anything to be read, which is all that
 * the loop polls for: PUB has nothing to read itself. */
static void on_turn(void *context)
{
	(void)context;
}

static void on_clients(void *context)
{
	struct publisher *publisher = context;

	clients_update(publisher->clients);
}

static int listen_on(struct publisher *publisher, const char *address,
                     const struct endpoint_access *access, struct error *err)
{
	char bound[256];
	size_t size = sizeof(bound);

	if (binding_make(&publisher->binding, publisher->socket, address, access, err) < 0)
		return -err->code;
	if (zmq_getsockopt(publisher->socket, ZMQ_LAST_ENDPOINT, bound, &size) == 0)
		clients_identify(publisher->clients, bound);
	if (loop_add_zmq(publisher->loop, clients_monitor(publisher->clients), on_clients,
	                 publisher) < 0 ||
	    loop_add_zmq(publisher->loop, publisher->socket, on_turn, publisher) < 0)
		return error_set(err, ENOSPC, "endpoint %s: %s", address, strerror(ENOSPC));
	return 0;
}

struct publisher *publisher_open(void *zmq_context, const char *address,
                                 const struct endpoint_access *access, const char *name,
                                 struct loop *loop, struct error *err)
{
	struct publisher *publisher = calloc(1, sizeof(*publisher));
	int rc;

	if (publisher == NULL) {
		error_set(err, ENOMEM, "endpoint %s: out of memory", address);
		return NULL;
	}
	publisher->loop = loop;
	publisher->socket = zmq_socket(zmq_context, ZMQ_PUB);
	rc = publisher->socket == NULL ? -errno : options_set(publisher->socket);
	if (rc < 0) {
		error_set(err, -rc, "endpoint %s: %s", address, zmq_strerror(-rc));
		goto fail;
	}
	publisher->clients =
	        clients_create(zmq_context, publisher->socket, name, access->connections_max, err);
	if (publisher->clients == NULL || listen_on(publisher, address, access, err) < 0)
		goto fail;
	log_info("%s listens on %s", name, address);
	return publisher;
fail:
	publisher_close(publisher);
	return NULL;
}

/* Whether it has been sent: to all who want it, if all is true. */
static bool send_both(struct publisher *publisher, bool all, const char *topic, const void *body,
                      size_t size)
{
	if (option_set(publisher->socket, ZMQ_XPUB_NODROP, all) < 0)
		return false;
	return UNINTERRUPTED(zmq_send(publisher->socket, topic, strlen(topic),
	                              ZMQ_SNDMORE | ZMQ_DONTWAIT)) >= 0 &&
	       UNINTERRUPTED(zmq_send(publisher->socket, body, size, ZMQ_DONTWAIT)) >= 0;
}

void publisher_send(struct publisher *publisher, const char *topic, const void *body, size_t size)
{
	if (send_both(publisher, true, topic, body, size))
		return;
	publisher->missed++;
	(void)send_both(publisher, false, topic, body, size);
}

uint64_t publisher_missed(const struct publisher *publisher)
{
	return publisher->missed;
}

void publisher_look(struct publisher *publisher)
{
	struct clients_counts counts;

	clients_counts_read(publisher->clients, &counts);
	binding_look(&publisher->binding, publisher->socket, counts.connections > 0);
}

void publisher_close(struct publisher *publisher)
{
	if (publisher == NULL)
		return;
	binding_release(&publisher->binding);
	if (publisher->clients != NULL) {
		loop_remove_zmq(publisher->loop, clients_monitor(publisher->clients));
		clients_destroy(publisher->clients);
	}
	if (publisher->socket != NULL) {
		loop_remove_zmq(publisher->loop, publisher->socket);
		zmq_close(publisher->socket);
	}
	free(publisher);
}

struct clients *publisher_clients(struct publisher *publisher)
{
	return publisher->clients;
}

bool publisher_has_keys(const struct publisher *publisher)
{
	int mechanism = ZMQ_NULL;

	zmq_getsockopt(publisher->socket, ZMQ_MECHANISM, &mechanism, &(size_t){sizeof(mechanism)});
	return mechanism == ZMQ_CURVE;
}
