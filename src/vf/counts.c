/* The table of the VFs' counts, see counts.h. Constant data.
 */
#include "vf/counts.h"

#define AT(field) offsetof(struct vf_counts, field)

const struct vf_count vf_count_table[] = {
        {.offset = AT(missed),
         .unit = COUNTER_PACKETS,
         .wire = "missed",
         .help = "Packets that came while no receive descriptor was free."},
        {.offset = AT(no_mbuf),
         .unit = COUNTER_PACKETS,
         .wire = "no_mbuf",
         .help = "Receive buffers that could not be had, so that packets were lost."},
        {.offset = AT(rx_errors),
         .unit = COUNTER_PACKETS,
         .wire = "rx_errors",
         .help = "Packets that were damaged on arrival."},
        {.offset = AT(tx_errors),
         .unit = COUNTER_PACKETS,
         .wire = "tx_errors",
         .help = "Packets that were accepted but could not be sent."},
        {.offset = AT(rx_pkts),
         .unit = COUNTER_PACKETS,
         .of_member = true,
         .wire = "pkts_rx",
         .help = "Packets received by a member of a bond."},
        {.offset = AT(rx_bytes),
         .unit = COUNTER_BYTES,
         .of_member = true,
         .wire = "bytes_rx",
         .help = "Bytes received by a member of a bond."},
        {.offset = AT(tx_pkts),
         .unit = COUNTER_PACKETS,
         .of_member = true,
         .wire = "pkts_tx",
         .help = "Packets sent by a member of a bond."},
        {.offset = AT(tx_bytes),
         .unit = COUNTER_BYTES,
         .of_member = true,
         .wire = "bytes_tx",
         .help = "Bytes sent by a member of a bond."},
};

_Static_assert(sizeof(vf_count_table) == VF_COUNTS * sizeof(vf_count_table[0]),
               "each count has a row");

uint64_t vf_counts_lost(const struct vf_counts *counts, enum lane_direction direction)
{
	return direction == LANE_VF_TO_VM ? counts->missed + counts->no_mbuf + counts->rx_errors
	                                  : counts->tx_errors;
}

void vf_counts_add(struct vf_counts *sum, const struct vf_counts *counts)
{
	for (size_t i = 0; i < VF_COUNTS; i++) {
		const struct vf_count *row = &vf_count_table[i];

		*(uint64_t *)((char *)sum + row->offset) += *vf_count_of(counts, row);
	}
}
