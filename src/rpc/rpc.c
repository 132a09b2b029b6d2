/* The ZeroMQ services: which there are, and which the configuration opens. See rpc.h. */
#include "rpc/rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "config/config.h"
#include "rpc/config_service.h"
#include "rpc/core_sched.h"
#include "rpc/endpoint.h"
#include "rpc/port_control.h"
#include "rpc/stats.h"

enum { PORT_CONTROL, STATS, CONFIG, CORE_SCHED, SERVICES };

struct rpc {
	void *zmq; /* the context of all sockets */
	struct stats *stats;
	struct config_service config;
	struct endpoint *endpoints[SERVICES]; /* NULL: not configured */
};

static int open_endpoints(struct rpc *rpc, const struct config *config, struct control *control,
                          struct loop *loop, struct error *err)
{
	const struct {
		const char *address;
		const struct endpoint_service *service;
		void *context;
	} wanted[SERVICES] = {
	        [PORT_CONTROL] = {config->zmq_port_control_ep, &port_control_service, control},
	        [STATS] = {config->zmq_stats_ep, &stats_service, rpc->stats},
	        [CONFIG] = {config->zmq_config_ep, &config_service, &rpc->config},
	        [CORE_SCHED] = {config->zmq_core_sched_ep, &core_sched_service, control},
	};

	for (unsigned i = 0; i < SERVICES; i++) {
		if (wanted[i].address == NULL)
			continue;
		rpc->endpoints[i] = endpoint_open(rpc->zmq, wanted[i].address, wanted[i].service,
		                                  wanted[i].context, loop, err);
		if (rpc->endpoints[i] == NULL)
			return -err->code;
	}
	return 0;
}

struct rpc *rpc_start(const struct config *config, struct control *control, struct loop *loop,
                      struct error *err)
{
	struct rpc *rpc = calloc(1, sizeof(*rpc));

	if (rpc == NULL) {
		error_set(err, ENOMEM, "cannot open the endpoints: out of memory");
		return NULL;
	}
	rpc->config = (struct config_service){.config = config, .control = control};
	rpc->zmq = zmq_ctx_new();
	rpc->stats = stats_create(control, loop);
	if (rpc->zmq == NULL || rpc->stats == NULL) {
		error_set(err, errno, "cannot open the endpoints: %s", strerror(errno));
		goto fail;
	}
	if (open_endpoints(rpc, config, control, loop, err) < 0)
		goto fail;
	return rpc;

fail:
	rpc_stop(rpc);
	return NULL;
}

void rpc_stop(struct rpc *rpc)
{
	if (rpc == NULL)
		return;
	stats_destroy(rpc->stats); /* drops replies, which its endpoint must still see */
	for (unsigned i = 0; i < SERVICES; i++)
		endpoint_close(rpc->endpoints[i]);
	if (rpc->zmq != NULL)
		zmq_ctx_term(rpc->zmq); /* at once: all sockets are closed, none lingers */
	free(rpc);
}
