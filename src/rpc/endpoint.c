/* A ZeroMQ endpoint that clients see as REP. See endpoint.h for the rules.
 *
 * On the wire a request is the client's identity (put in front by ROUTER), maybe frames of
 * proxies on the way, an empty frame, and the body. All in front of the body is the envelope: it
 * is kept as it came and sent back in front of the answer, as REP does.
 */
#include "rpc/endpoint.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>
#include <zmq.h>

#include "base/log.h"
#include "base/parse.h"
#include "rpc/arena.h"
#include "rpc/ipc_path.h"

#define MESSAGES_PER_TURN   16 /* then others get their turn */
#define UNPACK_MEMORY_MAX   (4 * 1024 * 1024)
#define ENVELOPE_FRAMES_MAX 8
#define ENVELOPE_BYTES_MAX  512 /* an identity takes 255 at most */

/* Messages that wait in a client's connection, each way. ZeroMQ learns late, after up to half of
 * its queue, what a client has read; all answers that one may wait for must fit all the same. */
#define RECEIVE_QUEUE_MAX 16
#define SEND_QUEUE_MAX    (2 * ENDPOINT_REPLIES_MAX)

struct envelope {
	uint8_t n_frames; /* without the empty one */
	uint16_t sizes[ENVELOPE_FRAMES_MAX];
	uint8_t bytes[ENVELOPE_BYTES_MAX];
};

struct endpoint_reply {
	SLIST_ENTRY(endpoint_reply) link; /* while it is free */
	struct endpoint *endpoint;
	bool held; /* by the service */
	struct envelope envelope;
};

struct endpoint {
	const struct endpoint_service *service;
	void *service_context;
	struct loop *loop;
	void *socket; /* NULL once closed */
	struct ipc_path ipc;
	struct endpoint_counts counts;
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
		if (zmq_send(endpoint->socket, bytes, envelope->sizes[i],
		             ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
			return false;
		bytes += envelope->sizes[i];
	}
	return zmq_send(endpoint->socket, NULL, 0, ZMQ_SNDMORE | ZMQ_DONTWAIT) == 0;
}

static void answer_send(struct endpoint *endpoint, const struct envelope *envelope,
                        const ProtobufCMessage *answer)
{
	zmq_msg_t body;

	if (zmq_msg_init_size(&body, protobuf_c_message_get_packed_size(answer)) < 0) {
		endpoint->counts.undelivered++;
		log_write_limited(&endpoint->log_limit, LOG_WARNING,
		                  "%s: no memory for an answer: dropped", endpoint->service->name);
		return;
	}
	protobuf_c_message_pack(answer, zmq_msg_data(&body));

	/* Only the first frame can meet a client that has gone (EHOSTUNREACH) or whose queue is
	 * full (EAGAIN): then nothing of the message has been sent. */
	if (!envelope_send(endpoint, envelope) ||
	    zmq_msg_send(&body, endpoint->socket, ZMQ_DONTWAIT) < 0) {
		endpoint->counts.undelivered++;
		log_write_limited(
		        &endpoint->log_limit, LOG_INFO, "%s: an answer was dropped, its client %s",
		        endpoint->service->name, errno == EAGAIN ? "does not read" : "has gone");
	}
	zmq_msg_close(&body);
}

static void reply_release(struct endpoint_reply *reply)
{
	struct endpoint *endpoint = reply->endpoint;

	assert(reply->held);
	reply->held = false;
	endpoint->held--;
	if (reply != &endpoint->refused)
		SLIST_INSERT_HEAD(&endpoint->free_replies, reply, link);
	if (endpoint->socket == NULL && endpoint->held == 0)
		free(endpoint);
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
                                         const struct envelope *envelope)
{
	reply->held = true;
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
	if (refusal == ENDPOINT_BUSY)
		endpoint->counts.busy++;
	else
		endpoint->counts.malformed++;
	log_write_limited(&endpoint->log_limit, LOG_WARNING, "%s: a request was refused: %s",
	                  endpoint->service->name, why);
	endpoint->service->refuse(reply_hold(endpoint, &endpoint->refused, envelope), refusal, why);
}

static void request_handle(struct endpoint *endpoint, const struct envelope *envelope,
                           zmq_msg_t *body)
{
	struct arena arena;
	ProtobufCAllocator allocator = {unpack_alloc, unpack_free, &arena};
	ProtobufCMessage *request;
	struct endpoint_reply *reply = SLIST_FIRST(&endpoint->free_replies);

	if (reply == NULL) {
		request_refuse(endpoint, envelope, ENDPOINT_BUSY,
		               "too many requests wait for their answers; try again later");
		return;
	}
	arena_init(&arena, UNPACK_MEMORY_MAX);
	request = protobuf_c_message_unpack(endpoint->service->request_type, &allocator,
	                                    zmq_msg_size(body), zmq_msg_data(body));
	if (request == NULL) {
		request_refuse(endpoint, envelope, ENDPOINT_MALFORMED,
		               "the frame holds no message of this service, or one that lacks "
		               "required fields; see virtioforwarder.proto");
	} else {
		endpoint->counts.requests++;
		SLIST_REMOVE_HEAD(&endpoint->free_replies, link);
		endpoint->service->request(endpoint->service_context,
		                           reply_hold(endpoint, reply, envelope), request);
	}
	arena_free(&arena);
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

/* Takes one whole message from the socket. False when there is none. */
static bool message_receive(struct endpoint *endpoint)
{
	struct envelope envelope = {0};
	unsigned used = 0, n_bodies = 0;
	bool delimited = false, too_long = false, more = true;
	zmq_msg_t frame, body;

	zmq_msg_init(&frame);
	zmq_msg_init(&body);
	while (more) {
		/* ZeroMQ delivers all frames of a message together: only the first can fail. */
		if (zmq_msg_recv(&frame, endpoint->socket, ZMQ_DONTWAIT) < 0)
			break;
		more = zmq_msg_more(&frame);
		if (delimited) {
			if (n_bodies++ == 0)
				zmq_msg_move(&body, &frame);
		} else if (envelope.n_frames > 0 && zmq_msg_size(&frame) == 0) {
			delimited = true;
		} else if (!too_long) {
			too_long = !envelope_add(&envelope, &used, &frame);
		}
	}
	bool received = envelope.n_frames > 0;

	if (received && (!delimited || too_long)) {
		/* Who sent it is known, what to mirror is not. */
		envelope.n_frames = 1;
		request_refuse(endpoint, &envelope, ENDPOINT_MALFORMED,
		               too_long ? "its envelope is too long"
		                        : "there is no empty frame in front of the body; use a REQ "
		                          "socket");
	} else if (received && n_bodies != 1) {
		request_refuse(endpoint, &envelope, ENDPOINT_MALFORMED,
		               n_bodies == 0 ? "it has no body" : "it has more than one frame");
	} else if (received) {
		request_handle(endpoint, &envelope, &body);
	}
	zmq_msg_close(&body);
	zmq_msg_close(&frame);
	return received;
}

static void endpoint_turn(void *context)
{
	struct endpoint *endpoint = context;

	for (unsigned i = 0; i < MESSAGES_PER_TURN && message_receive(endpoint); i++)
		;
}

/* --- life -------------------------------------------------------------------------------- */

/* "tcp://127.0.0.1:5555" or "tcp://[::1]:5555": there is no telling who speaks on any other. */
static int tcp_check(const char *address, struct error *err)
{
	const char *text = address + strlen("tcp://");
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	size_t length = colon != NULL ? (size_t)(colon - text) : 0;
	struct in_addr v4;
	uint32_t port;

	if (length > 0 && length < sizeof(host) && parse_u32(colon + 1, 1, 65535, &port) == 0) {
		memcpy(host, text, length);
		host[length] = '\0';
		if (strcmp(host, "[::1]") == 0 ||
		    (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127))
			return 0;
	}
	return error_set(err, EINVAL,
	                 "endpoint %s: tcp is for the loopback addresses only, as in "
	                 "tcp://127.0.0.1:5555; use ipc://, whose path has permissions",
	                 address);
}

static int option_set(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof(value));
}

static int endpoint_bind(struct endpoint *endpoint, const char *address, struct error *err)
{
	if (string_starts_with(address, "ipc://")) {
		int fd = ipc_path_listen(&endpoint->ipc, address + strlen("ipc://"), err);

		if (fd < 0)
			return error_prefix(err, "endpoint %s: ", address);
		if (option_set(endpoint->socket, ZMQ_USE_FD, fd) < 0) {
			int code = errno;

			close(fd);
			return error_set(err, code, "endpoint %s: %s", address, zmq_strerror(code));
		}
	} else if (string_starts_with(address, "tcp://")) {
		int rc = tcp_check(address, err);

		if (rc < 0)
			return rc;
		option_set(endpoint->socket, ZMQ_IPV6, 1);
		log_warn("endpoint %s: every user of this host can use it; ipc:// has permissions",
		         address);
	} else {
		return error_set(err, EINVAL,
		                 "endpoint %s: ipc://PATH or tcp://127.0.0.1:PORT is wanted",
		                 address);
	}
	if (zmq_bind(endpoint->socket, address) < 0)
		return error_set(err, errno, "endpoint %s: %s; choose another endpoint", address,
		                 zmq_strerror(errno));
	return 0;
}

struct endpoint *endpoint_open(void *zmq_context, const char *address,
                               const struct endpoint_service *service, void *service_context,
                               struct loop *loop, struct error *err)
{
	struct endpoint *endpoint = calloc(1, sizeof(*endpoint));
	int rc;

	if (endpoint == NULL) {
		error_set(err, ENOMEM, "endpoint %s: out of memory", address);
		return NULL;
	}
	endpoint->service = service;
	endpoint->service_context = service_context;
	endpoint->loop = loop;
	endpoint->log_limit = (struct log_limit)LOG_LIMIT(10000, 5);
	SLIST_INIT(&endpoint->free_replies);
	endpoint->refused.endpoint = endpoint;
	for (unsigned i = 0; i < ENDPOINT_REPLIES_MAX; i++) {
		endpoint->replies[i].endpoint = endpoint;
		SLIST_INSERT_HEAD(&endpoint->free_replies, &endpoint->replies[i], link);
	}

	endpoint->socket = zmq_socket(zmq_context, ZMQ_ROUTER);
	if (endpoint->socket == NULL) {
		error_set(err, errno, "endpoint %s: %s", address, zmq_strerror(errno));
		goto fail_socket;
	}
	if (zmq_setsockopt(endpoint->socket, ZMQ_MAXMSGSIZE, &(int64_t){ENDPOINT_REQUEST_MAX},
	                   sizeof(int64_t)) < 0 ||
	    option_set(endpoint->socket, ZMQ_RCVHWM, RECEIVE_QUEUE_MAX) < 0 ||
	    option_set(endpoint->socket, ZMQ_SNDHWM, SEND_QUEUE_MAX) < 0 ||
	    option_set(endpoint->socket, ZMQ_LINGER, 0) < 0 ||
	    option_set(endpoint->socket, ZMQ_ROUTER_MANDATORY, 1) < 0) {
		error_set(err, errno, "endpoint %s: %s", address, zmq_strerror(errno));
		goto fail_bind;
	}
	if (endpoint_bind(endpoint, address, err) < 0)
		goto fail_bind;
	rc = loop_add_zmq(loop, endpoint->socket, endpoint_turn, endpoint);
	if (rc < 0) {
		error_set(err, -rc, "endpoint %s: %s", address, strerror(-rc));
		goto fail_bind;
	}
	log_info("%s listens on %s", service->name, address);
	return endpoint;

fail_bind:
	ipc_path_release(&endpoint->ipc);
	zmq_close(endpoint->socket);
fail_socket:
	free(endpoint);
	return NULL;
}

void endpoint_close(struct endpoint *endpoint)
{
	if (endpoint == NULL)
		return;
	loop_remove_zmq(endpoint->loop, endpoint->socket);
	ipc_path_release(&endpoint->ipc);
	zmq_close(endpoint->socket);
	endpoint->socket = NULL;
	if (endpoint->held == 0)
		free(endpoint);
}

void endpoint_counts_read(const struct endpoint *endpoint, struct endpoint_counts *out)
{
	*out = endpoint->counts;
}
