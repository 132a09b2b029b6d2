/* Relays' readings as the StatsResponse message. See stats_codec.h. */
#include "rpc/stats_codec.h"

#include <stdio.h>

#include "base/text.h"
#include "rpc/contract.h"

/* Of an optional field. */
#define FIELD_SET(message, field, value)       \
	do {                                   \
		(message)->has_##field = true; \
		(message)->field = (value);    \
	} while (0)

int stats_codec_init(struct stats_codec *codec)
{
	return stats_counters_init(&codec->counters);
}

void stats_codec_begin(struct stats_codec *codec)
{
	codec->message = (Virtioforwarder__StatsResponse)VIRTIOFORWARDER__STATS_RESPONSE__INIT;
	codec->message.status = VIRTIOFORWARDER__STATS_RESPONSE__STATUS__OK;
	codec->message.relay = codec->states;
	codec->message.worker = codec->worker_list;
	codec->n_lanes = 0;
	codec->n_queues = 0;
}

static void cpu_encode(struct stats_codec_relay *relay)
{
	const struct control_direction *vf_to_vm = &relay->reading.vf_to_vm;
	const struct control_direction *vm_to_vf = &relay->reading.vm_to_vf;

	relay->cpu = (Virtioforwarder__RelayState__CPU)VIRTIOFORWARDER__RELAY_STATE__CPU__INIT;
	relay->cpu.has_vf_to_vm = vf_to_vm->active && vf_to_vm->has_cpu;
	relay->cpu.vf_to_vm = vf_to_vm->cpu;
	relay->cpu.has_vm_to_vf = vm_to_vf->active && vm_to_vf->has_cpu;
	relay->cpu.vm_to_vf = vm_to_vf->cpu;
	if (relay->cpu.has_vf_to_vm || relay->cpu.has_vm_to_vf)
		relay->state.cpu = &relay->cpu;
}

static char *mac_encode(const uint8_t mac[6], char text[STATS_CODEC_MAC_MAX])
{
	snprintf(text, STATS_CODEC_MAC_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
	         mac[3], mac[4], mac[5]);
	return text;
}

static void vhost_encode(struct stats_codec_relay *relay)
{
	relay->vhost =
	        (Virtioforwarder__RelayState__VHOST)VIRTIOFORWARDER__RELAY_STATE__VHOST__INIT;
	relay->vhost.vhost_socket_name = (char *)relay->reading.vhost_socket;
	relay->vhost.has_queues = true;
	relay->vhost.queues = relay->reading.guest_queues;
	relay->vhost.trouble = (char *)(uintptr_t)relay->reading.guest_trouble;
	if (relay->reading.has_guest_mac)
		relay->vhost.mac = mac_encode(relay->reading.guest_mac, relay->guest_mac);
	relay->state.vhost = &relay->vhost;
}

static void kernel_encode(struct stats_codec_relay *relay)
{
	if (relay->reading.kernel_interface == NULL)
		return;
	relay->kernel =
	        (Virtioforwarder__RelayState__Kernel)VIRTIOFORWARDER__RELAY_STATE__KERNEL__INIT;
	relay->kernel.interface = (char *)(uintptr_t)relay->reading.kernel_interface;
	relay->kernel.driver = (char *)(uintptr_t)relay->reading.kernel_driver;
	relay->state.kernel = &relay->kernel;
}

static void member_encode(const struct stats_counters *fields, struct stats_codec_relay *relay,
                          unsigned index)
{
	struct control_member *reading = &relay->reading.members[index];
	Virtioforwarder__RelayState__Member *out = &relay->members[index];

	*out = (Virtioforwarder__RelayState__Member)VIRTIOFORWARDER__RELAY_STATE__MEMBER__INIT;
	text_make_utf8(reading->label);
	out->pci_addr_str = reading->label;
	FIELD_SET(out, present, reading->present);
	FIELD_SET(out, active, reading->active);
	FIELD_SET(out, link_up, reading->link_up);
	FIELD_SET(out, link_speed_mbps, reading->link_speed_mbps);
	stats_counters_member(fields, &reading->counts, &out->base);
	relay->member_list[index] = out;
}

/* Returns how many. */
static size_t vlans_encode(const struct vlan_set *set, uint32_t ids[VLANS_MAX])
{
	size_t n = 0;

	for (int id = vlan_set_next(set, -1); id >= 0 && n < VLANS_MAX; id = vlan_set_next(set, id))
		ids[n++] = (uint32_t)id;
	return n;
}

static void bond_encode(const struct stats_counters *fields, struct stats_codec_relay *relay)
{
	if (relay->reading.n_members == 0)
		return;
	for (unsigned i = 0; i < relay->reading.n_members; i++)
		member_encode(fields, relay, i);
	FIELD_SET(&relay->vf, bond_mode, relay->reading.bond_mode);
	relay->vf.n_member = relay->reading.n_members;
	relay->vf.member = relay->member_list;
}

static void vf_encode(const struct stats_counters *fields, struct stats_codec_relay *relay)
{
	struct control_relay *reading = &relay->reading;

	relay->vf = (Virtioforwarder__RelayState__VF)VIRTIOFORWARDER__RELAY_STATE__VF__INIT;
	if (!reading->has_device)
		return;
	text_make_utf8(reading->device_label);
	relay->vf.pci_addr_str = reading->device_label;
	FIELD_SET(&relay->vf, link_up, reading->link_up);
	FIELD_SET(&relay->vf, link_speed_mbps, reading->link_speed_mbps);
	FIELD_SET(&relay->vf, mtu, reading->mtu);
	FIELD_SET(&relay->vf, queues, reading->vf_queues);
	relay->vf.mac = mac_encode(reading->mac, relay->mac);
	FIELD_SET(&relay->vf, wakes, reading->wakes);
	relay->vf.has_rss_queues = reading->has_rss;
	relay->vf.rss_queues = reading->rss_queues;
	relay->vf.vlan = relay->vlans;
	relay->vf.n_vlan = vlans_encode(&reading->vlans, relay->vlans);
	relay->vf.vlan_refused = relay->vlans_refused;
	relay->vf.n_vlan_refused = vlans_encode(&reading->vlans_refused, relay->vlans_refused);
	stats_counters_vf(fields, &reading->counts, &relay->vf.base);
	bond_encode(fields, relay);
	relay->state.vf = &relay->vf;
}

static void vf_to_vm_encode(struct stats_codec_relay *relay)
{
	Virtioforwarder__RelayState__VFtoVM *out = &relay->vf_to_vm;
	struct control_direction *direction = &relay->reading.vf_to_vm;

	*out = (Virtioforwarder__RelayState__VFtoVM)VIRTIOFORWARDER__RELAY_STATE__VFTO_VM__INIT;
	out->active = direction->active;
	out->internal_state = (char *)contract_state_to_vm(direction->state);
	out->n_lane_cpu = direction->n_lanes;
	out->lane_cpu = direction->lane_cpu;
	relay->state.vf_to_vm = out;
}

/* The same in another type. */
static void vm_to_vf_encode(struct stats_codec_relay *relay)
{
	Virtioforwarder__RelayState__VMtoVF *out = &relay->vm_to_vf;
	struct control_direction *direction = &relay->reading.vm_to_vf;

	*out = (Virtioforwarder__RelayState__VMtoVF)VIRTIOFORWARDER__RELAY_STATE__VMTO_VF__INIT;
	out->active = direction->active;
	out->internal_state = (char *)contract_state_to_vf(direction->state);
	out->n_lane_cpu = direction->n_lanes;
	out->lane_cpu = direction->lane_cpu;
	relay->state.vm_to_vf = out;
}

void stats_codec_add(struct stats_codec *codec, const struct control_relay *reading,
                     const struct control_rates *vf_to_vm, const struct control_rates *vm_to_vf)
{
	struct stats_codec_relay *relay = &codec->relays[codec->message.n_relay];

	relay->reading = *reading;
	relay->state = (Virtioforwarder__RelayState)VIRTIOFORWARDER__RELAY_STATE__INIT;
	relay->state.id = reading->id;
	relay->state.active = reading->active;
	relay->state.socket_id = reading->socket_id;
	cpu_encode(relay);
	vhost_encode(relay);
	kernel_encode(relay);
	vf_encode(&codec->counters, relay);
	vf_to_vm_encode(relay);
	stats_counters_lane(&codec->counters, LANE_VF_TO_VM, &reading->vf_to_vm.counters, vf_to_vm,
	                    &relay->vf_to_vm.base);
	vm_to_vf_encode(relay);
	stats_counters_lane(&codec->counters, LANE_VM_TO_VF, &reading->vm_to_vf.counters, vm_to_vf,
	                    &relay->vm_to_vf.base);
	codec->states[codec->message.n_relay++] = &relay->state;
}

void stats_codec_add_lanes(struct stats_codec *codec, const struct control_lane *lanes, unsigned n)
{
	Virtioforwarder__RelayState *state = codec->states[codec->message.n_relay - 1];

	state->lane = &codec->lane_list[codec->n_lanes];
	state->n_lane = n;
	for (unsigned i = 0; i < n; i++) {
		Virtioforwarder__RelayState__Lane *out = &codec->lanes[codec->n_lanes];

		*out = (Virtioforwarder__RelayState__Lane)VIRTIOFORWARDER__RELAY_STATE__LANE__INIT;
		out->direction = lanes[i].to_vm
		                         ? VIRTIOFORWARDER__RELAY_STATE__LANE__DIRECTION__VF_TO_VM
		                         : VIRTIOFORWARDER__RELAY_STATE__LANE__DIRECTION__VM_TO_VF;
		out->queue = lanes[i].queue;
		FIELD_SET(out, cpu, lanes[i].cpu);
		FIELD_SET(out, load, lanes[i].load);
		FIELD_SET(out, pkts, lanes[i].pkts);
		FIELD_SET(out, busy_cycles, lanes[i].busy_cycles);
		FIELD_SET(out, targets, lanes[i].targets);
		codec->lane_list[codec->n_lanes++] = out;
	}
}

static void queue_encode(const struct control_queue *queue,
                         Virtioforwarder__RelayState__GuestQueue *out)
{
	*out = (Virtioforwarder__RelayState__GuestQueue)
	        VIRTIOFORWARDER__RELAY_STATE__GUEST_QUEUE__INIT;
	out->direction = queue->to_vm ? VIRTIOFORWARDER__RELAY_STATE__LANE__DIRECTION__VF_TO_VM
	                              : VIRTIOFORWARDER__RELAY_STATE__LANE__DIRECTION__VM_TO_VF;
	out->queue = queue->queue;
	FIELD_SET(out, size, queue->size);
	FIELD_SET(out, packed, queue->is_packed);
	FIELD_SET(out, enabled, queue->enabled);
	FIELD_SET(out, started, queue->started);
	out->stopped = (char *)(uintptr_t)(queue->stopped != NULL ? queue->stopped : "");
	FIELD_SET(out, starts, queue->starts);
	FIELD_SET(out, calls, queue->calls);
	FIELD_SET(out, refused, queue->refused);
	if (queue->to_vm)
		FIELD_SET(out, shortages, queue->shortages);
	else
		FIELD_SET(out, discarded, queue->discarded);
}

void stats_codec_add_queues(struct stats_codec *codec, const struct control_queue *queues,
                            unsigned n)
{
	Virtioforwarder__RelayState *state = codec->states[codec->message.n_relay - 1];

	state->guest_queues = &codec->queue_list[codec->n_queues];
	state->n_guest_queues = n;
	for (unsigned i = 0; i < n; i++) {
		Virtioforwarder__RelayState__GuestQueue *out = &codec->queues[codec->n_queues];

		queue_encode(&queues[i], out);
		codec->queue_list[codec->n_queues++] = out;
	}
}

void stats_codec_add_worker(struct stats_codec *codec, const struct control_worker *worker)
{
	Virtioforwarder__StatsResponse__Worker *out = &codec->workers[codec->message.n_worker];

	*out = (Virtioforwarder__StatsResponse__Worker)
	        VIRTIOFORWARDER__STATS_RESPONSE__WORKER__INIT;
	out->cpu = worker->cpu;
	FIELD_SET(out, host_cpu, worker->host_cpu);
	FIELD_SET(out, numa_node, worker->numa_node);
	FIELD_SET(out, shares_cpu, worker->shares_cpu);
	FIELD_SET(out, busy, worker->busy);
	FIELD_SET(out, busy_cycles, worker->busy_cycles);
	FIELD_SET(out, lanes, worker->n_lanes);
	FIELD_SET(out, asleep, worker->asleep);
	FIELD_SET(out, sleeps, worker->sleeps);
	FIELD_SET(out, woken_by_guest, worker->woken_by_guest);
	FIELD_SET(out, woken_by_vf, worker->woken_by_vf);
	FIELD_SET(out, woken_in_vain, worker->woken_in_vain);
	FIELD_SET(out, late_finds, worker->late_finds);
	codec->worker_list[codec->message.n_worker++] = out;
}
