/* The life of a relay's VF: requests to add and remove it, the jobs that carry them out on the
 * device thread, and the answers. Control thread only, but for the two *_run functions.
 *
 * A request is answered when its work is done or after CONTROL_ANSWER_MS, whichever comes first.
 * An attach that nobody waits for any more is undone, since its client was told that it failed; a
 * detach goes on to its end.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "control/relay.h"

#define VF_RING_SIZE      512 /* descriptors */
#define VF_QUEUES_DEFAULT 4

/* How soon a VF that was lost is looked for again, and at most how much later. */
#define RETRY_FIRST_MS   100U
#define RETRY_LONGEST_MS 10000U

static const char add_source[] = "virtio_forwarder_add_vf2()";
static const char remove_source[] = "virtio_forwarder_remove_vf2()";

/* The wire contract's codes that are not vf.h's. */
enum {
	CODE_BAD_ID = 1,
	CODE_OCCUPIED = 8,
	CODE_OTHER_DEVICE = 3,
	CODE_NOTHING_ATTACHED = 4,
	CODE_TIMED_OUT = 5,
};

/* --- answers ------------------------------------------------------------------------------- */

static void on_add_late(void *context)
{
	struct waiter *waiter = context;
	struct relay *relay = waiter->relay;

	answer_error(waiter->done, waiter->context, add_source, VF_ERROR_PROBE,
	             "relay %u: %s is not ready after %u ms%s; see the log, and try again",
	             relay->id, relay->device.name, CONTROL_ANSWER_MS,
	             relay->owner == CONTROL_OWNER_CLIENT && !relay->lost
	                     ? ", so the attach is given up"
	                     : "");
	waiter_free(waiter);
	if (LIST_EMPTY(&relay->add_waiters) && relay->vf_phase == VF_ATTACHING &&
	    relay->owner == CONTROL_OWNER_CLIENT && !relay->lost) {
		relay->abandoned = true;
		atomic_store(&relay->vf_job.cancelled, true);
	}
}

static void on_remove_late(void *context)
{
	struct waiter *waiter = context;

	answer_error(waiter->done, waiter->context, remove_source, CODE_TIMED_OUT,
	             "relay %u: the removal takes longer than %u ms; it goes on", waiter->relay->id,
	             CONTROL_ANSWER_MS);
	waiter_free(waiter);
}

/* -ENOMEM, answered already. */
static int wait_for(struct relay *relay, struct waiter_list *waiters, loop_fn on_late,
                    const char *source, control_done_fn done, void *context)
{
	int rc = waiter_add(waiters, relay, on_late, done, context);

	if (rc < 0)
		answer_error(done, context, source, VF_ERROR_NO_MEMPOOL, "out of memory");
	return rc;
}

/* --- detach -------------------------------------------------------------------------------- */

static void detach_run(struct job *job)
{
	struct vf_job *vf_job = (struct vf_job *)job;

	/* The last word on what the NIC lost. */
	vf_health_read(&vf_job->vf, &vf_job->health);
	vf_job->rc = vf_detach(&vf_job->vf, &vf_job->leftover, &vf_job->err);
}

static void begin_attach(struct relay *relay);

static void on_retry(void *context)
{
	begin_attach(context);
}

/* A VF that was reset is back at once; one that left the machine may come back, or never. */
static void wait_for_return(struct relay *relay)
{
	relay->vf_phase = VF_LOST;
	loop_timer_start(relay->control->loop, &relay->retry, relay->retry_ms, on_retry, relay);
	relay->retry_ms = RTE_MIN(relay->retry_ms * 2, RETRY_LONGEST_MS);
}

/* To those who wait for the VF's end; error is NULL or says what failed on the way. */
static void answer_gone(struct relay *relay, const char *error)
{
	if (error != NULL)
		waiters_answer_error(&relay->remove_waiters, remove_source, VF_ERROR_DETACH, error);
	else
		saved_answer_all(&relay->remove_waiters);
	relay_pair_vf_gone(relay, error);
}

static void detach_done(struct job *job)
{
	struct vf_job *vf_job = (struct vf_job *)job;
	struct relay *relay = vf_job->relay;

	relay->vf_phase = VF_ABSENT;
	relay->losses.missed += vf_job->health.missed;
	relay->losses.no_mbuf += vf_job->health.no_mbuf;
	relay->losses.rx_errors += vf_job->health.rx_errors;
	relay->losses.tx_errors += vf_job->health.tx_errors;
	memset(&relay->health, 0, sizeof(relay->health));
	relay->leftover.rx_pkts += vf_job->leftover.pkts;
	relay->leftover.rx_bytes += vf_job->leftover.bytes;
	relay->leftover.dropped_not_connected_pkts += vf_job->leftover.pkts;
	relay->leftover.dropped_not_connected_bytes += vf_job->leftover.bytes;
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

		if (relay->vf_phase != VF_LEAVING)
			continue;
		relay->vf_phase = VF_DETACHING;
		memset(vf_job, 0, sizeof(*vf_job));
		vf_job->job.run = detach_run;
		vf_job->job.done = detach_done;
		vf_job->relay = relay;
		vf_job->vf = relay->vf;
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
	relay->vf_phase = VF_LEAVING;
	control_replan(relay->control);
}

void relay_vf_lost(struct relay *relay)
{
	if (relay->vf_phase == VF_ATTACHING)
		relay->lost_early = true;
	if (relay->vf_phase != VF_ATTACHED)
		return;
	log_warn("relay %u: %s was reset by its PF or has left the machine; attaching it anew",
	         relay->id, relay->device.name);
	relay->lost = true;
	relay->retry_ms = RETRY_FIRST_MS;
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

static void say_not_back(const struct relay *relay, const char *why)
{
	if (relay->restored && relay->retry_ms == RETRY_FIRST_MS)
		log_err("relay %u: %s, which a client had added before the restart: %s; it is "
		        "tried again and again until it works or is removed",
		        relay->id, relay->device.name, why);
	else
		log_info("relay %u: %s is not back yet: %s", relay->id, relay->device.name, why);
}

static void attach_done(struct job *job)
{
	struct vf_job *vf_job = (struct vf_job *)job;
	struct relay *relay = vf_job->relay;
	struct error err;

	if (vf_job->rc < 0 && relay->lost && !relay->abandoned && !relay->detach_wanted) {
		say_not_back(relay, vf_job->err.text);
		waiters_answer_error(&relay->add_waiters, add_source, vf_job->err.code,
		                     vf_job->err.text);
		wait_for_return(relay);
		return;
	}
	if (vf_job->rc < 0) {
		relay->vf_phase = VF_ABSENT;
		/* OVSDB's side tries again and again, and tells what is new. */
		log_write(relay->owner == CONTROL_OWNER_OVSDB ? LOG_DEBUG : LOG_ERR,
		          "relay %u: %s: %s", relay->id, relay->device.name, vf_job->err.text);
		waiters_answer_error(&relay->add_waiters, add_source, vf_job->err.code,
		                     vf_job->err.text);
		answer_gone(relay, NULL); /* as they wanted */
		return;
	}
	relay->vf = vf_job->vf;
	relay->vf_phase = VF_ATTACHED;
	relay->mac.asked = false;
	relay->rss.set_up_for = relay->rss.vf_queues = 0;
	relay->lost = false;
	memset(&relay->health, 0, sizeof(relay->health));
	if (relay->abandoned || relay->detach_wanted) {
		begin_detach(relay);
		waiters_answer_error(&relay->add_waiters, add_source, VF_ERROR_PROBE,
		                     "removed again before it was ready");
		return;
	}
	if (!node_is_acceptable(relay, &err)) {
		log_err("relay %u: refused (--same-numa): %s", relay->id, err.text);
		begin_detach(relay);
		vf_changed(relay);
		waiters_answer_error(&relay->add_waiters, add_source, VF_ERROR_NO_MEMPOOL,
		                     err.text);
		return;
	}
	log_notice("relay %u: %s added: port %u, %u queues, MTU %u, NUMA node %d", relay->id,
	           relay->device.name, relay->vf.port_id, relay->vf.n_queues, relay->vf.mtu,
	           relay->vf.numa_node);
	relay_host_attached(relay);
	control_replan(relay->control);
	vf_changed(relay);
	saved_answer_all(&relay->add_waiters);
	if (relay->lost_early)
		relay_vf_lost(relay);
}

/* Of relay->device. */
static void begin_attach(struct relay *relay)
{
	struct control *control = relay->control;
	const struct config *config = control->config;
	struct vf_job *vf_job = &relay->vf_job;
	unsigned workers = control->workers->count;
	unsigned queues = workers < VF_QUEUES_DEFAULT ? workers : VF_QUEUES_DEFAULT;

	if (config->max_queues > 0)
		queues = config->max_queues;
	relay->vf_phase = VF_ATTACHING;
	relay->abandoned = false;
	relay->detach_wanted = false;
	relay->lost_early = false;
	memset(vf_job, 0, sizeof(*vf_job));
	vf_job->job.run = attach_run;
	vf_job->job.done = attach_done;
	vf_job->relay = relay;
	vf_job->spec = relay->device;
	vf_job->params = (struct vf_params){
	        .relay_id = relay->id,
	        .max_queues = (uint16_t)queues,
	        .mtu = config->jumbo ? 9000 : 2100,
	        .ring_size = VF_RING_SIZE,
	        .backlog = LANE_BACKLOG_VF_TO_VM,
	        .n_workers = (uint16_t)workers,
	        .no_huge = config->no_huge,
	};
	job_submit(control->device_thread, &vf_job->job);
}

/* --- requests ------------------------------------------------------------------------------ */

struct relay *relay_of_device(struct control *control, const struct device_spec *device)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &control->relays[i];

		if (relay->vf_phase != VF_ABSENT && device_spec_equal(&relay->device, device))
			return relay;
	}
	return NULL;
}

static bool relay_is_leaving(const struct relay *relay)
{
	return relay->vf_phase == VF_LEAVING || relay->vf_phase == VF_DETACHING ||
	       relay->abandoned || relay->detach_wanted;
}

static const char *owner_text(enum control_owner owner)
{
	switch (owner) {
	case CONTROL_OWNER_OVSDB:
		return "OVSDB (an Interface row's external_ids)";
	case CONTROL_OWNER_CONFIG:
		return "the configuration (a static VF)";
	default:
		return "a client of the control endpoint";
	}
}

/* Whether the request is refused, and answered so, because the relay's VF is somebody else's. */
static bool answer_foreign(const struct relay *relay, const struct control_vf_request *request,
                           control_done_fn done, void *context, const char *source, int code)
{
	if (relay->vf_phase == VF_ABSENT || relay->owner == request->owner ||
	    (relay->owner == CONTROL_OWNER_CONFIG && request->owner == CONTROL_OWNER_CLIENT))
		return false;
	answer_error(done, context, source, code, "relay %u has %s from %s; remove it there first",
	             relay->id, relay->device.name, owner_text(relay->owner));
	return true;
}

bool control_vf_of_owner(const struct control *control, unsigned relay_id, enum control_owner owner,
                         struct device_spec *device)
{
	const struct relay *relay = &control->relays[relay_id];

	if (relay->vf_phase == VF_ABSENT || relay->owner != owner ||
	    (relay_is_leaving(relay) && !relay->lost))
		return false;
	*device = relay->device;
	return true;
}

static void answer_held(const struct relay *holder, control_done_fn done, void *context)
{
	if (relay_is_leaving(holder))
		answer_error(done, context, add_source, VF_ERROR_PROBE,
		             "relay %u is still giving back %s; try again in a moment", holder->id,
		             holder->device.name);
	else
		answer_error(done, context, add_source, VF_ERROR_PROBE,
		             "relay %u has %s from %s; remove it there first", holder->id,
		             holder->device.name, owner_text(holder->owner));
}

/* Whether adding it is no more than what there is already. */
static bool is_repetition(struct relay *relay, const struct relay *holder,
                          const struct control_vf_request *request)
{
	if (holder != relay || (!request->conditional && !relay->restored))
		return false;
	relay->restored = false; /* somebody has asked */
	return true;
}

void control_add_vf(struct control *control, const struct control_vf_request *request,
                    control_done_fn done, void *context)
{
	struct relay *relay, *holder;
	bool again;

	if (request->relay_id >= RELAYS_MAX) {
		answer_error(done, context, add_source, CODE_BAD_ID,
		             "there is no relay %u; ids are 0 to %d", request->relay_id,
		             RELAYS_MAX - 1);
		return;
	}
	relay = &control->relays[request->relay_id];
	holder = relay_of_device(control, &request->device);
	if (request->owner == CONTROL_OWNER_OVSDB) {
		restore_yield(relay, request);
		restore_yield(holder, request);
	}
	if (answer_foreign(relay, request, done, context, add_source, CODE_OCCUPIED))
		return;
	again = is_repetition(relay, holder, request);
	if (again && relay->vf_phase == VF_ATTACHED) {
		saved_answer(relay, done, context);
		return;
	}
	if (again && relay->vf_phase == VF_LOST) {
		/* Somebody knows that it is back. */
		if (wait_for(relay, &relay->add_waiters, on_add_late, add_source, done, context) <
		    0)
			return;
		loop_timer_stop(&relay->retry);
		begin_attach(relay);
		return;
	}
	if (again && relay->vf_phase == VF_ATTACHING && !relay->abandoned &&
	    !relay->detach_wanted) {
		wait_for(relay, &relay->add_waiters, on_add_late, add_source, done, context);
		return;
	}
	if (relay->vf_phase != VF_ABSENT) {
		bool leaving = relay_is_leaving(relay);

		answer_error(done, context, add_source, CODE_OCCUPIED, "relay %u %s %s; %s",
		             relay->id, leaving ? "is still giving back" : "has",
		             relay->device.name,
		             leaving ? "try again in a moment" : "remove that first");
		return;
	}
	if (holder != NULL) {
		answer_held(holder, done, context);
		return;
	}
	if (wait_for(relay, &relay->add_waiters, on_add_late, add_source, done, context) < 0)
		return;
	relay->device = request->device;
	relay->owner = request->owner;
	relay->lost = false;
	relay->restored = false;
	begin_attach(relay);
}

void relay_vf_restore(struct relay *relay, const struct device_spec *device)
{
	relay->device = *device;
	relay->owner = CONTROL_OWNER_CLIENT;
	relay->lost = true; /* as if it had gone while we were away */
	relay->retry_ms = RETRY_FIRST_MS;
	relay->restored = true;
	begin_attach(relay);
}

bool relay_vf_is_kept(const struct relay *relay)
{
	return relay->owner == CONTROL_OWNER_CLIENT &&
	       (relay->vf_phase == VF_ATTACHED || (relay->vf_phase != VF_ABSENT && relay->lost));
}

void control_remove_vf(struct control *control, const struct control_vf_request *request,
                       control_done_fn done, void *context)
{
	struct relay *relay;

	if (request->relay_id >= RELAYS_MAX) {
		answer_error(done, context, remove_source, CODE_BAD_ID,
		             "there is no relay %u; ids are 0 to %d", request->relay_id,
		             RELAYS_MAX - 1);
		return;
	}
	relay = &control->relays[request->relay_id];
	if (relay->vf_phase == VF_ABSENT) {
		if (request->conditional)
			saved_answer(relay, done, context);
		else
			answer_error(done, context, remove_source, CODE_NOTHING_ATTACHED,
			             "relay %u has no VF", relay->id);
		return;
	}
	if (answer_foreign(relay, request, done, context, remove_source, VF_ERROR_DETACH))
		return;
	if (request->has_device && !device_spec_equal(&relay->device, &request->device)) {
		answer_error(done, context, remove_source, CODE_OTHER_DEVICE,
		             "relay %u has %s, not %s", relay->id, relay->device.name,
		             request->device.name);
		return;
	}
	if (relay->vf_phase == VF_LOST) {
		relay_vf_leave(relay);
		saved_answer(relay, done, context);
		return;
	}
	if (wait_for(relay, &relay->remove_waiters, on_remove_late, remove_source, done, context) <
	    0)
		return;
	relay_vf_leave(relay);
}

void relay_vf_leave(struct relay *relay)
{
	relay->lost = false; /* and does not come back */
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
		atomic_store(&relay->vf_job.cancelled, true);
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
		relay->owner = CONTROL_OWNER_CONFIG;
		begin_attach(relay);
	}
}

void relay_vf_detach_all(struct control *control)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &control->relays[i];

		loop_timer_stop(&relay->retry);
		if (relay->vf_phase == VF_ATTACHED)
			relay->vf_phase = VF_LEAVING;
		if (relay->vf_phase == VF_ATTACHING) {
			relay->abandoned = true;
			atomic_store(&relay->vf_job.cancelled, true);
		}
	}
	relay_vf_unplanned(control);
}
