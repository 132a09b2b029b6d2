/* The control layer's start and end, guests' events, and what relays tell. Control thread only,
 * but for the functions that post events.
 */
#include "control/control.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "dpdk/env.h"
#include "dpdk/pool.h"
#include "relay/relay.h"

#define REPLAN_RETRY_MS 100

/* What a guest may write into the log. */
#define GUEST_LOG_MS    10000
#define GUEST_LOG_LINES 20

/* How long a shutdown waits for devices before it leaves them to the kernel. */
#define DETACH_VFS_MS 10000

/* --- plans --------------------------------------------------------------------------------- */

static void on_replan(void *context)
{
	control_replan(context);
}

void control_replan(struct control *control)
{
	if (control->quiesced)
		return;
	if (planner_apply(control->planner) < 0) {
		log_err("out of memory for new plans; the old ones hold until there is some");
		loop_timer_start(control->loop, &control->replan_timer, REPLAN_RETRY_MS, on_replan,
		                 control);
		return;
	}
	relay_vf_unplanned(control);
	relay_guest_unplanned(control);
	relay_rss_follow(control);
}

/* Loads are told apart from noise by several samples, so the first round comes an interval on. */
static void on_balance(void *context)
{
	struct control *control = context;
	uint64_t interval_ms = (uint64_t)(control->config->core_sched_poll_interval * 1000);

	if (!control->quiesced && planner_balance(control->planner) < 0)
		log_warn("out of memory for balanced plans; the old ones hold");
	loop_timer_start(control->loop, &control->balance_timer, interval_ms, on_balance, control);
}

int control_balance_explain(struct control *control, control_line_fn line, void *context)
{
	const struct config *config = control->config;
	char text[ERROR_TEXT_MAX];

	snprintf(text, sizeof(text), "the balancer is %s; sensitivity %.2f, a round every %.1f s%s",
	         config->core_sched_enable ? "on" : "off, and would be as follows",
	         config->core_sched_sensitivity, config->core_sched_poll_interval,
	         config->core_sched_global_numa_opt ? ", across NUMA nodes" : "");
	line(context, text);
	return planner_explain(control->planner, line, context);
}

static void start_balancing(struct control *control)
{
	uint64_t interval_ms = (uint64_t)(control->config->core_sched_poll_interval * 1000);

	if (control->config->core_sched_enable)
		loop_timer_start(control->loop, &control->balance_timer, interval_ms, on_balance,
		                 control);
}

/* --- events from other threads ------------------------------------------------------------- */

/* Any thread, never blocks: events are bits, so there is no queue to overflow. */
static void post_event(struct control *control, _Atomic uint64_t *events, unsigned relay_id)
{
	uint64_t one = 1;

	atomic_fetch_or(events, 1ULL << relay_id);
	if (write(control->event_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: control is awake anyway */
}

static void on_guest_event(void *context, unsigned relay_id)
{
	struct control *control = context;

	post_event(control, &control->guest_events, relay_id);
}

static void on_vf_lost(void *context, unsigned relay_id, unsigned member)
{
	struct control *control = context;

	atomic_fetch_or(&control->relays[relay_id].lost_members, 1U << member);
	post_event(control, &control->lost_events, relay_id);
}

static void on_events(void *context)
{
	struct control *control = context;
	uint64_t count, guests, lost;

	if (read(control->event_fd, &count, sizeof(count)) < 0)
		return;
	guests = atomic_exchange(&control->guest_events, 0);
	lost = atomic_exchange(&control->lost_events, 0);
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		if (lost >> i & 1)
			relay_vf_lost(&control->relays[i]);
		if (guests >> i & 1)
			relay_guest_changed(&control->relays[i]);
	}
	control_replan(control);
}

/* --- start and end -------------------------------------------------------------------------- */

static int relay_init(struct control *control, unsigned id)
{
	struct relay *relay = &control->relays[id];

	relay->id = id;
	relay->control = control;
	relay->guest.numa_node = -1;
	relay->guest_log = (struct log_limit)LOG_LIMIT(GUEST_LOG_MS, GUEST_LOG_LINES);
	relay->vf_to_vm_pin = relay->vm_to_vf_pin = LANE_UNPLACED;
	LIST_INIT(&relay->add_waiters);
	LIST_INIT(&relay->remove_waiters);
	for (unsigned i = 0; i < VF_QUEUES_MAX; i++) {
		relay->vf_to_vm_worker[i] = LANE_UNPLACED;
		if (lane_init(&relay->vf_to_vm[i], id, LANE_VF_TO_VM, i) < 0)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < GUEST_QUEUES_MAX; i++) {
		relay->vm_to_vf_worker[i] = LANE_UNPLACED;
		if (lane_init(&relay->vm_to_vf[i], id, LANE_VM_TO_VF, i) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int relays_init(struct control *control)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		if (relay_init(control, i) < 0)
			return -ENOMEM;
	pins_init(control);
	return 0;
}

static struct control *control_allocate(const struct config *config, struct loop *loop)
{
	size_t size = RTE_ALIGN_CEIL(sizeof(struct control), RTE_CACHE_LINE_SIZE);
	struct control *control = aligned_alloc(RTE_CACHE_LINE_SIZE, size);

	if (control == NULL)
		return NULL;
	memset(control, 0, size);
	control->config = config;
	control->loop = loop;
	control->event_fd = control->link_fd = -1;
	return control;
}

struct control *control_start(const struct config *config, struct loop *loop, struct error *err)
{
	struct control *control = control_allocate(config, loop);

	if (control == NULL)
		goto fail_memory;
	control->workers = workers_create(&config->worker_cpus, err);
	if (control->workers == NULL)
		goto fail;
	if (relays_init(control) < 0)
		goto fail_memory;
	control->planner = planner_create(control);
	control->discard_pool = pool_discard_create(control->workers->worker[0].numa_node);
	control->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (control->planner == NULL || control->discard_pool == NULL || control->event_fd < 0 ||
	    loop_add_fd(loop, control->event_fd, on_events, control) < 0)
		goto fail_memory;
	control->device_thread = job_thread_create("device", loop);
	control->guest_thread = job_thread_create("guest", loop);
	control->sampler = sampler_create(control);
	control->cpu_watch = cpu_watch_create(control);
	if (control->device_thread == NULL || control->guest_thread == NULL ||
	    control->sampler == NULL || control->cpu_watch == NULL)
		goto fail_memory;

	guest_backend_init(control->workers, on_guest_event, control);
	vf_events_init(on_vf_lost, control);
	if (workers_start(control->workers) < 0) {
		error_set(err, EIO, "the workers cannot be started on their CPUs");
		goto fail;
	}
	control->watchdog = watchdog_create(control);
	if (control->watchdog == NULL)
		goto fail_memory;
	if (relay_guest_start(control, err) < 0)
		goto fail;
	relay_vf_start_static(control);
	relay_mac_start(control);
	if (saved_start(control) < 0)
		goto fail_memory;
	relay_host_start(control);
	start_balancing(control);
	return control;
fail_memory:
	error_set(err, ENOMEM,
	          "not enough memory to start; check the hugepages (or --no-huge) "
	          "and the limits on memory and open files");
fail:
	if (control != NULL) {
		control_quiesce(control);
		control_destroy(control);
	}
	return NULL;
}

void control_quiesce(struct control *control)
{
	if (control->quiesced)
		return;
	saved_stop(control); /* while the relays are what they shall be again */
	control->quiesced = true;
	relay_guest_refuse_all(control);
	if (control->workers != NULL)
		workers_stop(control->workers);
	control->guests_closed = relay_guest_close_all(control);
}

/* Stopped workers hold nothing any more; neither do the plans that were theirs. */
static void drop_backlogs(struct control *control)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &control->relays[i];

		for (unsigned q = 0; q < VF_QUEUES_MAX; q++)
			lane_free(&relay->vf_to_vm[q]);
		for (unsigned q = 0; q < GUEST_QUEUES_MAX; q++)
			lane_free(&relay->vm_to_vf[q]);
	}
}

static void control_free(struct control *control)
{
	loop_timer_stop(&control->replan_timer);
	loop_timer_stop(&control->balance_timer);
	loop_timer_stop(&control->mac_timer);
	saved_destroy(control);
	if (control->cpu_watch != NULL)
		cpu_watch_destroy(control->cpu_watch);
	if (control->sampler != NULL)
		sampler_destroy(control->sampler);
	if (control->watchdog != NULL)
		watchdog_destroy(control->watchdog);
	if (control->device_thread != NULL)
		job_thread_destroy(control->device_thread);
	if (control->guest_thread != NULL)
		job_thread_destroy(control->guest_thread);
	if (control->planner != NULL)
		planner_destroy(control->planner);
	rte_mempool_free(control->discard_pool);
	if (control->workers != NULL)
		workers_destroy(control->workers);
	relay_host_stop(control);
	if (control->event_fd >= 0) {
		loop_remove_fd(control->loop, control->event_fd);
		close(control->event_fd);
	}
	free(control);
}

void control_destroy(struct control *control)
{
	bool devices_released = true;

	drop_backlogs(control);
	/* An attach under way ends first; what it attached is detached in the second round. */
	for (int round = 0; control->device_thread != NULL && round < 2; round++) {
		relay_vf_detach_all(control);
		devices_released = job_thread_drain(control->device_thread, DETACH_VFS_MS);
	}
	relay_pair_forget_all(control);
	if (control->guests_closed && devices_released) {
		control_free(control);
		return;
	}
	log_warn("%s did not finish in time; the kernel will clean up",
	         control->guests_closed ? "releasing the devices" : "closing the guests' sockets");
}

/* --- what relays tell ------------------------------------------------------------------------ */

const char *control_dpdk_version(void)
{
	return dpdk_env_version();
}

void control_read_counters(const struct relay *relay, enum lane_direction direction,
                           struct lane_counters *out)
{
	memset(out, 0, sizeof(*out));
	if (direction == LANE_VM_TO_VF) {
		for (unsigned i = 0; i < GUEST_QUEUES_MAX; i++)
			lane_counters_add(out, &relay->vm_to_vf[i].counters);
		return;
	}
	lane_counters_add(out, &relay->leftover);
	for (unsigned i = 0; i < VF_QUEUES_MAX; i++)
		lane_counters_add(out, &relay->vf_to_vm[i].counters);
}

static void read_direction(const struct relay *relay, enum lane_direction direction,
                           struct control_direction *out)
{
	bool to_vm = direction == LANE_VF_TO_VM;
	const int16_t *placed = to_vm ? relay->vf_to_vm_worker : relay->vm_to_vf_worker;
	size_t n = to_vm ? RTE_DIM(relay->vf_to_vm_worker) : RTE_DIM(relay->vm_to_vf_worker);

	control_read_counters(relay, direction, &out->counters);
	for (size_t i = 0; i < n; i++) {
		out->lane_cpu[i] = -1;
		if (placed[i] == LANE_UNPLACED)
			continue;
		out->lane_cpu[i] = (int)relay->control->workers->worker[placed[i]].lcore;
		out->n_lanes = (unsigned)i + 1;
	}
	out->cpu = out->lane_cpu[0];
	out->has_cpu = out->active && out->cpu >= 0;
}

/* The contract's table of states. */
static const char *vf_state(const struct relay *relay)
{
	switch (relay->vf_phase) {
	case VF_ATTACHED:
		return relay->guest.connected ? "DPDK_READY" : "DPDK_ADDED";
	case VF_LEAVING:
		return "DPDK_REMOVING1";
	case VF_DETACHING:
		return "DPDK_REMOVING2";
	default:
		return "DPDK_UNINIT";
	}
}

static const char *guest_state(const struct relay *relay)
{
	switch (relay->guest_phase) {
	case GUEST_LEAVING:
		return "VIRTIO_REMOVING1";
	case GUEST_CLOSING:
		return "VIRTIO_REMOVING2";
	default:
		return relay->guest.connected ? "VIRTIO_READY" : "VIRTIO_UNINIT";
	}
}

static bool has_socket(const struct relay *relay)
{
	return relay->guest_phase != GUEST_CLOSED && relay->guest_phase != GUEST_OPENING;
}

void control_relay_read(const struct control *control, unsigned relay_id, struct control_relay *out)
{
	const struct relay *relay = &control->relays[relay_id];
	bool attached = relay->vf_phase == VF_ATTACHED;

	memset(out, 0, sizeof(*out));
	out->id = relay_id;
	out->active = attached && relay->guest.connected;
	out->vhost_socket = has_socket(relay) ? relay->socket_path : "NONE";
	out->has_device = relay->vf_phase == VF_ATTACHED || relay->vf_phase == VF_LEAVING ||
	                  relay->vf_phase == VF_DETACHING;
	out->vf_to_vm.active = attached;
	out->vf_to_vm.internal_state = vf_state(relay);
	out->vm_to_vf.active = relay->guest.connected;
	out->vm_to_vf.internal_state = guest_state(relay);
	read_direction(relay, LANE_VF_TO_VM, &out->vf_to_vm);
	read_direction(relay, LANE_VM_TO_VF, &out->vm_to_vf);
	out->guest_queues = (unsigned)__builtin_popcount(relay->guest.tx_queues);
	out->counts = relay->vf_past;
	vf_counts_add(&out->counts, &relay->health.counts);
	out->has_guest_mac = relay_mac_read(relay, out->guest_mac);
	if (!out->has_device)
		return;
	device_spec_label(&relay->device, out->device_label);
	out->socket_id = (unsigned)relay->vf.numa_node;
	out->link_up = relay->health.link_up;
	out->link_speed_mbps = relay->health.link_speed_mbps;
	out->mtu = relay->vf.mtu;
	out->vf_queues = relay->vf.n_queues;
	out->has_rss = relay->vf.has_rss;
	out->rss_queues = relay->rss.vf_queues > 0 ? relay->rss.vf_queues : relay->vf.n_queues;
	memcpy(out->mac, relay->vf.mac.addr_bytes, sizeof(out->mac));
	relay_bond_read(relay, out);
}

void control_relay_rates(const struct control *control, unsigned relay_id,
                         struct control_rates *vf_to_vm, struct control_rates *vm_to_vf)
{
	*vf_to_vm = control->relays[relay_id].rates[LANE_VF_TO_VM];
	*vm_to_vf = control->relays[relay_id].rates[LANE_VM_TO_VF];
}
