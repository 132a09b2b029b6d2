/* The ZeroMQ services: which there are, and which the configuration opens. See rpc.h. */
#include "rpc/rpc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "base/log.h"
#include "config/config.h"
#include "rpc/config_service.h"
#include "rpc/core_sched.h"
#include "rpc/event_stream.h"
#include "rpc/port_control.h"
#include "rpc/stats.h"
#include "rpc/transport/curve_keys.h"
#include "rpc/transport/endpoint.h"
#include "rpc/transport/memory_guard.h"
#include "rpc/transport/zap.h"
#include "sys/accounts.h"
#include "sys/open_files.h"

#define CONNECTIONS_MAX 1024 /* to one endpoint */
#define CONNECTIONS_MIN 4

#define LOOK_MS 1000

enum { PORT_CONTROL, STATS, CONFIG, CORE_SCHED, SERVICES };

struct rpc {
	void *zmq; /* the context of all sockets */
	struct stats *stats;
	struct config_service config;
	struct event_stream events;
	struct endpoint *endpoints[SERVICES]; /* NULL: not configured */
	const char *curve_dir;                /* NULL: none */
	struct curve_keys curve_keys;
	struct zap *zap; /* NULL without keys */
	struct memory_guard memory_guard;
	struct loop *loop;
	struct loop_timer look_timer;
};

/* --- what clients may take ------------------------------------------------------------------ */

/* All of them together a third at most of the descriptors that are left now: the others are for
 * guests, whose rings want three each. */
static unsigned connections_max_find(void)
{
	unsigned share = open_files_left() / 3 / (SERVICES + 1);

	if (share > CONNECTIONS_MAX)
		return CONNECTIONS_MAX;
	return share > CONNECTIONS_MIN ? share : CONNECTIONS_MIN;
}

/* The keys, and whoever asks for them. */
static int keys_start(struct rpc *rpc, const struct config *config, struct loop *loop,
                      struct error *err)
{
	rpc->curve_dir = config->zmq_curve_dir;
	if (rpc->curve_dir == NULL)
		return 0;
	if (curve_keys_load(rpc->curve_dir, &rpc->curve_keys, err) < 0)
		return error_prefix(err, "option --zmq-curve-dir: ");
	if (rpc->curve_keys.n_clients == 0)
		log_warn("%s/clients has no *.pub: no client can use the tcp endpoints",
		         rpc->curve_dir);
	rpc->zap = zap_start(rpc->zmq, loop, &rpc->curve_keys, err);
	return rpc->zap == NULL ? -err->code : 0;
}

static int access_make(const struct rpc *rpc, const struct config *config,
                       struct endpoint_access *access, struct error *err)
{
	*access = (struct endpoint_access){
	        .connections_max = connections_max_find(),
	        .curve_secret = rpc->curve_dir != NULL ? rpc->curve_keys.secret : NULL,
	};
	if (config->zmq_group == NULL)
		return 0;
	access->has_group = true;
	if (account_find_group(config->zmq_group, &access->group, err) < 0)
		return error_prefix(err, "option --zmq-group: ");
	return 0;
}

static unsigned connections_count(void *context)
{
	const struct rpc *rpc = context;
	struct clients_counts counts;
	unsigned sum = 0;

	for (unsigned i = 0; i < SERVICES; i++) {
		if (rpc->endpoints[i] == NULL)
			continue;
		clients_counts_read(endpoint_clients(rpc->endpoints[i]), &counts);
		sum += counts.connections;
	}
	if (rpc->events.publisher != NULL) {
		clients_counts_read(publisher_clients(rpc->events.publisher), &counts);
		sum += counts.connections;
	}
	return sum;
}

static void connections_cut(void *context, enum clients_blame blame)
{
	struct rpc *rpc = context;

	for (unsigned i = 0; i < SERVICES; i++)
		if (rpc->endpoints[i] != NULL)
			clients_cut(endpoint_clients(rpc->endpoints[i]), blame);
	if (rpc->events.publisher != NULL)
		clients_cut(publisher_clients(rpc->events.publisher), blame);
}

static const struct memory_guard_ops memory_guard_ops = {
        .connections = connections_count,
        .cut = connections_cut,
};

/* Paths are looked at; see endpoint_look. */
static void on_look(void *context)
{
	struct rpc *rpc = context;

	for (unsigned i = 0; i < SERVICES; i++)
		if (rpc->endpoints[i] != NULL)
			endpoint_look(rpc->endpoints[i]);
	if (rpc->events.publisher != NULL)
		publisher_look(rpc->events.publisher);
	loop_timer_start(rpc->loop, &rpc->look_timer, LOOK_MS, on_look, rpc);
}

/* --- life ----------------------------------------------------------------------------------- */

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
	struct endpoint_access access;

	if (access_make(rpc, config, &access, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < SERVICES; i++) {
		if (wanted[i].address == NULL)
			continue;
		rpc->endpoints[i] = endpoint_open(rpc->zmq, wanted[i].address, &access,
		                                  wanted[i].service, wanted[i].context, loop, err);
		if (rpc->endpoints[i] == NULL)
			return -err->code;
	}
	return event_stream_start(&rpc->events, rpc->zmq, config->zmq_events_ep, &access, loop,
	                          err);
}

struct rpc *rpc_start(struct config *config, struct control *control, struct loop *loop,
                      struct error *err)
{
	struct rpc *rpc = calloc(1, sizeof(*rpc));

	if (rpc == NULL) {
		error_set(err, ENOMEM, "cannot open the endpoints: out of memory");
		return NULL;
	}
	rpc->config = (struct config_service){
	        .config = config, .control = control, .events = &rpc->events};
	rpc->loop = loop;
	rpc->zmq = zmq_ctx_new();
	rpc->stats = stats_create(control, loop);
	if (rpc->zmq == NULL || rpc->stats == NULL) {
		error_set(err, errno, "cannot open the endpoints: %s", strerror(errno));
		goto fail;
	}
	if (keys_start(rpc, config, loop, err) < 0 ||
	    open_endpoints(rpc, config, control, loop, err) < 0)
		goto fail;
	memory_guard_start(&rpc->memory_guard, loop, &memory_guard_ops, rpc);
	loop_timer_start(loop, &rpc->look_timer, LOOK_MS, on_look, rpc);
	return rpc;

fail:
	rpc_stop(rpc);
	return NULL;
}

int rpc_reload(struct rpc *rpc, struct error *err)
{
	struct curve_keys keys;
	bool same;

	if (rpc->curve_dir == NULL)
		return 0;
	if (curve_keys_load(rpc->curve_dir, &keys, err) < 0)
		return -err->code;
	if (memcmp(keys.secret, rpc->curve_keys.secret, sizeof(keys.secret)) != 0)
		log_warn("%s/server.key has changed: that takes a restart", rpc->curve_dir);
	same = curve_keys_same_clients(&keys, &rpc->curve_keys);
	memcpy(keys.secret, rpc->curve_keys.secret, sizeof(keys.secret));
	curve_keys_free(&rpc->curve_keys);
	rpc->curve_keys = keys;
	log_notice("%zu clients have keys", keys.n_clients);
	explicit_bzero(&keys, sizeof(keys));

	/* Keys are asked for when a client connects: those whose key has gone must not stay. */
	for (unsigned i = 0; !same && i < SERVICES; i++)
		if (rpc->endpoints[i] != NULL && endpoint_has_keys(rpc->endpoints[i]))
			clients_cut(endpoint_clients(rpc->endpoints[i]), CLIENTS_ALL);
	if (!same && rpc->events.publisher != NULL && publisher_has_keys(rpc->events.publisher))
		clients_cut(publisher_clients(rpc->events.publisher), CLIENTS_ALL);
	return 0;
}

void rpc_stop(struct rpc *rpc)
{
	if (rpc == NULL)
		return;
	memory_guard_stop(&rpc->memory_guard);
	loop_timer_stop(&rpc->look_timer);
	stats_destroy(rpc->stats); /* drops replies, which its endpoint must still see */
	for (unsigned i = 0; i < SERVICES; i++)
		endpoint_close(rpc->endpoints[i]);
	event_stream_stop(&rpc->events);
	zap_stop(rpc->zap);
	curve_keys_free(&rpc->curve_keys);
	if (rpc->zmq != NULL)
		zmq_ctx_term(rpc->zmq); /* at once: all sockets are closed, none lingers */
	free(rpc);
}
