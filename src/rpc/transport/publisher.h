/* A ZeroMQ endpoint that publishes: clients see PUB, and subscribe to the topics that they want. A
 * subscriber that is slow, or does not read, loses messages and nobody else does: nothing here
 * waits. Access and limits are as those of the endpoints that answer. Control thread.
 */
#ifndef RPC_TRANSPORT_PUBLISHER_H
#define RPC_TRANSPORT_PUBLISHER_H

#include <stdint.h>

#include "base/error.h"
#include "event/loop.h"
#include "rpc/transport/binding.h"
#include "rpc/transport/clients.h"

#define PUBLISHER_QUEUE_MAX 1000 /* messages that wait for one subscriber */

struct publisher;

/* As endpoint_open. name, a literal, is for the log. */
struct publisher *publisher_open(void *zmq_context, const char *address,
                                 const struct endpoint_access *access, const char *name,
                                 struct loop *loop, struct error *err);

/* One message of two frames. */
void publisher_send(struct publisher *publisher, const char *topic, const void *body, size_t size);

/* How often a message met a subscriber without room that had some before: what that one misses from
 * then on, until it has read, counts no more. */
uint64_t publisher_missed(const struct publisher *publisher);

/* Once a second: as endpoint_look. */
void publisher_look(struct publisher *publisher);
/* Harmless on NULL. */
void publisher_close(struct publisher *publisher);

struct clients *publisher_clients(struct publisher *publisher);
bool publisher_has_keys(const struct publisher *publisher);

#endif
