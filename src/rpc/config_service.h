/* The config service: what the daemon is and which relays are pinned. Stateless; runs on the
 * control thread.
 */
#ifndef RPC_CONFIG_SERVICE_H
#define RPC_CONFIG_SERVICE_H

#include "config/config.h"
#include "control/control.h"
#include "rpc/transport/endpoint.h"
#include "virtioforwarder.pb-c.h"

/* What the service answers from; the owner's, who keeps it as long as the endpoint. */
struct config_service {
	const struct config *config;
	const struct control *control;
};

/* service_context is a struct config_service. */
extern const struct endpoint_service config_service;

#endif
