/* Says which keys may come in: ZeroMQ's authentication protocol (ZAP, RFC 27), which libzmq speaks
 * within the process for each client that connects to a tcp endpoint with keys. Who has none of the
 * keys is turned away before any message. Control thread.
 */
#ifndef RPC_TRANSPORT_ZAP_H
#define RPC_TRANSPORT_ZAP_H

#include "base/error.h"
#include "event/loop.h"
#include "rpc/transport/curve_keys.h"

#define ZAP_DOMAIN "virtio-forwarder"

struct zap;

/* Before the endpoints are bound: without it libzmq would admit everyone. keys stays the caller's,
 * is read for each client, and outlives the answer. NULL with err. */
struct zap *zap_start(void *zmq_context, struct loop *loop, const struct curve_keys *keys,
                      struct error *err);
/* After the endpoints. Harmless on NULL. */
void zap_stop(struct zap *zap);

#endif
