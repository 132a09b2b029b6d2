/* Counters as fields of the statistics' messages. See stats_counters.h. */
#include "rpc/stats_counters.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "virtioforwarder.pb-c.h"

static const ProtobufCMessageDescriptor *const lane_messages[LANE_DIRECTIONS] = {
        [LANE_VF_TO_VM] = &virtioforwarder__relay_state__vfto_vm__descriptor,
        [LANE_VM_TO_VF] = &virtioforwarder__relay_state__vmto_vf__descriptor,
};

static const struct {
	size_t offset; /* in struct control_rates */
	const char *wire[LANE_DIRECTIONS];
} rate_table[STATS_RATES] = {
        {offsetof(struct control_rates, rx_pkts), {"pkt_rate_rx_from_vf", "pkt_rate_rx_from_vm"}},
        {offsetof(struct control_rates, rx_bytes),
         {"byte_rate_rx_from_vf", "byte_rate_rx_from_vm"}},
        {offsetof(struct control_rates, tx_pkts), {"pkt_rate_tx_to_vm", "pkt_rate_tx_to_vf"}},
        {offsetof(struct control_rates, tx_bytes), {"byte_rate_tx_to_vm", "byte_rate_tx_to_vf"}},
};

/* --- which field is whose -------------------------------------------------------------------- */

/* An optional uint64 for a counter, a required float for a rate; NULL if there is none. */
static const ProtobufCFieldDescriptor *field_find(const ProtobufCMessageDescriptor *message,
                                                  const char *name, ProtobufCType type)
{
	const ProtobufCFieldDescriptor *field =
	        protobuf_c_message_descriptor_get_field_by_name(message, name);
	ProtobufCLabel label = type == PROTOBUF_C_TYPE_UINT64 ? PROTOBUF_C_LABEL_OPTIONAL
	                                                      : PROTOBUF_C_LABEL_REQUIRED;

	if (field != NULL && field->type == type && field->label == label)
		return field;
	log_err("the message %s has no field %s for a counter", message->name, name);
	return NULL;
}

static bool find_lane_fields(struct stats_counters *fields, enum lane_direction direction)
{
	const ProtobufCMessageDescriptor *message = lane_messages[direction];
	bool found = true;

	for (size_t i = 0; i < LANE_COUNTERS; i++) {
		fields->lane[direction][i] = field_find(
		        message, lane_counter_table[i].wire[direction], PROTOBUF_C_TYPE_UINT64);
		found = found && fields->lane[direction][i] != NULL;
	}
	for (size_t i = 0; i < STATS_RATES; i++) {
		fields->rate[direction][i] =
		        field_find(message, rate_table[i].wire[direction], PROTOBUF_C_TYPE_FLOAT);
		found = found && fields->rate[direction][i] != NULL;
	}
	return found;
}

static bool find_vf_fields(struct stats_counters *fields)
{
	bool found = true;

	for (size_t i = 0; i < VF_COUNTS; i++) {
		const struct vf_count *row = &vf_count_table[i];

		fields->vf[i] = NULL;
		fields->member[i] = field_find(&virtioforwarder__relay_state__member__descriptor,
		                               row->wire, PROTOBUF_C_TYPE_UINT64);
		found = found && fields->member[i] != NULL;
		if (row->of_member)
			continue;
		fields->vf[i] = field_find(&virtioforwarder__relay_state__vf__descriptor, row->wire,
		                           PROTOBUF_C_TYPE_UINT64);
		found = found && fields->vf[i] != NULL;
	}
	return found;
}

int stats_counters_init(struct stats_counters *fields)
{
	bool vf_to_vm = find_lane_fields(fields, LANE_VF_TO_VM);
	bool vm_to_vf = find_lane_fields(fields, LANE_VM_TO_VF);
	bool vf = find_vf_fields(fields);

	return vf_to_vm && vm_to_vf && vf ? 0 : -ENOENT;
}

/* --- filling messages ------------------------------------------------------------------------ */

static void counter_set(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                        uint64_t value)
{
	char *base = (char *)message;

	*(uint64_t *)(base + field->offset) = value;
	*(protobuf_c_boolean *)(base + field->quantifier_offset) = true;
}

void stats_counters_lane(const struct stats_counters *fields, enum lane_direction direction,
                         const struct lane_counters *counters, const struct control_rates *rates,
                         ProtobufCMessage *message)
{
	for (size_t i = 0; i < LANE_COUNTERS; i++)
		counter_set(message, fields->lane[direction][i],
		            *lane_counter_of(counters, &lane_counter_table[i]));
	for (size_t i = 0; i < STATS_RATES; i++)
		memcpy((char *)message + fields->rate[direction][i]->offset,
		       (const char *)rates + rate_table[i].offset, sizeof(float));
}

static void counts_set(const ProtobufCFieldDescriptor *const fields[VF_COUNTS],
                       const struct vf_counts *counts, ProtobufCMessage *message)
{
	for (size_t i = 0; i < VF_COUNTS; i++)
		if (fields[i] != NULL)
			counter_set(message, fields[i], *vf_count_of(counts, &vf_count_table[i]));
}

void stats_counters_vf(const struct stats_counters *fields, const struct vf_counts *counts,
                       ProtobufCMessage *message)
{
	counts_set(fields->vf, counts, message);
}

void stats_counters_member(const struct stats_counters *fields, const struct vf_counts *counts,
                           ProtobufCMessage *message)
{
	counts_set(fields->member, counts, message);
}
