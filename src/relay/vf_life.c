/* The life of a relay's VF. See vf_life.h; what follows from what is vf_end_step's. Control thread
 * only, but for the two *_run functions.
 *
 * An attach that nobody waits for any more is undone, since its client was told that it failed; a
 * detach goes on to its end. An attach that fails because the kernel is at work on the VF (it has
 * just been bound, its PF resets it) is tried again while its client can wait.
 */
#include "relay/vf_life.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/sizes.h"
#include "config/config.h"
#include "config/eal_args.h"
#include "events/events.h"
#include "relay/kernel_life.h"

#define VF_QUEUES_DEFAULT 4

/* Trials of an attach, and what is between them: together less than WAITER_MS, and longer than a
 * VF's reset takes (100 ms by the book). The device thread serves others meanwhile. */
#define ATTACH_TRIALS   5
#define ATTACH_PAUSE_MS 200

static struct relay *relay_of_job(struct job *job)
{
	return CONTAINER_OF(CONTAINER_OF(job, struct vf_job, job), struct relay, vf_end.job);
}

/* With dynamic sockets it is the pair that is kept. */
static void vf_changed(struct relay *relay)
{
	if (!relay->relays->config->dynamic_sockets)
		relay_keep(relay);
}

/* --- the device thread's jobs ---------------------------------------------------------------- */

static void submit_job(struct relay *relay)
{
	job_submit(relay->relays->device_thread, &relay->vf_end.job.job);
}

static void attach_run(struct job *job)
{
	struct vf_job *vf_job = CONTAINER_OF(job, struct vf_job, job);

	if (atomic_load(&vf_job->cancelled))
		vf_job->rc =
		        error_set(&vf_job->err, VF_ERROR_PROBE, "given up before it had begun");
	else
		vf_job->rc = kernel_life_attach(vf_job);
}

static void detach_run(struct job *job)
{
	struct vf_job *vf_job = CONTAINER_OF(job, struct vf_job, job);

	guest_kernel_set_link(vf_job->params.relay_id, false);
	/* The last word on what the NIC lost. */
	vf_health_read(&vf_job->vf, &vf_job->health);
	vf_job->rc = vf_detach(&vf_job->vf, &vf_job->leftover, &vf_job->err);
}

static void attach_done(struct job *job);
static void detach_done(struct job *job);

struct vf_params vf_life_params(struct relay *relay)
{
	const struct config *config = relay->relays->config;
	unsigned workers = relay->relays->workers->count;
	unsigned queues = workers < VF_QUEUES_DEFAULT ? workers : VF_QUEUES_DEFAULT;

	if (config->max_queues > 0)
		queues = config->max_queues;
	return (struct vf_params){
	        .relay_id = relay->id,
	        .max_queues = (uint16_t)queues,
	        .tso = relay->relays->config->tso,
	        .mtu = config->jumbo ? 9000 : 2100,
	        .ring_size = SIZES_RING,
	        .backlog = LANE_BACKLOG_VF_TO_VM,
	        .n_workers = (uint16_t)workers,
	        .rx_interrupts = config_workers_sleep(config) &&
	                         strcmp(config->idle_vf_interrupts, "auto") == 0,
	        .no_huge = config->no_huge,
	        .huge_dir = eal_args_huge_dir(config),
	        .bond = &relay->vf_end.bond,
	        .partial =
	                relay->vf_end.wish == VF_WISH_KEEP || relay->vf_end.wish == VF_WISH_AWAIT,
	};
}

static void begin_attach(struct relay *relay)
{
	struct vf_end *end = &relay->vf_end;

	end->trials_left = ATTACH_TRIALS - 1;
	atomic_store(&end->lost_members, 0);
	memset(&end->job, 0, sizeof(end->job));
	end->job.job.run = attach_run;
	end->job.job.done = attach_done;
	end->job.spec = end->device;
	end->job.far = end->far;
	end->job.far_is_there = relay->kernel_end.phase == KERNEL_UP;
	end->job.params = vf_life_params(relay);
	submit_job(relay);
}

static void begin_detach(struct relay *relay)
{
	struct vf_end *end = &relay->vf_end;

	memset(&end->job, 0, sizeof(end->job));
	end->job.job.run = detach_run;
	end->job.job.done = detach_done;
	end->job.params.relay_id = relay->id;
	end->job.vf = end->vf;
	end->job.health = end->health;
	submit_job(relay);
}

/* What waits for its next trial ends at once: its job does nothing but come back. */
static void cancel_attach(struct relay *relay)
{
	atomic_store(&relay->vf_end.job.cancelled, true);
	if (!relay->vf_end.retry.running)
		return;
	loop_timer_stop(&relay->vf_end.retry);
	submit_job(relay);
}

static void on_retry(void *context)
{
	vf_life_retry(context);
}

/* Takes the step, and does of its action what needs no more than the relay. */
static enum vf_action take(struct relay *relay, enum vf_event event)
{
	struct vf_end *end = &relay->vf_end;
	struct vf_step step = vf_end_step((struct vf_state){end->phase, end->wish}, event);

	end->phase = step.next.phase;
	end->wish = step.next.wish;
	switch (step.action) {
	case VF_ACTION_ATTACH:
		begin_attach(relay);
		break;
	case VF_ACTION_CANCEL:
		cancel_attach(relay);
		break;
	case VF_ACTION_UNPLAN:
		loop_timer_stop(&end->retry);
		relay_changed(relay);
		break;
	case VF_ACTION_DETACH:
		begin_detach(relay);
		break;
	case VF_ACTION_WAIT: /* one that was reset is back at once, another maybe never */
		loop_timer_start(relay->relays->loop, &end->retry, backoff_wait_ms(&end->backoff),
		                 on_retry, relay);
		break;
	case VF_ACTION_END:
		loop_timer_stop(&end->retry);
		kernel_life_settle_socket(relay);
		break;
	case VF_ACTION_NONE:
	case VF_ACTION_ANNOUNCE:
		break;
	}
	return step.action;
}

/* --- detach -------------------------------------------------------------------------------- */

/* error is NULL, or says what failed on the way. */
static void answer_removers(struct relay *relay, const char *error)
{
	if (error != NULL)
		waiters_fail(&relay->vf_end.removers, OUTCOME_DETACH_FAILED, error);
	else
		relay_answer_kept(relay, &relay->vf_end.removers);
	relay->relays->reports.vf_gone(relay, error);
}

/* What the VF has counted outlives it. */
static void keep_counts(struct vf_end *end, const struct vf_job *vf_job)
{
	vf_counts_add(&end->past, &vf_job->health.counts);
	for (unsigned i = 0; i < end->vf.n_members; i++)
		vf_counts_add(&end->mending.past[i], &vf_job->health.members[i].counts);
	memset(&end->health, 0, sizeof(end->health));
	end->leftover.rx_pkts += vf_job->leftover.pkts;
	end->leftover.rx_bytes += vf_job->leftover.bytes;
	end->leftover.dropped_absent_pkts += vf_job->leftover.pkts;
	end->leftover.dropped_absent_bytes += vf_job->leftover.bytes;
	end->leftover.absent[ABSENT_LEFT].pkts += vf_job->leftover.pkts;
	end->leftover.absent[ABSENT_LEFT].bytes += vf_job->leftover.bytes;
}

static void detach_done(struct job *job)
{
	struct relay *relay = relay_of_job(job);
	struct vf_end *end = &relay->vf_end;
	bool failed = end->job.rc < 0;

	keep_counts(end, &end->job);
	if (failed)
		log_err("relay %u: %s", relay->id, end->job.err.text);
	if (take(relay, VF_EVENT_DETACHED) != VF_ACTION_END)
		return;
	if (!failed)
		events_tell(&(struct event){.id = EVENT_VF_REMOVED,
		                            .relay = (int)relay->id,
		                            .values = {{EVENT_FIELD_DEVICE, 0, end->device.name}}},
		            EVENT_UNLIMITED, "relay %u: %s removed", relay->id, end->device.name);
	answer_removers(relay, failed ? end->job.err.text : NULL);
}

void vf_life_unplanned(struct relay *relay)
{
	if (!relay->vf_end.mending.busy)
		take(relay, VF_EVENT_UNPLANNED);
}

void vf_life_return(struct relay *relay)
{
	struct vf_end *end = &relay->vf_end;

	events_tell(&(struct event){.id = EVENT_VF_LOST,
	                            .relay = (int)relay->id,
	                            .values = {{EVENT_FIELD_DEVICE, 0, end->device.name}}},
	            EVENT_UNLIMITED,
	            "relay %u: %s was reset by its PF or has left the machine; attaching it anew",
	            relay->id, end->device.name);
	if (!backoff_lost(&end->backoff, clock_now_ms()))
		log_notice("relay %u: %s goes again and again; it is attached later each time, "
		           "until it stays",
		           relay->id, end->device.name);
	take(relay, VF_EVENT_LOST);
}

/* --- attach -------------------------------------------------------------------------------- */

/* False when the VF's node has no worker and the operator does not want such VFs. */
static bool node_is_acceptable(const struct relay *relay, struct error *err)
{
	const struct relays *relays = relay->relays;
	const struct vf_end *end = &relay->vf_end;

	for (unsigned i = 0; i < relays->workers->count; i++)
		if (relays->workers->worker[i].numa_node == end->vf.numa_node)
			return true;
	error_set(err, EXDEV,
	          "%s is on NUMA node %d, where no worker runs: every packet would cross between "
	          "the nodes; add a CPU of that node to --cpus",
	          end->device.name, end->vf.numa_node);
	if (!relays->config->same_numa)
		log_warn("relay %u: %s", relay->id, err->text);
	return !relays->config->same_numa;
}

/* Of a reason what comes after the device's name, which the log has in front. */
static const char *reason_alone(const struct vf_end *end, const char *why)
{
	size_t len = strlen(end->device.name);

	return strncmp(why, end->device.name, len) == 0 && string_starts_with(why + len, ": ")
	               ? why + len + 2
	               : why;
}

/* why names the device, or not; consequence follows it. */
static void tell_failure(const struct relay *relay, const char *why, const char *before,
                         const char *consequence)
{
	const struct vf_end *end = &relay->vf_end;
	const char *reason = reason_alone(end, why);

	events_tell(&(struct event){.id = EVENT_VF_FAILED,
	                            .relay = (int)relay->id,
	                            .values = {{EVENT_FIELD_DEVICE, 0, end->device.name},
	                                       {EVENT_FIELD_REASON, 0, reason}}},
	            EVENT_UNLIMITED, "relay %u: %s%s: %s%s", relay->id, end->device.name, before,
	            reason, consequence);
}

/* Once for each reason: it may stay away for good. */
static void log_absence(struct relay *relay, const char *why)
{
	struct vf_end *end = &relay->vf_end;
	bool first = end->last_failure[0] == '\0', same = strcmp(end->last_failure, why) == 0;
	bool awaited = end->wish == VF_WISH_AWAIT;

	snprintf(end->last_failure, sizeof(end->last_failure), "%s", why);
	if (awaited && first)
		tell_failure(relay, why, "", "; it is taken when it is there");
	else if (end->origin == VF_ORIGIN_RESTORED && first)
		tell_failure(relay, why, ", which a client had added before the restart",
		             "; it is tried again and again until it works or is removed");
	else
		log_write(same ? LOG_DEBUG : LOG_INFO, "relay %u: %s is not %s yet: %s", relay->id,
		          end->device.name, awaited ? "there" : "back", reason_alone(end, why));
}

static void on_next_trial(void *context)
{
	submit_job(context);
}

/* A lost VF that nobody asks for is tried again anyway. */
static bool is_worth_another_trial(const struct relay *relay, int rc)
{
	const struct vf_end *end = &relay->vf_end;

	return rc == -EAGAIN && end->trials_left > 0 && end->wish != VF_WISH_NONE &&
	       (end->wish == VF_WISH_ONCE || !TAILQ_EMPTY(&end->adders)) &&
	       !relay->relays->quiesced;
}

static void try_again(struct relay *relay)
{
	struct vf_end *end = &relay->vf_end;

	end->trials_left--;
	log_info("relay %u: %s is busy, and tried again: %s", relay->id, end->device.name,
	         reason_alone(end, end->job.err.text));
	loop_timer_start(relay->relays->loop, &end->retry, ATTACH_PAUSE_MS, on_next_trial, relay);
}

static void answer_failed_attach(struct relay *relay)
{
	struct vf_end *end = &relay->vf_end;
	struct outcome outcome = {.reason = OUTCOME_ATTACH_FAILED, .vf_error = end->job.err.code};

	snprintf(outcome.text, sizeof(outcome.text), "%s", end->job.err.text);
	waiters_answer(&end->adders, &outcome);
}

static void attach_failed(struct relay *relay)
{
	struct vf_end *end = &relay->vf_end;

	if (end->wish == VF_WISH_KEEP || end->wish == VF_WISH_AWAIT)
		log_absence(relay, end->job.err.text);
	else if (end->origin == VF_ORIGIN_OVSDB) /* tries again and again, and tells what is new */
		log_debug("relay %u: %s: %s", relay->id, end->device.name,
		          reason_alone(end, end->job.err.text));
	else
		tell_failure(relay, end->job.err.text, "", "");
	enum vf_action action = take(relay, VF_EVENT_ATTACH_FAILED);
	answer_failed_attach(relay);
	if (action == VF_ACTION_END)
		answer_removers(relay, NULL); /* as they wanted */
}

static void announce(struct relay *relay)
{
	struct vf_end *end = &relay->vf_end;

	backoff_well(&end->backoff, clock_now_ms());
	events_tell(&(struct event){.id = EVENT_VF_ATTACHED,
	                            .relay = (int)relay->id,
	                            .values = {{EVENT_FIELD_DEVICE, 0, end->device.name},
	                                       {EVENT_FIELD_QUEUES, end->vf.n_queues, NULL},
	                                       {EVENT_FIELD_MTU, end->vf.mtu, NULL},
	                                       {EVENT_FIELD_NUMA_NODE, end->vf.numa_node, NULL}}},
	            EVENT_UNLIMITED, "relay %u: %s added: port %u, %u queues, MTU %u, NUMA node %d",
	            relay->id, end->device.name, end->vf.port_id, end->vf.n_queues, end->vf.mtu,
	            end->vf.numa_node);
	relay->relays->reports.vf_attached(relay);
	relay_changed(relay);
	vf_changed(relay);
	relay_answer_kept(relay, &end->adders);
	if (atomic_load(&end->lost_members) != 0)
		relay->relays->reports.vf_lost(relay);
}

static void attach_done(struct job *job)
{
	struct relay *relay = relay_of_job(job);
	struct vf_end *end = &relay->vf_end;
	struct error err;

	if (end->job.rc < 0 && is_worth_another_trial(relay, end->job.rc)) {
		try_again(relay);
		return;
	}
	if (end->job.rc < 0) {
		attach_failed(relay);
		return;
	}
	end->vf = end->job.vf;
	end->mac.asked = false;
	end->trunk.received = end->trunk.refused = (struct vlan_set){{0}};
	end->rss.set_up_for = end->rss.vf_queues = 0;
	end->last_failure[0] = '\0';
	memset(&end->health, 0, sizeof(end->health));
	kernel_life_attached(relay);
	if (take(relay, VF_EVENT_ATTACHED) != VF_ACTION_ANNOUNCE) {
		kernel_life_leave(relay);
		waiters_fail(&end->adders, OUTCOME_UNWANTED, "removed again before it was ready");
		return;
	}
	if (!node_is_acceptable(relay, &err)) {
		log_err("relay %u: refused (--same-numa): %s", relay->id, err.text);
		kernel_life_leave(relay);
		take(relay, VF_EVENT_REMOVE);
		vf_changed(relay);
		waiters_fail(&end->adders, OUTCOME_NODE_REFUSED, err.text);
		return;
	}
	announce(relay);
}

/* --- what others have it do ----------------------------------------------------------------- */

void vf_life_begin(struct relay *relay, const struct device_spec *device,
                   const struct bond_spec *bond, const struct far_spec *far, enum vf_origin origin,
                   enum vf_event wish)
{
	struct vf_end *end = &relay->vf_end;

	end->device = *device;
	end->bond = *bond;
	end->far = *far;
	end->origin = origin;
	end->last_failure[0] = '\0';
	end->backoff = (struct backoff){0};
	memset(end->mending.backoff, 0, sizeof(end->mending.backoff));
	memset(end->mending.past, 0, sizeof(end->mending.past));
	take(relay, wish);
	kernel_life_settle_socket(relay);
}

void vf_life_retry(struct relay *relay)
{
	loop_timer_stop(&relay->vf_end.retry);
	take(relay, VF_EVENT_RETRY);
}

void vf_life_give_up(struct relay *relay)
{
	take(relay, VF_EVENT_GIVE_UP);
}

void vf_life_remove(struct relay *relay)
{
	relay->vf_end.last_failure[0] = '\0';
	kernel_life_leave(relay);
	take(relay, VF_EVENT_REMOVE);
	vf_changed(relay);
}

bool vf_life_is_kept(const struct relay *relay)
{
	const struct vf_end *end = &relay->vf_end;

	return (end->origin == VF_ORIGIN_CLIENT || end->origin == VF_ORIGIN_RESTORED) &&
	       end->phase != VF_ABSENT && end->wish == VF_WISH_KEEP;
}
