/* The families of metrics about relays. See relay_families.h. Names are Prometheus' way: base
 * units, counters in _total, and labels whose values have a bound.
 */
#include "metrics/relay_families.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const direction_names[LANE_DIRECTIONS] = {
        [LANE_VF_TO_VM] = "vf_to_vm",
        [LANE_VM_TO_VF] = "vm_to_vf",
};

/* --- what the lanes count -------------------------------------------------------------------- */

void relay_families_put_lanes(const struct family *family, const struct snapshot *snapshot,
                              unsigned id, struct lines *lines)
{
	const struct control_relay *relay = &snapshot->relays[id];
	const struct lane_family *lanes = family->lanes;
	const struct family_number number = family_number(id);

	for (unsigned d = 0; d < LANE_DIRECTIONS; d++) {
		const struct control_direction *direction =
		        d == LANE_VF_TO_VM ? &relay->vf_to_vm : &relay->vm_to_vf;

		for (unsigned i = 0; i < lanes->n_rows; i++) {
			const struct lane_counter *row = lanes->rows[i];
			const struct metric_label labels[] = {
			        {"relay", number.text},
			        {"direction", direction_names[d]},
			        {"reason", lanes->has_causes ? lane_names_reason(row, d) : ""},
			        {"cause", lanes->has_causes ? lane_names_cause(row, d) : ""},
			};

			lines_put_number(lines, &family->head, labels, lanes->has_causes ? 4 : 2,
			                 *lane_counter_of(&direction->counters, row));
		}
	}
}

/* --- the relay and its ends ------------------------------------------------------------------ */

static void put_info(const struct family *family, const struct snapshot *snapshot, unsigned id,
                     struct lines *lines)
{
	const struct family_number number = family_number(id);
	const struct metric_label labels[] = {
	        {"relay", number.text},
	        {"device", snapshot->relays[id].device_label},
	        {"socket", snapshot->sockets[id]},
	};

	lines_put_number(lines, &family->head, labels, COUNT(labels), 1);
}

static void put_active(const struct family *family, const struct snapshot *snapshot, unsigned id,
                       struct lines *lines)
{
	family_put_about(family, lines, "relay", id, snapshot->relays[id].active);
}

/* One sample a state, so that queries need not know which one it was before. */
static void put_state(const struct family *family, unsigned id, enum control_state is,
                      struct lines *lines)
{
	static const char *const names[] = {
	        [CONTROL_NONE] = "none",     [CONTROL_ALONE] = "alone",
	        [CONTROL_READY] = "ready",   [CONTROL_LEAVING] = "leaving",
	        [CONTROL_ENDING] = "ending",
	};
	const struct family_number number = family_number(id);

	for (unsigned state = 0; state < COUNT(names); state++) {
		const struct metric_label labels[] = {{"relay", number.text},
		                                      {"state", names[state]}};

		lines_put_number(lines, &family->head, labels, COUNT(labels), state == is);
	}
}

static void put_vf_state(const struct family *family, const struct snapshot *snapshot, unsigned id,
                         struct lines *lines)
{
	put_state(family, id, snapshot->relays[id].vf_to_vm.state, lines);
}

static void put_guest_state(const struct family *family, const struct snapshot *snapshot,
                            unsigned id, struct lines *lines)
{
	put_state(family, id, snapshot->relays[id].vm_to_vf.state, lines);
}

static void put_link(const struct family *family, const struct snapshot *snapshot, unsigned id,
                     struct lines *lines)
{
	if (snapshot->relays[id].has_device)
		family_put_about(family, lines, "relay", id, snapshot->relays[id].link_up);
}

static void put_speed(const struct family *family, const struct snapshot *snapshot, unsigned id,
                      struct lines *lines)
{
	const struct control_relay *relay = &snapshot->relays[id];

	if (relay->has_device && relay->link_speed_mbps > 0)
		family_put_about(family, lines, "relay", id,
		                 relay->link_speed_mbps * UINT64_C(125000));
}

static void put_mtu(const struct family *family, const struct snapshot *snapshot, unsigned id,
                    struct lines *lines)
{
	if (snapshot->relays[id].has_device)
		family_put_about(family, lines, "relay", id, snapshot->relays[id].mtu);
}

static void put_vf_queues(const struct family *family, const struct snapshot *snapshot, unsigned id,
                          struct lines *lines)
{
	family_put_about(family, lines, "relay", id, snapshot->relays[id].vf_queues);
}

static void put_guest_queues(const struct family *family, const struct snapshot *snapshot,
                             unsigned id, struct lines *lines)
{
	family_put_about(family, lines, "relay", id, snapshot->relays[id].guest_queues);
}

static void put_vf_lost(const struct family *family, const struct snapshot *snapshot, unsigned id,
                        struct lines *lines)
{
	const struct family_number number = family_number(id);

	for (size_t i = 0; i < VF_COUNTS; i++) {
		const struct vf_count *row = &vf_count_table[i];
		const struct metric_label labels[] = {{"relay", number.text}, {"cause", row->wire}};

		if (!row->of_member)
			lines_put_number(lines, &family->head, labels, COUNT(labels),
			                 *vf_count_of(&snapshot->relays[id].counts, row));
	}
}

/* --- members of bonds ------------------------------------------------------------------------ */

static void put_member(const struct family *family, unsigned id,
                       const struct control_member *member, bool value, struct lines *lines)
{
	const struct family_number number = family_number(id);
	const struct metric_label labels[] = {{"relay", number.text}, {"member", member->label}};

	lines_put_number(lines, &family->head, labels, COUNT(labels), value);
}

static void put_members_active(const struct family *family, const struct snapshot *snapshot,
                               unsigned id, struct lines *lines)
{
	const struct control_relay *relay = &snapshot->relays[id];

	for (unsigned i = 0; i < relay->n_members; i++)
		put_member(family, id, &relay->members[i], relay->members[i].active, lines);
}

static void put_members_link(const struct family *family, const struct snapshot *snapshot,
                             unsigned id, struct lines *lines)
{
	const struct control_relay *relay = &snapshot->relays[id];

	for (unsigned i = 0; i < relay->n_members; i++)
		put_member(family, id, &relay->members[i], relay->members[i].link_up, lines);
}

/* --- queues ---------------------------------------------------------------------------------- */

struct lane_label_texts {
	struct family_number relay, queue;
};

static void lane_labels(unsigned id, const struct control_lane *lane,
                        struct lane_label_texts *texts, struct metric_label labels[3])
{
	texts->relay = family_number(id);
	texts->queue = family_number(lane->queue);
	labels[0] = (struct metric_label){"relay", texts->relay.text};
	labels[1] = (struct metric_label){
	        "direction", direction_names[lane->to_vm ? LANE_VF_TO_VM : LANE_VM_TO_VF]};
	labels[2] = (struct metric_label){"queue", texts->queue.text};
}

static const struct control_lane *lanes_of(const struct snapshot *snapshot, unsigned id)
{
	return &snapshot->lanes[snapshot->lanes_begin[id]];
}

static void put_queue_packets(const struct family *family, const struct snapshot *snapshot,
                              unsigned id, struct lines *lines)
{
	struct lane_label_texts texts;
	struct metric_label labels[3];

	for (unsigned i = 0; i < snapshot->n_lanes[id]; i++) {
		lane_labels(id, &lanes_of(snapshot, id)[i], &texts, labels);
		lines_put_number(lines, &family->head, labels, COUNT(labels),
		                 lanes_of(snapshot, id)[i].pkts);
	}
}

static void put_queue_busy(const struct family *family, const struct snapshot *snapshot,
                           unsigned id, struct lines *lines)
{
	struct lane_label_texts texts;
	struct metric_label labels[3];

	for (unsigned i = 0; i < snapshot->n_lanes[id]; i++) {
		lane_labels(id, &lanes_of(snapshot, id)[i], &texts, labels);
		lines_put_real(lines, &family->head, labels, COUNT(labels),
		               family_seconds(snapshot, lanes_of(snapshot, id)[i].busy_cycles));
	}
}

static void put_queue_worker(const struct family *family, const struct snapshot *snapshot,
                             unsigned id, struct lines *lines)
{
	struct lane_label_texts texts;
	struct metric_label labels[3];

	for (unsigned i = 0; i < snapshot->n_lanes[id]; i++) {
		lane_labels(id, &lanes_of(snapshot, id)[i], &texts, labels);
		lines_put_number(lines, &family->head, labels, COUNT(labels),
		                 (unsigned)lanes_of(snapshot, id)[i].cpu);
	}
}

/* --- the list -------------------------------------------------------------------------------- */

#define RELAY(unit, type, name, put, help)                                 \
	{                                                                  \
		{"vio4wd_" name, unit, type, help}, ABOUT_RELAY, put, NULL \
	}

/* clang-format off */
const struct family relay_families[] = {
        RELAY(NULL, METRIC_INFO, "relay", put_info,
              "The relay's VF and its vhost-user socket; empty where there is none."),
        RELAY(NULL, METRIC_GAUGE, "relay_active", put_active,
              "Whether the relay has a VF that takes packets, and a guest."),
        RELAY(NULL, METRIC_GAUGE, "relay_vf_state", put_vf_state,
              "1 for the state that the VF is in: none, alone (there is no guest), ready, leaving "
              "or ending."),
        RELAY(NULL, METRIC_GAUGE, "relay_guest_state", put_guest_state,
              "1 for the state that the guest is in: none, ready, leaving or ending."),
        RELAY(NULL, METRIC_GAUGE, "relay_vf_link_up", put_link, "Whether the VF's link is up."),
        RELAY("bytes", METRIC_GAUGE, "relay_vf_speed_bytes", put_speed,
              "Speed of the VF's link, in bytes per second; not there when it is not known."),
        RELAY("bytes", METRIC_GAUGE, "relay_vf_mtu_bytes", put_mtu, "The VF's MTU."),
        RELAY(NULL, METRIC_GAUGE, "relay_vf_queues", put_vf_queues,
              "Queues that the VF is set up with."),
        RELAY(NULL, METRIC_GAUGE, "relay_guest_queues", put_guest_queues,
              "Queue pairs that the guest has enabled."),
        RELAY("packets", METRIC_COUNTER, "relay_vf_lost_packets", put_vf_lost,
              "Lost by the VF itself, as its NIC and driver tell; the cause by_vf of "
              "vio4wd_relay_dropped_packets_total counts them too."),
        RELAY(NULL, METRIC_GAUGE, "bond_member_active", put_members_active,
              "Whether the relay's bond uses this member."),
        RELAY(NULL, METRIC_GAUGE, "bond_member_link_up", put_members_link,
              "Whether the link of this member of the relay's bond is up."),
        RELAY("packets", METRIC_COUNTER, "queue_received_packets", put_queue_packets,
              "Received from a queue, of the VF or of the guest; of queues that are polled."),
        RELAY("seconds", METRIC_COUNTER, "queue_busy_seconds", put_queue_busy,
              "Time that a worker has spent on the packets of a queue."),
        RELAY(NULL, METRIC_GAUGE, "queue_worker", put_queue_worker,
              "The worker that polls the queue, by its lcore."),
};
/* clang-format on */

const unsigned relay_families_count = COUNT(relay_families);
