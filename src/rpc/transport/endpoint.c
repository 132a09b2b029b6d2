/* A ZeroMQ endpoint that clients see as REP. See endpoint.h for the rules.
 *
 * On the wire a request is the client's identity (put in front by ROUTER), maybe frames of
 * proxies on the way, an empty frame, and the body. All in front of the body is the envelope: it
 * is kept as it came and sent back in front of the answer, as REP does.
 */
#include "rpc/transport/endpoint.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <zmq.h>

#include "base/log.h"
#include "rpc/transport/arena.h"
#include "rpc/transport/uninterrupted.h"

#define FRAMES_PER_TURN     48 /* 16 messages of REQ sockets; then others get their turn */
#define UNPACK_MEMORY_MAX   (4 * 1024 * 1024)
#define ENVELOPE_FRAMES_MAX 8
#define ENVELOPE_BYTES_MAX  512 /* an identity takes 255 at most */

/* Messages that wait in a client's connection, each way. ZeroMQ learns late, after up to half of
 * its queue, what a client has read; all answers that one may wait for must fit all the same. */
#define RECEIVE_QUEUE_MAX 4
#define SEND_QUEUE_MAX    (2 * ENDPOINT_CONNECTION_REPLIES_MAX)

#define HANDSHAKE_MS 5000 /* then a peer that does not speak ZeroMQ is cut off */

struct envelope {
	uint8_t n_frames; /* without the empty one */
	uint16_t sizes[ENVELOPE_FRAMES_MAX];
	uint8_t bytes[ENVELOPE_BYTES_MAX];
};

/* A message of which not all frames have been taken yet. ZeroMQ delivers whole messages only, but
 * one may have a million frames. */
struct incoming {
	struct envelope envelope;
	unsigned used; /* bytes of the envelope */
	unsigned n_bodies;
	bool delimited, too_long;
	zmq_msg_t body; /* the first */
	struct connection *connection;
};

struct endpoint_reply {
	SLIST_ENTRY(endpoint_reply) link; /* while it is free */
	struct endpoint *endpoint;
	struct connection *connection; /* that it came by, NULL when that is not known */
	bool held;                     /* by the service */
	struct envelope envelope;
};

struct endpoint {
	const struct endpoint_service *service;
	void *service_context;
	struct loop *loop;
	void *socket; /* NULL once closed */
	struct clients *clients;
	struct incoming incoming;
	struct binding binding;
	struct log_limit log_limit;
	unsigned held; /* replies that the service holds */
	SLIST_HEAD(endpoint_reply_list, endpoint_reply) free_replies;
	struct endpoint_reply refused; /* answered at once, so one is enough */
	struct endpoint_reply replies[ENDPOINT_REPLIES_MAX];
};

/* --- answers ----------------------------------------------------------------------------- */

static bool envelope_send(struct endpoint *endpoint, const struct envelope *envelope)
{
	const uint8_t *bytes = envelope->bytes;

	for (unsigned i = 0; i < envelope->n_frames; i++) {
		if (UNINTERRUPTED(zmq_send(endpoint->socket, bytes, envelope->sizes[i],
		                           ZMQ_SNDMORE | ZMQ_DONTWAIT)) < 0)
			return false;
		bytes += envelope->sizes[i];
	}
	return UNINTERRUPTED(zmq_send(endpoint->socket, NULL, 0, ZMQ_SNDMORE | ZMQ_DONTWAIT)) == 0;
}

static const char *why_dropped(int error)
{
	switch (error) {
	case EAGAIN:
		return "its client does not read";
	case EHOSTUNREACH:
		return "its client has gone";
	default:
		return zmq_strerror(error);
	}
}

static void answer_send(struct endpoint *endpoint, const struct envelope *envelope,
                        const ProtobufCMessage *answer)
{
	zmq_msg_t body;

	if (zmq_msg_init_size(&body, protobuf_c_message_get_packed_size(answer)) < 0) {
		log_write_limited(&endpoint->log_limit, LOG_WARNING,
		                  "%s: no memory for an answer: dropped", endpoint->service->name);
		return;
	}
	protobuf_c_message_pack(answer, zmq_msg_data(&body));

	/* Only the first frame can meet a client that has gone (EHOSTUNREACH) or whose queue is
	 * full (EAGAIN): then nothing of the message has been sent. */
	if (!envelope_send(endpoint, envelope) ||
	    UNINTERRUPTED(zmq_msg_send(&body, endpoint->socket, ZMQ_DONTWAIT)) < 0)
		log_write_limited(&endpoint->log_limit, LOG_INFO, "%s: an answer was dropped: %s",
		                  endpoint->service->name, why_dropped(errno));
	zmq_msg_close(&body);
}

static void reply_release(struct endpoint_reply *reply)
{
	struct endpoint *endpoint = reply->endpoint;

	assert(reply->held);
	reply->held = false;
	connection_release(reply->connection);
	endpoint->held--;
	if (reply != &endpoint->refused)
		SLIST_INSERT_HEAD(&endpoint->free_replies, reply, link);
	if (endpoint->socket == NULL && endpoint->held == 0)
		free(endpoint);
}

unsigned endpoint_reply_share(const struct endpoint_reply *reply)
{
	return connection_held(reply->connection);
}

void endpoint_answer(struct endpoint_reply *reply, const ProtobufCMessage *answer)
{
	assert(reply->held);
	if (reply->endpoint->socket != NULL)
		answer_send(reply->endpoint, &reply->envelope, answer);
	reply_release(reply);
}

void endpoint_drop(struct endpoint_reply *reply)
{
	reply_release(reply);
}

/* --- requests ---------------------------------------------------------------------------- */

static struct endpoint_reply *reply_hold(struct endpoint *endpoint, struct endpoint_reply *reply,
                                         const struct envelope *envelope,
                                         struct connection *connection)
{
	reply->held = true;
	reply->connection = connection;
	connection_hold(connection);
	reply->envelope = *envelope;
	endpoint->held++;
	return reply;
}

static void *unpack_alloc(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void unpack_free(void *arena, void *memory)
{
	(void)arena; /* all of it at the end */
	(void)memory;
}

static void request_refuse(struct endpoint *endpoint, const struct envelope *envelope,
                           enum endpoint_refusal refusal, const char *why)
{
	log_write_limited(&endpoint->log_limit, LOG_WARNING, "%s: a request was refused: %s",
	                  endpoint->service->name, why);
	endpoint->service->refuse(reply_hold(endpoint, &endpoint->refused, envelope, NULL), refusal,
	                          why);
}

ProtobufCMessage *endpoint_request_unpack(const struct endpoint_service *service,
                                          struct arena *arena, const void *bytes, size_t size)
{
	ProtobufCAllocator allocator = {unpack_alloc, unpack_free, arena};

	arena_init(arena, UNPACK_MEMORY_MAX);
	return protobuf_c_message_unpack(service->request_type, &allocator, size, bytes);
}

static void request_handle(struct endpoint *endpoint, const struct envelope *envelope,
                           zmq_msg_t *body, struct connection *connection)
{
	struct arena arena;
	ProtobufCMessage *request;
	struct endpoint_reply *reply = SLIST_FIRST(&endpoint->free_replies);

	if (reply == NULL || connection_held(connection) >= ENDPOINT_CONNECTION_REPLIES_MAX) {
		request_refuse(endpoint, envelope, ENDPOINT_BUSY,
		               "too many requests wait for their answers; try again later");
		return;
	}
	request = endpoint_request_unpack(endpoint->service, &arena, zmq_msg_data(body),
	                                  zmq_msg_size(body));
	if (request == NULL) {
		request_refuse(endpoint, envelope, ENDPOINT_MALFORMED,
		               "the frame holds no message of this service, or one that lacks "
		               "required fields; see virtioforwarder.proto");
	} else {
		SLIST_REMOVE_HEAD(&endpoint->free_replies, link);
		endpoint->service->request(endpoint->service_context,
		                           reply_hold(endpoint, reply, envelope, connection),
		                           request);
	}
	arena_free(&arena);
}

static void incoming_init(struct incoming *in)
{
	*in = (struct incoming){0};
	zmq_msg_init(&in->body);
}

/* False when the frame does not fit. */
static bool envelope_add(struct envelope *envelope, unsigned *used, zmq_msg_t *frame)
{
	size_t size = zmq_msg_size(frame);

	if (envelope->n_frames == ENVELOPE_FRAMES_MAX || size > ENVELOPE_BYTES_MAX - *used)
		return false;
	memcpy(&envelope->bytes[*used], zmq_msg_data(frame), size);
	envelope->sizes[envelope->n_frames++] = (uint16_t)size;
	*used += (unsigned)size;
	return true;
}

static void message_end(struct endpoint *endpoint)
{
	struct incoming *in = &endpoint->incoming;

	if (!in->delimited || in->too_long) {
		/* Who sent it is known, what to mirror is not. */
		in->envelope.n_frames = 1;
		request_refuse(endpoint, &in->envelope, ENDPOINT_MALFORMED,
		               in->too_long ? "its envelope is too long"
		                            : "there is no empty frame in front of the body; use "
		                              "a REQ socket");
	} else if (in->n_bodies != 1) {
		request_refuse(endpoint, &in->envelope, ENDPOINT_MALFORMED,
		               in->n_bodies == 0 ? "it has no body" : "it has more than one frame");
	} else {
		request_handle(endpoint, &in->envelope, &in->body, in->connection);
	}
	zmq_msg_close(&in->body);
	incoming_init(in);
}

/* Takes one frame from the socket. False when there is none. */
static bool frame_receive(struct endpoint *endpoint)
{
	struct incoming *in = &endpoint->incoming;
	zmq_msg_t frame;

	zmq_msg_init(&frame);
	if (UNINTERRUPTED(zmq_msg_recv(&frame, endpoint->socket, ZMQ_DONTWAIT)) < 0) {
		zmq_msg_close(&frame);
		return false;
	}
	bool more = zmq_msg_more(&frame);

	/* The number of the connection is with all frames but the identity. ZeroMQ deprecates it,
	 * since connections come and go meanwhile; clients.h takes that into account. */
	if (in->envelope.n_frames > 0 && !more)
		in->connection = clients_sender(endpoint->clients, zmq_msg_get(&frame, ZMQ_SRCFD));
	if (in->delimited) {
		if (in->n_bodies++ == 0)
			zmq_msg_move(&in->body, &frame);
	} else if (in->envelope.n_frames > 0 && zmq_msg_size(&frame) == 0) {
		in->delimited = true;
	} else if (!in->too_long) {
		in->too_long = !envelope_add(&in->envelope, &in->used, &frame);
	}
	zmq_msg_close(&frame);
	if (!more)
		message_end(endpoint);
	return true;
}

static void endpoint_turn(void *context)
{
	struct endpoint *endpoint = context;

	for (unsigned i = 0; i < FRAMES_PER_TURN && frame_receive(endpoint); i++)
		;
}

static void endpoint_clients_turn(void *context)
{
	struct endpoint *endpoint = context;

	clients_update(endpoint->clients);
}

/* --- life -------------------------------------------------------------------------------- */

static int option_set(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof(value));
}

static int options_set(void *socket)
{
	if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &(int64_t){ENDPOINT_REQUEST_MAX},
	                   sizeof(int64_t)) < 0 ||
	    option_set(socket, ZMQ_RCVHWM, RECEIVE_QUEUE_MAX) < 0 ||
	    option_set(socket, ZMQ_SNDHWM, SEND_QUEUE_MAX) < 0 ||
	    option_set(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) < 0 ||
	    option_set(socket, ZMQ_LINGER, 0) < 0 ||
	    option_set(socket, ZMQ_ROUTER_MANDATORY, 1) < 0)
		return -errno;
	return 0;
}

static struct endpoint *endpoint_allocate(const struct endpoint_service *service,
                                          void *service_context, struct loop *loop)
{
	struct endpoint *endpoint = calloc(1, sizeof(*endpoint));

	if (endpoint == NULL)
		return NULL;
	endpoint->service = service;
	endpoint->service_context = service_context;
	endpoint->loop = loop;
	endpoint->log_limit = (struct log_limit)LOG_LIMIT(10000, 5);
	incoming_init(&endpoint->incoming);
	SLIST_INIT(&endpoint->free_replies);
	endpoint->refused.endpoint = endpoint;
	for (unsigned i = 0; i < ENDPOINT_REPLIES_MAX; i++) {
		endpoint->replies[i].endpoint = endpoint;
		SLIST_INSERT_HEAD(&endpoint->free_replies, &endpoint->replies[i], link);
	}
	return endpoint;
}

static int endpoint_listen(struct endpoint *endpoint, const char *address,
                           const struct endpoint_access *access, struct error *err)
{
	char bound[256];
	size_t size = sizeof(bound);

	if (binding_make(&endpoint->binding, endpoint->socket, address, access, err) < 0)
		return -err->code;
	if (zmq_getsockopt(endpoint->socket, ZMQ_LAST_ENDPOINT, bound, &size) == 0)
		clients_identify(endpoint->clients, bound);
	if (loop_add_zmq(endpoint->loop, clients_monitor(endpoint->clients), endpoint_clients_turn,
	                 endpoint) < 0 ||
	    loop_add_zmq(endpoint->loop, endpoint->socket, endpoint_turn, endpoint) < 0)
		return error_set(err, ENOSPC, "endpoint %s: %s", address, strerror(ENOSPC));
	return 0;
}

struct endpoint *endpoint_open(void *zmq_context, const char *address,
                               const struct endpoint_access *access,
                               const struct endpoint_service *service, void *service_context,
                               struct loop *loop, struct error *err)
{
	struct endpoint *endpoint = endpoint_allocate(service, service_context, loop);
	int rc;

	if (endpoint == NULL) {
		error_set(err, ENOMEM, "endpoint %s: out of memory", address);
		return NULL;
	}
	endpoint->socket = zmq_socket(zmq_context, ZMQ_ROUTER);
	rc = endpoint->socket == NULL ? -errno : options_set(endpoint->socket);
	if (rc < 0) {
		error_set(err, -rc, "endpoint %s: %s", address, zmq_strerror(-rc));
		goto fail;
	}
	endpoint->clients = clients_create(zmq_context, endpoint->socket, service->name,
	                                   access->connections_max, err);
	if (endpoint->clients == NULL || endpoint_listen(endpoint, address, access, err) < 0)
		goto fail;
	log_info("%s listens on %s", service->name, address);
	return endpoint;

fail:
	endpoint_close(endpoint);
	return NULL;
}

void endpoint_look(struct endpoint *endpoint)
{
	struct clients_counts counts;

	clients_counts_read(endpoint->clients, &counts);
	binding_look(&endpoint->binding, endpoint->socket, counts.connections > 0);
}

void endpoint_close(struct endpoint *endpoint)
{
	if (endpoint == NULL)
		return;
	binding_release(&endpoint->binding);
	if (endpoint->clients != NULL) {
		loop_remove_zmq(endpoint->loop, clients_monitor(endpoint->clients));
		clients_destroy(endpoint->clients);
		endpoint->clients = NULL;
	}
	if (endpoint->socket != NULL) {
		loop_remove_zmq(endpoint->loop, endpoint->socket);
		zmq_close(endpoint->socket);
		endpoint->socket = NULL;
	}
	zmq_msg_close(&endpoint->incoming.body);
	if (endpoint->held == 0)
		free(endpoint);
}

bool endpoint_has_keys(const struct endpoint *endpoint)
{
	int mechanism = ZMQ_NULL;

	zmq_getsockopt(endpoint->socket, ZMQ_MECHANISM, &mechanism, &(size_t){sizeof(mechanism)});
	return mechanism == ZMQ_CURVE;
}

struct clients *endpoint_clients(struct endpoint *endpoint)
{
	return endpoint->clients;
}
