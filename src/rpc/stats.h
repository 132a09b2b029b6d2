/* The stats service: what relays do. Runs on the control thread.
 */
#ifndef RPC_STATS_H
#define RPC_STATS_H

#include "control/control.h"
#include "event/loop.h"
#include "rpc/transport/endpoint.h"

#define STATS_DELAY_MAX_MS 10000
/* Requests that may wait for the end of their delay: of all, of one connection. Those without a
 * delay are answered beside them. */
#define STATS_DELAYED_MAX            (ENDPOINT_REPLIES_MAX - 64)
#define STATS_CONNECTION_DELAYED_MAX (ENDPOINT_CONNECTION_REPLIES_MAX / 2)

struct stats;

struct stats *stats_create(struct control *control, struct loop *loop); /* NULL + errno */
/* Requests that wait for their delay are dropped. Harmless on NULL. */
void stats_destroy(struct stats *stats);

/* service_context is the struct stats. */
extern const struct endpoint_service stats_service;

#endif
