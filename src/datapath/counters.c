/* The table of the lanes' counters, see counters.h. Constant data.
 */
#include "datapath/counters.h"

#include "base/limits.h"
#include "datapath/backlog.h"

#define AT(field) offsetof(struct lane_counters, field)
#define HELD      LIMIT_TEXT(LANE_BACKLOG_VF_TO_VM)
#define STALL     LIMIT_TEXT(LANE_STALL_MS)

const struct lane_counter lane_counter_table[] = {
        {.offset = AT(rx_pkts),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_rx_from_vf", "pkts_rx_from_vm"},
         .help = "Received from the VF, or from the guest."},
        {.offset = AT(rx_bytes),
         .unit = COUNTER_BYTES,
         .wire = {"bytes_rx_from_vf", "bytes_rx_from_vm"}},
        {.offset = AT(tx_pkts),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_tx_to_vm", "pkts_tx_to_vf"},
         .help = "Handed to the guest, or to the VF."},
        {.offset = AT(tx_bytes),
         .unit = COUNTER_BYTES,
         .wire = {"bytes_tx_to_vm", "bytes_tx_to_vf"}},
        {.offset = AT(dropped_full_pkts),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_dropped_vm_queue_full", "pkts_dropped_vf_queue_full"},
         .help = "Lost because the target took no more. The guest posted no buffers, and the " HELD
                 " packets that a lane holds back were there already; or the VF accepted nothing "
                 "for " STALL " ms (its link is down, or the NIC hangs). Until then the guest's "
                 "packets wait in its own ring."},
        {.offset = AT(dropped_full_bytes),
         .unit = COUNTER_BYTES,
         .wire = {"bytes_dropped_vm_queue_full", "bytes_dropped_vf_queue_full"}},
        {.offset = AT(dropped_absent_pkts),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_dropped_vm_not_connected", "pkts_dropped_vf_not_connected"},
         .help = "Lost because there was no target: the VF received while no guest was there, or "
                 "the guest sent while its relay had no VF."},
        {.offset = AT(dropped_absent_bytes),
         .unit = COUNTER_BYTES,
         .wire = {"bytes_dropped_vm_not_connected", "bytes_dropped_vf_not_connected"}},
        {.offset = AT(dropped_invalid_pkts),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_dropped_invalid", "pkts_dropped_invalid"},
         .help = "The guest sent a frame shorter than an Ethernet header or longer than the "
                 "relay's MTU allows."},
        {.offset = AT(dropped_invalid_bytes),
         .unit = COUNTER_BYTES,
         .wire = {"bytes_dropped_invalid", "bytes_dropped_invalid"}},
        {.offset = AT(dropped_by_vf_pkts),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_dropped_by_vf", "pkts_dropped_by_vf"},
         .help = "Lost by the VF itself, as its NIC and driver tell: what did not come as far as "
                 "the relay (the sum of missed, no_mbuf and rx_errors), or what was handed to the "
                 "VF, and counts as that too, but was not sent (tx_errors)."},
};

_Static_assert(sizeof(lane_counter_table) == LANE_COUNTERS * sizeof(lane_counter_table[0]),
               "each counter has a row");

void lane_counters_add(struct lane_counters *sum, const struct lane_counters *counters)
{
	for (size_t i = 0; i < LANE_COUNTERS; i++) {
		const struct lane_counter *row = &lane_counter_table[i];

		*(uint64_t *)((char *)sum + row->offset) +=
		        counter_read(lane_counter_of(counters, row));
	}
}
