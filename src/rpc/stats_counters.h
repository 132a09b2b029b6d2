/* Counters as fields of the statistics' messages: which field is a counter's is looked up by its
 * name in the table, once; then filling a message is a loop. Control thread only.
 */
#ifndef RPC_STATS_COUNTERS_H
#define RPC_STATS_COUNTERS_H

#include <protobuf-c/protobuf-c.h>

#include "control/control.h"

#define STATS_RATES 4

/* Where the messages have them; points into their descriptors. */
struct stats_counters {
	const ProtobufCFieldDescriptor *lane[LANE_DIRECTIONS][LANE_COUNTERS];
	const ProtobufCFieldDescriptor *rate[LANE_DIRECTIONS][STATS_RATES];
	const ProtobufCFieldDescriptor *vf[VF_COUNTS]; /* NULL where it is of_member */
	const ProtobufCFieldDescriptor *member[VF_COUNTS];
};

/* 0, or -ENOENT when a message lacks a counter's field, which is logged. */
int stats_counters_init(struct stats_counters *fields);

/* message is a VFtoVM or a VMtoVF, as direction says. */
void stats_counters_lane(const struct stats_counters *fields, enum lane_direction direction,
                         const struct lane_counters *counters, const struct control_rates *rates,
                         ProtobufCMessage *message);
/* message is a VF. */
void stats_counters_vf(const struct stats_counters *fields, const struct vf_counts *counts,
                       ProtobufCMessage *message);
/* message is a Member. */
void stats_counters_member(const struct stats_counters *fields, const struct vf_counts *counts,
                           ProtobufCMessage *message);

#endif
