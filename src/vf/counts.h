/* What a VF's NIC and driver count: one struct, and one table that says of each field what it is,
 * how it is called on the wire and what it means. Summing, the statistics' messages and the manual
 * page loop over the table. Values only: whoever has a copy owns it.
 */
#ifndef VF_COUNTS_H
#define VF_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datapath/counters.h"

/* Since the VF was attached; sums reach farther back. Nothing but uint64_t, and a row of the table
 * for each. */
struct vf_counts {
	uint64_t missed, no_mbuf, rx_errors, tx_errors;
	uint64_t rx_pkts, rx_bytes, tx_pkts, tx_bytes;
};

#define VF_COUNTS (sizeof(struct vf_counts) / sizeof(uint64_t))

/* A row of the table. */
struct vf_count {
	size_t offset; /* in struct vf_counts */
	enum counter_unit unit;
	bool of_member;   /* told of a bond's members alone: of others it is the lanes' sum */
	const char *wire; /* the field of the message */
	const char *help;
};

extern const struct vf_count vf_count_table[]; /* [VF_COUNTS] */

/* The count of a row. */
static inline const uint64_t *vf_count_of(const struct vf_counts *counts,
                                          const struct vf_count *row)
{
	return (const uint64_t *)((const char *)counts + row->offset);
}

/* What is lost with them, on the way to the guest and from it. */
uint64_t vf_counts_lost(const struct vf_counts *counts, enum lane_direction direction);

void vf_counts_add(struct vf_counts *sum, const struct vf_counts *counts);

#endif
