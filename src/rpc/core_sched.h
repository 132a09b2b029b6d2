/* The core_sched service: pins relays to workers for a scheduler outside, and tells which workers
 * there are. Stateless; runs on the control thread.
 */
#ifndef RPC_CORE_SCHED_H
#define RPC_CORE_SCHED_H

#include "control/control.h"
#include "rpc/transport/endpoint.h"
#include "virtioforwarder.pb-c.h"

/* service_context is the struct control. */
extern const struct endpoint_service core_sched_service;

#endif
