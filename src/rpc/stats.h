/* The stats service: what relays do. Runs on the control thread.
 */
#ifndef RPC_STATS_H
#define RPC_STATS_H

#include "control/control.h"
#include "control/loop.h"
#include "rpc/endpoint.h"

#define STATS_DELAY_MAX_MS 10000
#define STATS_DELAYED_MAX  128 /* requests that may wait for the end of their delay */

struct stats;

struct stats *stats_create(struct control *control, struct loop *loop); /* NULL + errno */
/* Requests that wait for their delay are dropped. Harmless on NULL. */
void stats_destroy(struct stats *stats);

/* service_context is the struct stats. */
extern const struct endpoint_service stats_service;

#endif
