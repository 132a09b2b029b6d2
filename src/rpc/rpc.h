/* The ZeroMQ services, as main sees them. All of it runs on the control thread.
 */
#ifndef RPC_RPC_H
#define RPC_RPC_H

#include "base/error.h"
#include "control/control.h"
#include "event/loop.h"

struct config;
struct rpc;

/* Opens the endpoints that the configuration names. config, whose settings clients
 * may change, control and loop outlive the answer. NULL with err filled when one of them cannot be
 * opened: it says which and what to do; nothing stays open then. */
struct rpc *rpc_start(struct config *config, struct control *control, struct loop *loop,
                      struct error *err);

/* Reads the clients' keys again (--zmq-curve-dir), and cuts off those who are connected when they
 * have changed. 0, or -errno with err: then the old ones hold. */
int rpc_reload(struct rpc *rpc, struct error *err);

/* Closes the endpoints and removes their ipc paths, at once: requests that still wait get no
 * answer. What control finishes later is ignored, so this may come before control_quiesce and
 * control_destroy. Harmless on NULL. */
void rpc_stop(struct rpc *rpc);

#endif
