/* The life of a relay's guest end. See guest_life.h; what follows from what is guest_end_step's.
 * Control thread only, but for the *_run functions, which the guest thread runs.
 *
 * A socket ends in this order: no guest is admitted any more (guest_refuse), its lanes leave the
 * plans, and only then it is closed. The vhost library would wait for ever for a worker that is
 * still in one of the guest's queues.
 */
#include "relay/guest_life.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/container_of.h"
#include "base/log.h"
#include "config/config.h"
#include "events/events.h"
#include "relay/mtu.h"
#include "relay/socket_owner.h"

/* How long a shutdown waits for the sockets before it leaves them to the kernel. */
#define CLOSE_ALL_MS 500

static const struct guest_state nobody = {.numa_node = -1};

static struct relay *relay_of_job(struct job *job)
{
	return CONTAINER_OF(CONTAINER_OF(job, struct guest_job, job), struct relay, guest_end.job);
}

/* --- guests -------------------------------------------------------------------------------- */

static void tell_socket(struct relay *relay, enum event_id id, const char *what)
{
	events_tell(&(struct event){.id = id,
	                            .relay = (int)relay->id,
	                            .values = {{EVENT_FIELD_SOCKET, 0, relay->guest_end.path}}},
	            &relay->guest_end.log, "relay %u: %s", relay->id, what);
}

static void tell_ready(struct relay *relay, const struct guest_state *now)
{
	events_tell(&(struct event){.id = EVENT_DRIVER_READY,
	                            .relay = (int)relay->id,
	                            .values = {{EVENT_FIELD_SOCKET, 0, relay->guest_end.path},
	                                       {EVENT_FIELD_FEATURES, (int64_t)now->features, NULL},
	                                       {EVENT_FIELD_RX_QUEUES, now->rx_queues, NULL},
	                                       {EVENT_FIELD_TX_QUEUES, now->tx_queues, NULL},
	                                       {EVENT_FIELD_NUMA_NODE, now->numa_node, NULL}}},
	            &relay->guest_end.log,
	            "relay %u: a guest is here, features 0x%llx, memory on NUMA node %d", relay->id,
	            (unsigned long long)now->features, now->numa_node);
}

static void tell_queues(struct relay *relay, const struct guest_state *now)
{
	events_tell(&(struct event){.id = EVENT_QUEUES_CHANGED,
	                            .relay = (int)relay->id,
	                            .values = {{EVENT_FIELD_RX_QUEUES, now->rx_queues, NULL},
	                                       {EVENT_FIELD_TX_QUEUES, now->tx_queues, NULL}}},
	            &relay->guest_end.log,
	            "relay %u: the guest receives on queues 0x%x and sends on 0x%x", relay->id,
	            now->rx_queues, now->tx_queues);
}

static void tell_guest(struct relay *relay, const struct guest_state *before)
{
	const struct guest_state *now = &relay->guest_end.guest;
	bool another = now->sessions != before->sessions;

	if (now->front_end && !before->front_end)
		tell_socket(relay, EVENT_GUEST_CONNECTED, "a front end has connected");
	if (before->connected && (!now->connected || another))
		tell_socket(relay, EVENT_DRIVER_RESET, "the guest has left");
	if (before->front_end && !now->front_end)
		tell_socket(relay, EVENT_GUEST_GONE, "the front end has gone");
	if (now->connected && (!before->connected || another))
		tell_ready(relay, now);
	if (now->connected &&
	    (now->rx_queues != before->rx_queues || now->tx_queues != before->tx_queues))
		tell_queues(relay, now);
}

bool guest_life_changed(struct relay *relay)
{
	struct guest_state before = relay->guest_end.guest, now;
	bool another;

	/* Of a socket that is coming or going, or is not wanted. */
	if (relay->guest_end.phase != GUEST_OPEN || relay->kernel_end.phase == KERNEL_UP)
		return false;
	guest_read(relay->id, &now);
	another = before.connected && now.connected && now.sessions != before.sessions;
	relay->guest_end.guest = another ? nobody : now;
	if (!another && now.connected)
		guest_admit(relay->id, now.sessions);
	tell_guest(relay, &before);
	mtu_compare(relay);
	relay_changed(relay);
	return another;
}

static void refuse_guest(struct relay *relay)
{
	struct guest_state before = relay->guest_end.guest;

	guest_refuse(relay->id);
	if (relay->kernel_end.phase != KERNEL_UP) { /* else no guest has been served */
		relay->guest_end.guest = nobody;
		tell_guest(relay, &before);
	}
	relay_changed(relay);
}

/* --- opening and closing --------------------------------------------------------------------- */

static void open_run(struct job *job)
{
	struct guest_job *guest_job = CONTAINER_OF(job, struct guest_job, job);

	guest_job->rc = guest_open(&guest_job->params, &guest_job->err);
}

static void close_run(struct job *job)
{
	guest_close(CONTAINER_OF(job, struct guest_job, job)->params.relay_id);
}

static void open_done(struct job *job);
static void close_done(struct job *job);

void guest_life_submit(struct relay *relay, struct guest_job *guest_job, void (*run)(struct job *),
                       void (*done)(struct job *))
{
	memset(guest_job, 0, sizeof(*guest_job));
	guest_job->job.run = run;
	guest_job->job.done = done;
	guest_job->params = relay->relays->guest_params;
	guest_job->params.relay_id = relay->id;
	memcpy(guest_job->params.path, relay->guest_end.path, sizeof(relay->guest_end.path));
	job_submit(relay->relays->guest_thread, &guest_job->job);
}

static void submit(struct relay *relay, void (*run)(struct job *), void (*done)(struct job *))
{
	guest_life_submit(relay, &relay->guest_end.job, run, done);
}

static void take(struct relay *relay, enum guest_event event)
{
	struct guest_step step = guest_end_step(relay->guest_end.phase, event);

	relay->guest_end.phase = step.next;
	switch (step.action) {
	case GUEST_ACTION_OPEN:
		submit(relay, open_run, open_done);
		break;
	case GUEST_ACTION_ANNOUNCE:
		relay->guest_end.file.state = SOCKET_NAME_WELL;
		(void)guest_life_changed(relay); /* a guest may have been quicker */
		relay->relays->reports.socket_opened(relay, NULL);
		break;
	case GUEST_ACTION_FAIL:
		relay->relays->reports.socket_opened(relay, relay->guest_end.job.err.text);
		break;
	case GUEST_ACTION_UNPLAN:
		refuse_guest(relay);
		break;
	case GUEST_ACTION_CLOSE:
		submit(relay, close_run, close_done);
		break;
	case GUEST_ACTION_END:
		relay->relays->reports.socket_closed(relay);
		break;
	case GUEST_ACTION_NONE:
		break;
	}
}

static void open_done(struct job *job)
{
	struct relay *relay = relay_of_job(job);

	take(relay, relay->guest_end.job.rc < 0 ? GUEST_EVENT_OPEN_FAILED : GUEST_EVENT_OPENED);
}

static void close_done(struct job *job)
{
	take(relay_of_job(job), GUEST_EVENT_CLOSED);
}

void guest_life_open(struct relay *relay)
{
	take(relay, GUEST_EVENT_OPEN);
}

void guest_life_close(struct relay *relay)
{
	take(relay, GUEST_EVENT_CLOSE);
}

void guest_life_unplanned(struct relay *relay)
{
	take(relay, GUEST_EVENT_UNPLANNED);
}

/* --- all of them ----------------------------------------------------------------------------- */

static int fill_guest_params(struct relays *relays, struct error *err)
{
	const struct config *config = relays->config;
	struct guest_params *params = &relays->guest_params;

	params->client = config->vhost_client;
	params->mrgbuf = config->mrgbuf;
	params->tso = config->tso;
	params->mtu_max = config->jumbo ? MTU_JUMBO : MTU_USUAL;
	params->makes_directory = !config->dynamic_sockets; /* a client's is its own */
	if (socket_owner_find(config, &params->owner, &params->group, err) < 0)
		return -err->code;
	return socket_owner_prepare_directory(config, params->owner, params->group, err);
}

/* The pattern has exactly one %u (config checks it). */
static int make_socket_path(const struct config *config, unsigned relay_id,
                            char path[GUEST_PATH_MAX])
{
	const char *place = strstr(config->vhost_socket, "%u");
	int n = snprintf(path, GUEST_PATH_MAX, "%s/%.*s%u%s", config->vhost_path,
	                 (int)(place - config->vhost_socket), config->vhost_socket, relay_id,
	                 place + 2);

	return n < GUEST_PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* A socket that cannot be had costs its relay only; none at all is a mistake in the set-up. */
static int open_all(struct relays *relays, struct error *err)
{
	struct guest_params params = relays->guest_params;
	unsigned n_open = 0;

	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &relays->relay[i];

		params.relay_id = i;
		if (make_socket_path(relays->config, i, params.path) < 0)
			return error_set(err, ENAMETOOLONG,
			                 "the sockets' names in %s are too "
			                 "long (%d bytes at most)",
			                 relays->config->vhost_path, GUEST_PATH_MAX - 1);
		memcpy(relay->guest_end.path, params.path, sizeof(params.path));
		if (guest_open(&params, err) < 0) {
			log_err("relay %u: no socket: %s", i, err->text);
			continue;
		}
		relay->guest_end.phase = GUEST_OPEN;
		n_open++;
	}
	if (n_open == 0)
		return error_prefix(err, "no relay has a socket, the last one because: ");
	return 0;
}

int guest_life_start(struct relays *relays, struct error *err)
{
	int rc = fill_guest_params(relays, err);

	if (rc < 0 || relays->config->dynamic_sockets)
		return rc;
	return open_all(relays, err);
}

void guest_life_refuse_all(struct relays *relays)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		const struct guest_end *end = &relays->relay[i].guest_end;

		if (end->phase == GUEST_CLOSED)
			continue;
		guest_refuse(i);
		/* What the guest thread is at work on goes with its closing. */
		if (end->phase == GUEST_OPEN && !end->file.busy)
			guest_unlink(i);
	}
}

static void close_all_run(struct job *job)
{
	(void)job;
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		guest_close(i); /* harmless on what is closed */
}

static void close_all_done(struct job *job)
{
	(void)job;
}

bool guest_life_close_all(struct relays *relays)
{
	/* Among the relays, since it outlives this call when the thread hangs. */
	struct job *job = &relays->close_all;

	if (relays->guest_thread == NULL)
		return true;
	job->run = close_all_run;
	job->done = close_all_done;
	job_submit(relays->guest_thread, job);
	return job_thread_drain(relays->guest_thread, CLOSE_ALL_MS);
}
