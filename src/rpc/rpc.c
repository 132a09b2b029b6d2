/* The ZeroMQ services: which there are, and which the configuration opens. See rpc.h. */
#include "rpc/rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "config/config.h"
#include "rpc/endpoint.h"
#include "rpc/port_control.h"
#include "rpc/stats.h"

struct rpc {
	void *zmq; /* the context of all sockets */
	struct stats *stats;
	struct endpoint *port_control_endpoint, *stats_endpoint; /* NULL: not configured */
};

struct rpc *rpc_start(const struct config *config, struct control *control, struct loop *loop,
                      struct error *err)
{
	struct rpc *rpc = calloc(1, sizeof(*rpc));

	if (rpc == NULL) {
		error_set(err, ENOMEM, "cannot open the endpoints: out of memory");
		return NULL;
	}
	rpc->zmq = zmq_ctx_new();
	rpc->stats = stats_create(control, loop);
	if (rpc->zmq == NULL || rpc->stats == NULL) {
		error_set(err, errno, "cannot open the endpoints: %s", strerror(errno));
		goto fail;
	}
	if (config->zmq_port_control_ep != NULL) {
		rpc->port_control_endpoint =
		        endpoint_open(rpc->zmq, config->zmq_port_control_ep, &port_control_service,
		                      control, loop, err);
		if (rpc->port_control_endpoint == NULL)
			goto fail;
	}
	if (config->zmq_stats_ep != NULL) {
		rpc->stats_endpoint = endpoint_open(rpc->zmq, config->zmq_stats_ep, &stats_service,
		                                    rpc->stats, loop, err);
		if (rpc->stats_endpoint == NULL)
			goto fail;
	}
	return rpc;

fail:
	rpc_stop(rpc);
	return NULL;
}

void rpc_stop(struct rpc *rpc)
{
	if (rpc == NULL)
		return;
	endpoint_close(rpc->port_control_endpoint);
	stats_destroy(rpc->stats); /* drops replies, which its endpoint must still see */
	endpoint_close(rpc->stats_endpoint);
	if (rpc->zmq != NULL)
		zmq_ctx_term(rpc->zmq); /* at once: all sockets are closed, none lingers */
	free(rpc);
}
