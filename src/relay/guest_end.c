/* The life of a relay's guest end: its socket, which is open from the start or, with dynamic
 * sockets, from ADD_SOCK to REMOVE_SOCK, and the guests that come and go behind it. Control thread
 * only, but for the *_run functions, which the guest thread runs.
 *
 * A socket ends in this order: no guest is admitted any more (guest_refuse), its lanes leave the
 * plans, and only then it is closed. The vhost library would wait for ever for a worker that is
 * still in one of the guest's queues.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "relay/relay.h"
#include "sys/accounts.h"
#include "sys/socket_file.h"

/* How long a shutdown waits for the sockets before it leaves them to the kernel. */
#define CLOSE_ALL_MS 500

static const struct guest_state nobody = {.numa_node = -1};

/* --- guests -------------------------------------------------------------------------------- */

static void log_guest(struct relay *relay, const struct guest_state *before)
{
	const struct guest_state *now = &relay->guest;
	struct log_limit *limit = &relay->guest_log;

	if (before->connected && (!now->connected || now->sessions != before->sessions))
		log_write_limited(limit, LOG_NOTICE, "relay %u: the guest has left", relay->id);
	if (now->connected && (!before->connected || now->sessions != before->sessions))
		log_write_limited(
		        limit, LOG_NOTICE,
		        "relay %u: a guest is here, features 0x%llx, memory on NUMA node %d",
		        relay->id, (unsigned long long)now->features, now->numa_node);
	if (now->connected &&
	    (now->rx_queues != before->rx_queues || now->tx_queues != before->tx_queues))
		log_write_limited(limit, LOG_INFO,
		                  "relay %u: the guest receives on queues 0x%x and sends on 0x%x",
		                  relay->id, now->rx_queues, now->tx_queues);
}

void relay_guest_changed(struct relay *relay)
{
	struct guest_state before = relay->guest;

	if (relay->guest_phase != GUEST_OPEN) /* of a socket that is coming or going */
		return;
	guest_read(relay->id, &relay->guest);
	log_guest(relay, &before);
}

/* --- opening and closing --------------------------------------------------------------------- */

static void open_run(struct job *job)
{
	struct guest_job *guest_job = (struct guest_job *)job;

	guest_job->rc = guest_open(&guest_job->params, &guest_job->err);
}

static void open_done(struct job *job)
{
	struct guest_job *guest_job = (struct guest_job *)job;
	struct relay *relay = guest_job->relay;

	if (guest_job->rc < 0) {
		relay->guest_phase = GUEST_CLOSED;
		relay_pair_opened(relay, guest_job->err.text);
		return;
	}
	relay->guest_phase = GUEST_OPEN;
	relay_guest_changed(relay); /* a guest may have been quicker */
	control_replan(relay->control);
	relay_pair_opened(relay, NULL);
}

static void close_run(struct job *job)
{
	guest_close(((struct guest_job *)job)->params.relay_id);
}

static void close_done(struct job *job)
{
	struct relay *relay = ((struct guest_job *)job)->relay;

	relay->guest_phase = GUEST_CLOSED;
	relay_pair_closed(relay);
}

static void submit(struct relay *relay, enum guest_phase phase, void (*run)(struct job *),
                   void (*done)(struct job *))
{
	struct guest_job *guest_job = &relay->guest_job;

	relay->guest_phase = phase;
	memset(guest_job, 0, sizeof(*guest_job));
	guest_job->job.run = run;
	guest_job->job.done = done;
	guest_job->relay = relay;
	guest_job->params = relay->control->guest_params;
	guest_job->params.relay_id = relay->id;
	memcpy(guest_job->params.path, relay->socket_path, sizeof(relay->socket_path));
	job_submit(relay->control->guest_thread, &guest_job->job);
}

void relay_guest_open(struct relay *relay)
{
	submit(relay, GUEST_OPENING, open_run, open_done);
}

void relay_guest_leave(struct relay *relay)
{
	struct guest_state before = relay->guest;

	relay->guest_phase = GUEST_LEAVING;
	guest_refuse(relay->id);
	relay->guest = nobody;
	log_guest(relay, &before);
	control_replan(relay->control);
}

void relay_guest_unplanned(struct control *control)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		if (control->relays[i].guest_phase == GUEST_LEAVING)
			submit(&control->relays[i], GUEST_CLOSING, close_run, close_done);
}

/* --- all of them ----------------------------------------------------------------------------- */

static int fill_guest_params(struct control *control, struct error *err)
{
	const struct config *config = control->config;
	struct guest_params *params = &control->guest_params;

	params->client = config->vhost_client;
	params->mrgbuf = config->mrgbuf;
	params->owner = (uid_t)-1;
	params->group = (gid_t)-1;
	if (config->vhost_username != NULL &&
	    account_find_user(config->vhost_username, &params->owner, err) < 0)
		return -err->code;
	if (config->vhost_groupname != NULL &&
	    account_find_group(config->vhost_groupname, &params->group, err) < 0)
		return -err->code;
	return 0;
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
static int open_all(struct control *control, struct error *err)
{
	struct guest_params params = control->guest_params;
	unsigned n_open = 0;

	if (!params.client && socket_file_make_directory(control->config->vhost_path, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &control->relays[i];

		params.relay_id = i;
		if (make_socket_path(control->config, i, params.path) < 0)
			return error_set(err, ENAMETOOLONG,
			                 "the sockets' names in %s are too "
			                 "long (%d bytes at most)",
			                 control->config->vhost_path, GUEST_PATH_MAX - 1);
		memcpy(relay->socket_path, params.path, sizeof(relay->socket_path));
		if (guest_open(&params, err) < 0) {
			log_err("relay %u: no socket: %s", i, err->text);
			continue;
		}
		relay->guest_phase = GUEST_OPEN;
		n_open++;
	}
	if (n_open == 0)
		return error_prefix(err, "no relay has a socket, the last one because: ");
	return 0;
}

int relay_guest_start(struct control *control, struct error *err)
{
	int rc = fill_guest_params(control, err);

	if (rc < 0 || control_dynamic_sockets(control))
		return rc;
	return open_all(control, err);
}

void relay_guest_refuse_all(struct control *control)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		if (control->relays[i].guest_phase == GUEST_CLOSED)
			continue;
		guest_refuse(i);
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

bool relay_guest_close_all(struct control *control)
{
	static struct job job; /* outlives this call when the thread hangs */

	if (control->guest_thread == NULL)
		return true;
	job.run = close_all_run;
	job.done = close_all_done;
	job_submit(control->guest_thread, &job);
	return job_thread_drain(control->guest_thread, CLOSE_ALL_MS);
}
