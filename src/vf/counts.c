/* The table of the VFs' counts, see counts.h. Constant data.
 */
#include "vf/counts.h"

#define AT(field) offsetof(struct vf_counts, field)

const struct vf_count vf_count_table[] = {
        {.offset = AT(missed),
         .unit = COUNTER_PACKETS,
         .wire = "missed",
         .help = "Came while no receive descriptor was free."},
        {.offset = AT(no_mbuf),
         .unit = COUNTER_PACKETS,
         .wire = "no_mbuf",
         .help = "Receive buffers that could not be had."},
        {.offset = AT(rx_errors),
         .unit = COUNTER_PACKETS,
         .wire = "rx_errors",
         .help = "Were damaged on arrival."},
        {.offset = AT(tx_errors),
         .unit = COUNTER_PACKETS,
         .wire = "tx_errors",
         .help = "Failed to be sent."},
        {.offset = AT(rx_pkts),
         .unit = COUNTER_PACKETS,
         .of_member = true,
         .wire = "pkts_rx",
         .help = "Received by a member of a bond."},
        {.offset = AT(rx_bytes),
         .unit = COUNTER_BYTES,
         .of_member = true,
         .wire = "bytes_rx",
         .help = "Their bytes."},
        {.offset = AT(tx_pkts),
         .unit = COUNTER_PACKETS,
         .of_member = true,
         .wire = "pkts_tx",
         .help = "Sent by a member of a bond."},
        {.offset = AT(tx_bytes),
         .unit = COUNTER_BYTES,
         .of_member = true,
         .wire = "bytes_tx",
         .help = "Their bytes."},
};

_Static_assert(sizeof(vf_count_table) == VF_COUNTS * sizeof(vf_count_table[0]),
               "each count has a row");

void vf_counts_add(struct vf_counts *sum, const struct vf_counts *counts)
{
	for (size_t i = 0; i < VF_COUNTS; i++) {
		const struct vf_count *row = &vf_count_table[i];

		*(uint64_t *)((char *)sum + row->offset) += *vf_count_of(counts, row);
	}
}
