/* What relays, lanes and workers tell. See control.h. Control thread only. */
#include <string.h>

#include "control/composition.h"
#include "datapath/burst.h"
#include "relay/guest_watch.h"
#include "relay/mac.h"
#include "relay/trunk.h"
#include "relay/vf_life.h"

/* --- relays ---------------------------------------------------------------------------------- */

static void read_direction(const struct relay *relay, enum lane_direction direction,
                           struct control_direction *out)
{
	bool to_vm = direction == LANE_VF_TO_VM;
	const int16_t *placed = to_vm ? relay->lanes.vf_to_vm_worker : relay->lanes.vm_to_vf_worker;
	size_t n = to_vm ? RTE_DIM(relay->lanes.vf_to_vm_worker)
	                 : RTE_DIM(relay->lanes.vm_to_vf_worker);

	sampler_read_counters(relay, direction, &out->counters);
	for (size_t i = 0; i < n; i++) {
		out->lane_cpu[i] = -1;
		if (placed[i] == LANE_UNPLACED)
			continue;
		out->lane_cpu[i] = (int)relay->relays->workers->worker[placed[i]].lcore;
		out->n_lanes = (unsigned)i + 1;
	}
	out->cpu = out->lane_cpu[0];
	out->has_cpu = out->active && out->cpu >= 0;
}

static enum control_state vf_state(const struct relay *relay)
{
	switch (relay->vf_end.phase) {
	case VF_ATTACHED:
		return relay->guest_end.guest.connected && vf_end_takes(&relay->vf_end)
		               ? CONTROL_READY
		               : CONTROL_ALONE;
	case VF_LEAVING:
		return CONTROL_LEAVING;
	case VF_DETACHING:
		return CONTROL_ENDING;
	default:
		return CONTROL_NONE;
	}
}

static enum control_state guest_state(const struct relay *relay)
{
	switch (relay->kernel_end.phase) {
	case KERNEL_UP:
		return CONTROL_READY;
	case KERNEL_LEAVING:
		return CONTROL_LEAVING;
	case KERNEL_CLOSING:
		return CONTROL_ENDING;
	case KERNEL_NONE:
		break;
	}
	switch (relay->guest_end.phase) {
	case GUEST_LEAVING:
		return CONTROL_LEAVING;
	case GUEST_CLOSING:
		return CONTROL_ENDING;
	default:
		return relay->guest_end.guest.connected ? CONTROL_READY : CONTROL_NONE;
	}
}

static bool has_socket(const struct relay *relay)
{
	return relay->guest_end.phase != GUEST_CLOSED && relay->guest_end.phase != GUEST_OPENING;
}

static void read_members(const struct relay *relay, struct control_relay *out)
{
	const struct vf_end *end = &relay->vf_end;

	out->bond_mode = end->bond.mode;
	out->n_members = end->vf.n_members;
	for (unsigned i = 0; i < out->n_members; i++) {
		const struct vf_member_health *health = &end->health.members[i];
		struct control_member *member = &out->members[i];

		device_spec_label(&end->bond.members[i], member->label);
		member->present = end->vf.members[i].present;
		member->active = health->active;
		member->link_up = health->link_up;
		member->link_speed_mbps = health->link_speed_mbps;
		member->counts = end->mending.past[i];
		vf_counts_add(&member->counts, &health->counts);
	}
}

void control_relay_read(const struct control *control, unsigned relay_id, struct control_relay *out)
{
	const struct relay *relay = &control->relays.relay[relay_id];
	bool attached = relay->vf_end.phase == VF_ATTACHED;

	memset(out, 0, sizeof(*out));
	out->id = relay_id;
	out->active = vf_end_takes(&relay->vf_end) && relay->guest_end.guest.connected;
	out->vhost_socket = has_socket(relay) ? relay->guest_end.path : "NONE";
	if (relay->kernel_end.phase == KERNEL_UP) {
		out->kernel_interface = relay->vf_end.far.interface;
		out->kernel_driver = guest_kernel_driver(relay_id);
	}
	out->has_device = relay->vf_end.phase == VF_ATTACHED || relay->vf_end.phase == VF_LEAVING ||
	                  relay->vf_end.phase == VF_DETACHING;
	out->vf_to_vm.active = attached;
	out->vf_to_vm.state = vf_state(relay);
	out->vm_to_vf.active = relay->guest_end.guest.connected;
	out->vm_to_vf.state = guest_state(relay);
	read_direction(relay, LANE_VF_TO_VM, &out->vf_to_vm);
	read_direction(relay, LANE_VM_TO_VF, &out->vm_to_vf);
	out->guest_queues = (unsigned)__builtin_popcount(relay->guest_end.guest.tx_queues);
	out->counts = relay->vf_end.past;
	vf_counts_add(&out->counts, &relay->vf_end.health.counts);
	out->guest_trouble = guest_watch_explain(relay);
	out->has_guest_mac = mac_read(relay, out->guest_mac);
	trunk_read(relay, &out->vlans, &out->vlans_refused);
	if (!out->has_device)
		return;
	device_spec_label(&relay->vf_end.device, out->device_label);
	out->socket_id = (unsigned)relay->vf_end.vf.numa_node;
	out->link_up = relay->vf_end.health.link_up;
	out->link_speed_mbps = relay->vf_end.health.link_speed_mbps;
	out->mtu = relay->vf_end.vf.mtu;
	out->vf_queues = relay->vf_end.vf.n_queues;
	out->has_rss = relay->vf_end.vf.has_rss;
	out->wakes = relay->vf_end.vf.alarms[0].kind != VF_ALARM_NONE;
	out->rss_queues = relay->vf_end.rss.vf_queues > 0 ? relay->vf_end.rss.vf_queues
	                                                  : relay->vf_end.vf.n_queues;
	memcpy(out->mac, relay->vf_end.vf.mac.ether_addr_octet, sizeof(out->mac));
	read_members(relay, out);
}

void control_relay_rates(const struct control *control, unsigned relay_id,
                         struct control_rates *vf_to_vm, struct control_rates *vm_to_vf)
{
	*vf_to_vm = *sampler_rates(control->sampler, relay_id, LANE_VF_TO_VM);
	*vm_to_vf = *sampler_rates(control->sampler, relay_id, LANE_VM_TO_VF);
}

unsigned control_queues_read(const struct control *control, unsigned relay_id,
                             struct control_queue out[CONTROL_QUEUES_MAX])
{
	struct guest_queue queues[GUEST_RINGS_MAX];
	unsigned n;

	if (control->relays.relay[relay_id].guest_end.phase != GUEST_OPEN)
		return 0;
	n = guest_read_queues(relay_id, queues);
	for (unsigned i = 0; i < n; i++)
		out[i] = (struct control_queue){
		        .to_vm = queues[i].to_guest,
		        .queue = queues[i].pair,
		        .size = queues[i].size,
		        .is_packed = queues[i].is_packed,
		        .enabled = queues[i].enabled,
		        .started = queues[i].started,
		        .stopped = queues[i].stopped,
		        .starts = queues[i].starts,
		        .calls = queues[i].calls,
		        .refused = queues[i].refused,
		        .shortages = queues[i].shortages,
		        .discarded = queues[i].discarded,
		};
	return n;
}

/* --- workers and lanes ----------------------------------------------------------------------- */

static float share_of(uint32_t load)
{
	return (float)load / BALANCER_FULL;
}

unsigned control_worker_count(const struct control *control)
{
	return control->workers->count;
}

uint64_t control_cycles_per_s(const struct control *control)
{
	return control->workers->cycles_per_s;
}

void control_worker_read(const struct control *control, unsigned index, struct control_worker *out)
{
	const struct worker *worker = &control->workers->worker[index];

	*out = (struct control_worker){
	        .cpu = worker->lcore,
	        .numa_node = worker->numa_node,
	        .host_cpu = worker->cpu,
	        .shares_cpu = worker->shares_cpu,
	        .n_lanes = atomic_load(&worker->plan)->n_works,
	        .busy = share_of(control->loads.worker[index].meter.sample),
	        .busy_cycles = counter_read(&worker->busy_cycles),
	        .asleep = share_of(control->loads.sleep[index].meter.sample),
	        .sleeps = counter_read(&worker->sleeps),
	        .woken_by_guest = counter_read(&worker->woken_by_guest),
	        .woken_by_vf = counter_read(&worker->woken_by_vf),
	        .woken_in_vain = counter_read(&worker->woken_in_vain),
	        .late_finds = counter_read(&worker->late_finds),
	};
}

static void read_lane(const struct control *control, const struct lane_work *work, unsigned lcore,
                      struct control_lane *out)
{
	const struct lane *lane = work->lane;
	bool to_vm = lane->direction == LANE_VF_TO_VM;
	const struct balancer_meter *meter =
	        loads_of_lane(&control->loads, lane->relay_id, lane->direction, lane->index);

	*out = (struct control_lane){
	        .to_vm = to_vm,
	        .queue = lane->index,
	        .cpu = (int)lcore,
	        .load = share_of(meter->load),
	        .pkts = counter_read(&lane->counters.rx_pkts),
	        .busy_cycles = counter_read(&lane->busy_cycles),
	        .targets = to_vm ? work->guest_queues : 0,
	};
	if (work->run == burst_vm_to_vf || work->run == burst_vm_to_vf_vlans)
		out->targets = 1U << work->vf_queue;
}

/* What is published is control's own, so it stays while this reads it. */
unsigned control_lanes_read(const struct control *control, unsigned relay_id,
                            struct control_lane out[CONTROL_LANES_MAX])
{
	const struct worker *polled_by[CONTROL_LANES_MAX] = {NULL};
	const struct lane_work *works[CONTROL_LANES_MAX] = {NULL};
	unsigned n = 0;

	for (unsigned i = 0; i < control->workers->count; i++) {
		const struct worker *worker = &control->workers->worker[i];
		const struct plan *plan = atomic_load(&worker->plan);

		for (unsigned j = 0; j < plan->n_works; j++) {
			const struct lane *lane = plan->works[j].lane;
			unsigned at = lane->index;

			if (lane->relay_id != relay_id)
				continue;
			if (lane->direction == LANE_VM_TO_VF)
				at += VF_QUEUES_MAX;
			works[at] = &plan->works[j];
			polled_by[at] = worker;
		}
	}
	for (unsigned i = 0; i < CONTROL_LANES_MAX; i++)
		if (works[i] != NULL)
			read_lane(control, works[i], polled_by[i]->lcore, &out[n++]);
	return n;
}
