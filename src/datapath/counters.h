/* What a lane counts: one struct, and one table that says of each field what it is, how it is
 * called on the wire and what it means. Summing, the statistics' messages and the manual page loop
 * over the table, so a counter that is in the struct and in the table is everywhere.
 *
 * A lane's counters are written by its owner alone with counter_add, and read by any thread with
 * counter_read. They start at 0 and never go back.
 */
#ifndef DATAPATH_COUNTERS_H
#define DATAPATH_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lane_direction { LANE_VF_TO_VM, LANE_VM_TO_VF };
#define LANE_DIRECTIONS 2

/* Why there was no target. */
enum lane_absence {
	ABSENT_NOBODY,    /* no front end is connected; the relay has no VF */
	ABSENT_NOT_READY, /* the guest has set up no queue to receive on; the VF is coming or going
	                   */
	ABSENT_LEFT,      /* it has left while packets waited for it, or were on their way */
};
#define LANE_ABSENCES 3

/* What was lost for one cause. */
struct lane_loss {
	uint64_t pkts, bytes;
};

/* Nothing but uint64_t, and a row of the table for each. Three sums have been there from the
 * beginning: what counts in one of them counts in one of the causes below, too. */
struct lane_counters {
	uint64_t rx_pkts, rx_bytes;                           /* from the lane's source */
	uint64_t tx_pkts, tx_bytes;                           /* accepted by its target */
	uint64_t dropped_full_pkts, dropped_full_bytes;       /* sum: the target took no more */
	uint64_t dropped_absent_pkts, dropped_absent_bytes;   /* sum: there was no target */
	uint64_t dropped_invalid_pkts, dropped_invalid_bytes; /* sum: the guest sent nonsense */
	uint64_t dropped_by_vf_pkts; /* of a relay: by its VF's NIC and driver; of a lane: 0 */

	struct lane_loss no_room;    /* of full */
	struct lane_loss too_long;   /* to_vm: of full; to_vf: of invalid */
	struct lane_loss malformed;  /* to_vm: the ring, of full; to_vf: runts, of invalid */
	struct lane_loss bad_header; /* to_vf: what it asks for cannot be, of invalid */
	struct lane_loss absent[LANE_ABSENCES]; /* of absent */

	/* Work that frames came with. */
	uint64_t checksummed_by_vf, checksummed_by_software;
	uint64_t segmented_by_vf, segmented_by_software;
	uint64_t coalesced; /* packets that went to the guest as part of another one */
};

#define LANE_COUNTERS (sizeof(struct lane_counters) / sizeof(uint64_t))

enum counter_unit { COUNTER_PACKETS, COUNTER_BYTES };

/* A row of the table. */
struct lane_counter {
	size_t offset; /* in struct lane_counters */
	enum counter_unit unit;
	const char *wire[LANE_DIRECTIONS]; /* [enum lane_direction]: the field of the message */
	/* [enum lane_direction]: the offset of the sum that counts it too; 0: none does. */
	size_t part_of[LANE_DIRECTIONS];
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

/* The row of the sum that counts what a row does in one direction too; NULL when none does. */
const struct lane_counter *lane_counter_sum(const struct lane_counter *row,
                                            enum lane_direction direction);
/* Whether a row is such a sum, of either direction. */
bool lane_counter_is_sum(const struct lane_counter *row);

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
