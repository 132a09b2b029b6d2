/* The config service: what the daemon is, which relays are pinned, and the settings that change
 * while it runs. Stateless; runs on the control thread.
 */
#ifndef RPC_CONFIG_SERVICE_H
#define RPC_CONFIG_SERVICE_H

#include "config/config.h"
#include "control/control.h"
#include "rpc/event_stream.h"
#include "rpc/transport/endpoint.h"
#include "virtioforwarder.pb-c.h"

/* What the service answers from; the owner's, who keeps it as long as the endpoint. */
struct config_service {
	struct config *config; /* control's, too */
	struct control *control;
	const struct event_stream *events; /* NULL: none are kept */
};

/* service_context is a struct config_service. */
extern const struct endpoint_service config_service;

#endif
