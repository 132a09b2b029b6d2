/* What a lane counts: one struct, and one table that says of each field what it is, how it is
 * called on the wire and what it means. Summing, the statistics' messages and the manual page loop
 * over the table, so a counter that is in the struct and in the table is everywhere.
 *
 * A lane's counters are written by its owner alone with counter_add, and read by any thread with
 * counter_read. They start at 0 and never go back.
 */
#ifndef DATAPATH_COUNTERS_H
#define DATAPATH_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

enum lane_direction { LANE_VF_TO_VM, LANE_VM_TO_VF };
#define LANE_DIRECTIONS 2

/* Nothing but uint64_t, and a row of the table for each. */
struct lane_counters {
	uint64_t rx_pkts, rx_bytes;                           /* from the lane's source */
	uint64_t tx_pkts, tx_bytes;                           /* accepted by its target */
	uint64_t dropped_full_pkts, dropped_full_bytes;       /* the target's queue was full */
	uint64_t dropped_absent_pkts, dropped_absent_bytes;   /* there was no target */
	uint64_t dropped_invalid_pkts, dropped_invalid_bytes; /* runts, frames over the MTU */
	uint64_t dropped_by_vf_pkts; /* of a relay: by its VF's NIC and driver; of a lane: 0 */
};

#define LANE_COUNTERS (sizeof(struct lane_counters) / sizeof(uint64_t))

enum counter_unit { COUNTER_PACKETS, COUNTER_BYTES };

/* A row of the table. */
struct lane_counter {
	size_t offset; /* in struct lane_counters */
	enum counter_unit unit;
	const char *wire[LANE_DIRECTIONS]; /* [enum lane_direction]: the field of the message */
	const char *help; /* what it counts, of either direction; NULL: as the row above it */
};

extern const struct lane_counter lane_counter_table[]; /* [LANE_COUNTERS] */

static inline void counter_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline uint64_t counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* The counter of a row. */
static inline const uint64_t *lane_counter_of(const struct lane_counters *counters,
                                              const struct lane_counter *row)
{
	return (const uint64_t *)((const char *)counters + row->offset);
}

/* Adds what a lane has counted to a sum, which is the caller's. The lane's owner may count on
 * meanwhile: each counter is exact, together they may be a burst apart. */
void lane_counters_add(struct lane_counters *sum, const struct lane_counters *counters);

#endif
