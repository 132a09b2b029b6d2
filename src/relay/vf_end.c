/* The life of a relay's VF: the jobs that attach and detach it on the device thread, and what
 * becomes of it when it is lost. What is asked for, and answered, is relay_request.c's. Control
 * thread only, but for the two *_run functions.
 *
 * An attach that nobody waits for any more is undone, since its client was told that it failed; a
 * detach goes on to its end. An attach that fails because the kernel is at work on the VF (it has
 * just been bound, its PF resets it) is tried again while its client can wait.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "relay/relay.h"

#define VF_RING_SIZE 512 /* descriptors */

/* Trials of an attach, and what is between them: together less than CONTROL_ANSWER_MS, and longer
 * than a VF's reset takes (100 ms by the book). The device thread serves others meanwhile. */
#define ATTACH_TRIALS   5
#define ATTACH_PAUSE_MS 200

/* --- detach -------------------------------------------------------------------------------- */

static void detach_run(struct job *job)
{
	struct vf_job *vf_job = (struct vf_job *)job;

	/* The last word on what the NIC lost. */
	vf_health_read(&vf_job->vf, &vf_job->health);
	vf_job->rc = vf_detach(&vf_job->vf, &vf_job->leftover, &vf_job->err);
}

static void on_retry(void *context)
{
	relay_vf_attach(context);
}

/* A VF that was reset is back at once; one that left the machine may come back, or never. */
static void wait_for_return(struct relay *relay)
{
	relay->vf_phase = VF_LOST;
	loop_timer_start(relay->control->loop, &relay->retry, backoff_wait_ms(&relay->backoff),
	                 on_retry, relay);
}

/* To those who wait for the VF's end; error is NULL or says what failed on the way. */
static void answer_gone(struct relay *relay, const char *error)
{
	if (error != NULL)
		waiters_answer_error(&relay->remove_waiters, RELAY_REMOVE_SOURCE, VF_ERROR_DETACH,
		                     error);
	else
		saved_answer_all(&relay->remove_waiters);
	relay_pair_vf_gone(relay, error);
}

static void detach_done(struct job *job)
{
	struct vf_job *vf_job = (struct vf_job *)job;
	struct relay *relay = vf_job->relay;

	relay->vf_phase = VF_ABSENT;
	vf_counts_add(&relay->vf_past, &vf_job->health.counts);
	for (unsigned i = 0; i < relay->vf.n_members; i++)
		vf_counts_add(&relay->member_past[i], &vf_job->health.members[i].counts);
	memset(&relay->health, 0, sizeof(relay->health));
	relay->leftover.rx_pkts += vf_job->leftover.pkts;
	relay->leftover.rx_bytes += vf_job->leftover.bytes;
	relay->leftover.dropped_absent_pkts += vf_job->leftover.pkts;
	relay->leftover.dropped_absent_bytes += vf_job->leftover.bytes;
	if (vf_job->rc < 0)
		log_err("relay %u: %s", relay->id, vf_job->err.text);
	if (relay->lost && LIST_EMPTY(&relay->remove_waiters) && !relay->control->quiesced) {
		wait_for_return(relay);
		return;
	}
	if (vf_job->rc == 0)
		log_notice("relay %u: %s removed", relay->id, relay->device.name);
	answer_gone(relay, vf_job->rc < 0 ? vf_job->err.text : NULL);
}

void relay_vf_unplanned(struct control *control)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &control->relays[i];
		struct vf_job *vf_job = &relay->vf_job;

		if (relay->vf_phase != VF_LEAVING || relay->mending)
			continue;
		relay->vf_phase = VF_DETACHING;
		memset(vf_job, 0, sizeof(*vf_job));
		vf_job->job.run = detach_run;
		vf_job->job.done = detach_done;
		vf_job->relay = relay;
		vf_job->vf = relay->vf;
		vf_job->health = relay->health;
		job_submit(control->device_thread, &vf_job->job);
	}
}

/* With dynamic sockets it is the pair that is saved. */
static void vf_changed(struct relay *relay)
{
	if (!control_dynamic_sockets(relay->control))
		saved_changed(relay);
}

static void begin_detach(struct relay *relay)
{
	loop_timer_stop(&relay->retry);
	relay->vf_phase = VF_LEAVING;
	control_replan(relay->control);
}

void relay_vf_lost(struct relay *relay)
{
	if (relay->vf_phase == VF_ATTACHING)
		relay->lost_early = true;
	if (relay->vf_phase != VF_ATTACHED)
		return;
	if (relay->bond.n_members > 0)
		relay_bond_mend(relay);
	else
		relay_vf_return(relay);
}

void relay_vf_return(struct relay *relay)
{
	log_warn("relay %u: %s was reset by its PF or has left the machine; attaching it anew",
	         relay->id, relay->device.name);
	relay->lost = true;
	if (!backoff_lost(&relay->backoff, loop_now_ms()))
		log_notice("relay %u: %s goes again and again; it is attached later each time, "
		           "until it stays",
		           relay->id, relay->device.name);
	begin_detach(relay);
}

/* --- attach -------------------------------------------------------------------------------- */

static void attach_run(struct job *job)
{
	struct vf_job *vf_job = (struct vf_job *)job;

	if (atomic_load(&vf_job->cancelled))
		vf_job->rc =
		        error_set(&vf_job->err, VF_ERROR_PROBE, "given up before it had begun");
	else
		vf_job->rc = vf_attach(&vf_job->spec, &vf_job->params, &vf_job->vf, &vf_job->err);
}

/* False when the VF's node has no worker and the operator does not want such VFs. */
static bool node_is_acceptable(const struct relay *relay, struct error *err)
{
	const struct control *control = relay->control;
	const struct workers *workers = control->workers;

	for (unsigned i = 0; i < workers->count; i++)
		if (workers->worker[i].numa_node == relay->vf.numa_node)
			return true;
	error_set(err, EXDEV,
	          "%s is on NUMA node %d, where no worker runs: every packet would cross between "
	          "the nodes; add a CPU of that node to --cpus",
	          relay->device.name, relay->vf.numa_node);
	if (!control->config->same_numa)
		log_warn("relay %u: %s", relay->id, err->text);
	return !control->config->same_numa;
}

/* Once for each reason: it may stay away for good. */
static void say_not_back(struct relay *relay, const char *why)
{
	bool first = relay->last_failure[0] == '\0', same = strcmp(relay->last_failure, why) == 0;

	snprintf(relay->last_failure, sizeof(relay->last_failure), "%s", why);
	if (relay->awaited && first)
		log_err("relay %u: %s: %s; it is taken when it is there", relay->id,
		        relay->device.name, why);
	else if (relay->restored && first)
		log_err("relay %u: %s, which a client had added before the restart: %s; it is "
		        "tried again and again until it works or is removed",
		        relay->id, relay->device.name, why);
	else
		log_write(same ? LOG_DEBUG : LOG_INFO, "relay %u: %s is not %s yet: %s", relay->id,
		          relay->device.name, relay->awaited ? "there" : "back", why);
}

static void submit_attach(struct relay *relay)
{
	job_submit(relay->control->device_thread, &relay->vf_job.job);
}

static void on_next_trial(void *context)
{
	submit_attach(context);
}

/* Whether the attach that failed so is worth another trial; if so, that is under way. A lost VF
 * that nobody asks for is tried again anyway. */
static bool tried_again(struct relay *relay, int rc)
{
	if (rc != -EAGAIN || (relay->lost && LIST_EMPTY(&relay->add_waiters)) ||
	    relay->trials_left == 0 || relay->abandoned || relay->detach_wanted ||
	    relay->control->quiesced)
		return false;
	relay->trials_left--;
	log_info("relay %u: %s is busy, and tried again: %s", relay->id, relay->device.name,
	         relay->vf_job.err.text);
	loop_timer_start(relay->control->loop, &relay->retry, ATTACH_PAUSE_MS, on_next_trial,
	                 relay);
	return true;
}

/* What waits for its next trial ends at once: its job does nothing but come back. */
void relay_vf_give_up(struct relay *relay)
{
	atomic_store(&relay->vf_job.cancelled, true);
	if (!relay->retry.running)
		return;
	loop_timer_stop(&relay->retry);
	submit_attach(relay);
}

static void attach_done(struct job *job)
{
	struct vf_job *vf_job = (struct vf_job *)job;
	struct relay *relay = vf_job->relay;
	struct error err;

	if (tried_again(relay, vf_job->rc))
		return;
	if (vf_job->rc < 0 && relay->lost && !relay->abandoned && !relay->detach_wanted) {
		say_not_back(relay, vf_job->err.text);
		waiters_answer_error(&relay->add_waiters, relay_add_source(&relay->bond),
		                     vf_job->err.code, vf_job->err.text);
		wait_for_return(relay);
		return;
	}
	if (vf_job->rc < 0) {
		relay->vf_phase = VF_ABSENT;
		relay->awaited = false;
		/* OVSDB's side tries again and again, and tells what is new. */
		log_write(relay->owner == CONTROL_OWNER_OVSDB ? LOG_DEBUG : LOG_ERR,
		          "relay %u: %s: %s", relay->id, relay->device.name, vf_job->err.text);
		waiters_answer_error(&relay->add_waiters, relay_add_source(&relay->bond),
		                     vf_job->err.code, vf_job->err.text);
		answer_gone(relay, NULL); /* as they wanted */
		return;
	}
	relay->vf = vf_job->vf;
	relay->vf_phase = VF_ATTACHED;
	relay->mac.asked = false;
	relay->rss.set_up_for = relay->rss.vf_queues = 0;
	relay->lost = relay->awaited = false;
	relay->last_failure[0] = '\0';
	memset(&relay->health, 0, sizeof(relay->health));
	if (relay->abandoned || relay->detach_wanted) {
		begin_detach(relay);
		waiters_answer_error(&relay->add_waiters, relay_add_source(&relay->bond),
		                     VF_ERROR_PROBE, "removed again before it was ready");
		return;
	}
	if (!node_is_acceptable(relay, &err)) {
		log_err("relay %u: refused (--same-numa): %s", relay->id, err.text);
		begin_detach(relay);
		vf_changed(relay);
		waiters_answer_error(&relay->add_waiters, relay_add_source(&relay->bond),
		                     VF_ERROR_NO_MEMPOOL, err.text);
		return;
	}
	backoff_well(&relay->backoff, loop_now_ms());
	log_notice("relay %u: %s added: port %u, %u queues, MTU %u, NUMA node %d", relay->id,
	           relay->device.name, relay->vf.port_id, relay->vf.n_queues, relay->vf.mtu,
	           relay->vf.numa_node);
	relay_host_attached(relay);
	control_replan(relay->control);
	vf_changed(relay);
	saved_answer_all(&relay->add_waiters);
	relay_bond_attached(relay);
	if (relay->lost_early)
		relay_vf_lost(relay);
}

struct vf_params relay_vf_params(struct relay *relay)
{
	const struct config *config = relay->control->config;
	unsigned workers = relay->control->workers->count;
	unsigned queues = workers < VF_QUEUES_USUAL ? workers : VF_QUEUES_USUAL;

	if (config->max_queues > 0)
		queues = config->max_queues;
	return (struct vf_params){
	        .relay_id = relay->id,
	        .max_queues = (uint16_t)queues,
	        .mtu = config->jumbo ? MTU_JUMBO : MTU_USUAL,
	        .ring_size = VF_RING_SIZE,
	        .backlog = LANE_BACKLOG_VF_TO_VM,
	        .n_workers = (uint16_t)workers,
	        .no_huge = config->no_huge,
	        .bond = &relay->bond,
	        .partial = relay->lost,
	};
}

void relay_vf_attach(struct relay *relay)
{
	struct vf_job *vf_job = &relay->vf_job;

	relay->vf_phase = VF_ATTACHING;
	relay->abandoned = false;
	relay->detach_wanted = false;
	relay->lost_early = false;
	relay->trials_left = ATTACH_TRIALS - 1;
	atomic_store(&relay->lost_members, 0);
	memset(vf_job, 0, sizeof(*vf_job));
	vf_job->job.run = attach_run;
	vf_job->job.done = attach_done;
	vf_job->relay = relay;
	vf_job->spec = relay->device;
	vf_job->params = relay_vf_params(relay);
	submit_attach(relay);
}

/* --- what others have it do ----------------------------------------------------------------- */

void relay_vf_restore(struct relay *relay, const struct device_spec *device,
                      const struct bond_spec *bond)
{
	relay->device = *device;
	relay->bond = *bond;
	relay->owner = CONTROL_OWNER_CLIENT;
	relay->lost = true; /* as if it had gone while we were away */
	relay->backoff = (struct backoff){0};
	memset(relay->member_backoff, 0, sizeof(relay->member_backoff));
	relay->restored = true;
	relay_vf_attach(relay);
}

bool relay_vf_is_kept(const struct relay *relay)
{
	return relay->owner == CONTROL_OWNER_CLIENT &&
	       (relay->vf_phase == VF_ATTACHED || (relay->vf_phase != VF_ABSENT && relay->lost));
}

void relay_vf_leave(struct relay *relay)
{
	relay->lost = relay->awaited = false; /* and does not come back */
	relay->last_failure[0] = '\0';
	vf_changed(relay);
	switch (relay->vf_phase) {
	case VF_LOST:
		loop_timer_stop(&relay->retry);
		relay->vf_phase = VF_ABSENT;
		break;
	case VF_ATTACHED:
		begin_detach(relay);
		break;
	case VF_ATTACHING:
		relay->detach_wanted = true;
		relay_vf_give_up(relay);
		break;
	default: /* on its way already, or not there */
		break;
	}
}

void relay_vf_start_static(struct control *control)
{
	const struct config *config = control->config;

	for (size_t i = 0; i < config->n_static_vfs; i++) {
		struct relay *relay = &control->relays[config->static_vfs[i].relay_id];

		relay->device = config->static_vfs[i].device;
		relay->bond = config->static_vfs[i].bond;
		relay->owner = CONTROL_OWNER_CONFIG;
		relay->lost = relay->awaited = true; /* it may be bound later than we start */
		relay_vf_attach(relay);
	}
}

void relay_vf_detach_all(struct control *control)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &control->relays[i];

		if (relay->vf_phase == VF_ATTACHING) {
			relay->abandoned = true;
			relay_vf_give_up(relay);
		}
		loop_timer_stop(&relay->retry);
		if (relay->vf_phase == VF_ATTACHED)
			relay->vf_phase = VF_LEAVING;
	}
	relay_vf_unplanned(control);
}
