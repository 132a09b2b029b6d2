/* A ZeroMQ endpoint that clients see as REP: each request, a protobuf message, gets one answer.
 * Below, it is a ROUTER socket: answers may come late and in any order, so that a slow request
 * never holds up the next, and a client that sends rubbish, disappears or does not read harms
 * nobody else. Nothing here blocks. All of it belongs to the control thread.
 */
#ifndef RPC_TRANSPORT_ENDPOINT_H
#define RPC_TRANSPORT_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/error.h"
#include "event/loop.h"
#include "rpc/transport/binding.h"
#include "rpc/transport/clients.h"

#define ENDPOINT_REQUEST_MAX 65536 /* bytes of one frame; whoever sends more is cut off */
/* Requests that may wait for their answer: of one endpoint, of one connection. */
#define ENDPOINT_REPLIES_MAX            2048
#define ENDPOINT_CONNECTION_REPLIES_MAX 128

struct endpoint;

/* One request that waits for its answer. Whoever holds it calls endpoint_answer or
 * endpoint_drop exactly once, maybe after endpoint_close. */
struct endpoint_reply;

enum endpoint_refusal {
	ENDPOINT_MALFORMED, /* not a message of this service */
	ENDPOINT_BUSY,      /* too many requests wait already */
};

/* What a service gives its endpoint; constant, outlives it. */
struct endpoint_service {
	const char *name; /* for the log: "stats" */
	const ProtobufCMessageDescriptor *request_type;
	/* request is valid during the call only. */
	void (*request)(void *context, struct endpoint_reply *reply,
	                const ProtobufCMessage *request);
	/* Has to answer at once, with the service's error message. why is for people. */
	void (*refuse)(struct endpoint_reply *reply, enum endpoint_refusal refusal,
	               const char *why);
};

struct arena;

/* The request in the bytes, or NULL when there is none. Its memory is the arena's, which is
 * initialised here and is the caller's to free in either case. */
ProtobufCMessage *endpoint_request_unpack(const struct endpoint_service *service,
                                          struct arena *arena, const void *bytes, size_t size);

/* address is "ipc://<absolute path>" or "tcp://<address>:<port>". NULL with err filled. */
struct endpoint *endpoint_open(void *zmq_context, const char *address,
                               const struct endpoint_access *access,
                               const struct endpoint_service *service, void *service_context,
                               struct loop *loop, struct error *err);

/* Once a second: what is bound is still there, or is made anew (see binding_look). */
void endpoint_look(struct endpoint *endpoint);

/* Clients get no answer from here on, and the ipc path is gone. Replies that are still held stay
 * valid; the last one to be answered or dropped frees the rest. Harmless on NULL. */
void endpoint_close(struct endpoint *endpoint);

/* How many requests of the same connection wait, this one included; 0 if it has gone. */
unsigned endpoint_reply_share(const struct endpoint_reply *reply);
void endpoint_answer(struct endpoint_reply *reply, const ProtobufCMessage *answer);
void endpoint_drop(struct endpoint_reply *reply);

struct clients *endpoint_clients(struct endpoint *endpoint);
bool endpoint_has_keys(const struct endpoint *endpoint); /* is tcp, for clients with keys */

#endif
