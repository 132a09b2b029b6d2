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
#include "control/relay.h"
#include "port/dpdk_env.h"
#include "port/pool.h"
#include "sys/accounts.h"
#include "sys/socket_file.h"

#define REPLAN_RETRY_MS 100

/* What a guest may write into the log. */
#define GUEST_LOG_MS    10000
#define GUEST_LOG_LINES 20

/* How long a shutdown waits for sockets and devices before it leaves them to the kernel. */
#define CLOSE_GUESTS_MS 500
#define DETACH_VFS_MS   10000

bool control_dynamic_sockets(const struct control *control)
{
	/* Not available yet: a daemon started with the option works as if it were not given. */
	(void)control;
	return false;
}

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

static void start_balancing(struct control *control)
{
	uint64_t interval_ms = (uint64_t)(control->config->core_sched_poll_interval * 1000);

	if (control->config->core_sched_enable)
		loop_timer_start(control->loop, &control->balance_timer, interval_ms, on_balance,
		                 control);
}

/* --- guests -------------------------------------------------------------------------------- */

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

static void on_vf_lost(void *context, unsigned relay_id)
{
	struct control *control = context;

	post_event(control, &control->lost_events, relay_id);
}

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

static void on_events(void *context)
{
	struct control *control = context;
	uint64_t count, guests, lost;

	if (read(control->event_fd, &count, sizeof(count)) < 0)
		return;
	guests = atomic_exchange(&control->guest_events, 0);
	lost = atomic_exchange(&control->lost_events, 0);
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &control->relays[i];
		struct guest_state before = relay->guest;

		if (lost >> i & 1)
			relay_vf_lost(relay);
		if ((guests >> i & 1) == 0)
			continue;
		guest_read(i, &relay->guest);
		log_guest(relay, &before);
	}
	control_replan(control);
}

static int fill_guest_params(const struct control *control, struct guest_params *params,
                             struct error *err)
{
	const struct config *config = control->config;

	memset(params, 0, sizeof(*params));
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
static int open_sockets(struct control *control, struct error *err)
{
	struct guest_params params;
	unsigned n_open = 0;
	int rc = fill_guest_params(control, &params, err);

	if (rc < 0)
		return rc;
	if (!control->config->vhost_client &&
	    socket_file_make_directory(control->config->vhost_path, err) < 0)
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
		relay->socket_open = guest_open(&params, err) == 0;
		if (relay->socket_open)
			n_open++;
		else
			log_err("relay %u: no socket: %s", i, err->text);
	}
	if (n_open == 0)
		return error_prefix(err, "no relay has a socket, the last one because: ");
	return 0;
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
	control->event_fd = -1;
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
	if (control->device_thread == NULL || control->guest_thread == NULL ||
	    control->sampler == NULL)
		goto fail_memory;

	guest_backend_init(control->workers, on_guest_event, control);
	vf_events_init(on_vf_lost, control);
	if (workers_start(control->workers) < 0) {
		error_set(err, EIO, "the workers cannot be started on their CPUs");
		goto fail;
	}
	if (open_sockets(control, err) < 0)
		goto fail;
	relay_vf_start_static(control);
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

struct close_job {
	struct job job;
	struct control *control;
};

static void close_run(struct job *job)
{
	const struct control *control = ((struct close_job *)job)->control;

	for (unsigned i = 0; i < RELAYS_MAX; i++)
		if (control->relays[i].socket_open)
			guest_close(i);
}

static void close_done(struct job *job)
{
	(void)job;
}

/* False when a peer keeps the vhost library busy: then its thread lives on, and nothing that it
 * may still touch can be freed. */
static bool close_guests(struct control *control)
{
	static struct close_job close_job; /* outlives this call when the thread hangs */

	if (control->guest_thread == NULL)
		return true;
	close_job.job.run = close_run;
	close_job.job.done = close_done;
	close_job.control = control;
	job_submit(control->guest_thread, &close_job.job);
	return job_thread_drain(control->guest_thread, CLOSE_GUESTS_MS);
}

void control_quiesce(struct control *control)
{
	if (control->quiesced)
		return;
	control->quiesced = true;
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		if (!control->relays[i].socket_open)
			continue;
		guest_refuse(i);
		guest_unlink(i);
	}
	if (control->workers != NULL)
		workers_stop(control->workers);
	control->guests_closed = close_guests(control);
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
	if (control->sampler != NULL)
		sampler_destroy(control->sampler);
	if (control->device_thread != NULL)
		job_thread_destroy(control->device_thread);
	if (control->guest_thread != NULL)
		job_thread_destroy(control->guest_thread);
	if (control->planner != NULL)
		planner_destroy(control->planner);
	rte_mempool_free(control->discard_pool);
	if (control->workers != NULL)
		workers_destroy(control->workers);
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

static void add_lane(const struct lane *lane, struct control_counters *out)
{
	struct lane_counters counters;

	lane_counters_read(lane, &counters);
	out->rx_pkts += counters.rx_pkts;
	out->rx_bytes += counters.rx_bytes;
	out->tx_pkts += counters.tx_pkts;
	out->tx_bytes += counters.tx_bytes;
	out->dropped_queue_full_pkts += counters.dropped_full_pkts;
	out->dropped_queue_full_bytes += counters.dropped_full_bytes;
	out->dropped_not_connected_pkts += counters.dropped_absent_pkts;
	out->dropped_not_connected_bytes += counters.dropped_absent_bytes;
	out->dropped_invalid_pkts += counters.dropped_invalid_pkts;
	out->dropped_invalid_bytes += counters.dropped_invalid_bytes;
}

void control_read_counters(const struct relay *relay, enum lane_direction direction,
                           struct control_counters *out)
{
	if (direction == LANE_VM_TO_VF) {
		memset(out, 0, sizeof(*out));
		for (unsigned i = 0; i < GUEST_QUEUES_MAX; i++)
			add_lane(&relay->vm_to_vf[i], out);
		return;
	}
	*out = relay->leftover;
	for (unsigned i = 0; i < VF_QUEUES_MAX; i++)
		add_lane(&relay->vf_to_vm[i], out);
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

void control_relay_read(const struct control *control, unsigned relay_id, struct control_relay *out)
{
	const struct relay *relay = &control->relays[relay_id];
	bool attached = relay->vf_phase == VF_ATTACHED;

	memset(out, 0, sizeof(*out));
	out->id = relay_id;
	out->active = attached && relay->guest.connected;
	out->vhost_socket = relay->socket_open ? relay->socket_path : "NONE";
	out->has_device = relay->vf_phase == VF_ATTACHED || relay->vf_phase == VF_LEAVING ||
	                  relay->vf_phase == VF_DETACHING;
	out->vf_to_vm.active = attached;
	out->vf_to_vm.internal_state = vf_state(relay);
	out->vm_to_vf.active = relay->guest.connected;
	out->vm_to_vf.internal_state = relay->guest.connected ? "VIRTIO_READY" : "VIRTIO_UNINIT";
	read_direction(relay, LANE_VF_TO_VM, &out->vf_to_vm);
	read_direction(relay, LANE_VM_TO_VF, &out->vm_to_vf);
	out->guest_queues = (unsigned)__builtin_popcount(relay->guest.tx_queues);
	out->losses.missed = relay->losses.missed + relay->health.missed;
	out->losses.no_mbuf = relay->losses.no_mbuf + relay->health.no_mbuf;
	out->losses.rx_errors = relay->losses.rx_errors + relay->health.rx_errors;
	out->losses.tx_errors = relay->losses.tx_errors + relay->health.tx_errors;
	if (!out->has_device)
		return;
	device_spec_label(&relay->device, out->device_label);
	out->socket_id = (unsigned)relay->vf.numa_node;
	out->link_up = relay->health.link_up;
	out->link_speed_mbps = relay->health.link_speed_mbps;
	out->mtu = relay->vf.mtu;
	out->vf_queues = relay->vf.n_queues;
	memcpy(out->mac, relay->vf.mac.addr_bytes, sizeof(out->mac));
}

void control_relay_rates(const struct control *control, unsigned relay_id,
                         struct control_rates *vf_to_vm, struct control_rates *vm_to_vf)
{
	*vf_to_vm = control->relays[relay_id].rates[LANE_VF_TO_VM];
	*vm_to_vf = control->relays[relay_id].rates[LANE_VM_TO_VF];
}
