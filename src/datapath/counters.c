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
         .help = "Lost because the target took no more: the sum of what the guest had no buffers "
                 "for, what was too long for them, and what its ring was broken for; or all that "
                 "the VF was stalled for."},
        {.offset = AT(dropped_full_bytes),
         .unit = COUNTER_BYTES,
         .wire = {"bytes_dropped_vm_queue_full", "bytes_dropped_vf_queue_full"}},
        {.offset = AT(dropped_absent_pkts),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_dropped_vm_not_connected", "pkts_dropped_vf_not_connected"},
         .help = "Lost because there was no target, a sum: the VF received while no guest was "
                 "there (no front end, no driver, or it left), or the guest sent while its relay "
                 "had no VF (none, one that was not ready, or it left)."},
        {.offset = AT(dropped_absent_bytes),
         .unit = COUNTER_BYTES,
         .wire = {"bytes_dropped_vm_not_connected", "bytes_dropped_vf_not_connected"}},
        {.offset = AT(dropped_invalid_pkts),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_dropped_invalid", "pkts_dropped_invalid"},
         .help = "The guest sent what no VF may be given: the sum of runts, of frames that "
                 "were too long, and of invalid headers."},
        {.offset = AT(dropped_invalid_bytes),
         .unit = COUNTER_BYTES,
         .wire = {"bytes_dropped_invalid", "bytes_dropped_invalid"}},
        {.offset = AT(dropped_by_vf_pkts),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_dropped_by_vf", "pkts_dropped_by_vf"},
         .help = "Lost by the VF itself, as its NIC and driver tell: what did not come as far as "
                 "the relay (the sum of missed, no_mbuf and rx_errors), or what was handed to the "
                 "VF, and counts as that too, but was not sent (tx_errors)."},
        {.offset = AT(no_room.pkts),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_dropped_vm_no_buffers", "pkts_dropped_vf_stalled"},
         .part_of = {AT(dropped_full_pkts), AT(dropped_full_pkts)},
         .help = "The guest had posted no buffers, and the " HELD " packets that a lane holds "
                 "back were there already; or the VF accepted nothing for " STALL
                 " ms (its link is down, or the NIC hangs), or for so long there were no packet "
                 "buffers to cut the guest's frames into. Until then its packets wait in its own "
                 "ring."},
        {.offset = AT(no_room.bytes),
         .unit = COUNTER_BYTES,
         .wire = {"bytes_dropped_vm_no_buffers", "bytes_dropped_vf_stalled"},
         .part_of = {AT(dropped_full_bytes), AT(dropped_full_bytes)}},
        {.offset = AT(too_long.pkts),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_dropped_vm_too_long", "pkts_dropped_too_long"},
         .part_of = {AT(dropped_full_pkts), AT(dropped_invalid_pkts)},
         .help = "A frame longer than the buffers that the guest has posted, without mergeable "
                 "ones; or one from the guest that is longer than the VF's MTU allows."},
        {.offset = AT(too_long.bytes),
         .unit = COUNTER_BYTES,
         .wire = {"bytes_dropped_vm_too_long", "bytes_dropped_too_long"},
         .part_of = {AT(dropped_full_bytes), AT(dropped_invalid_bytes)}},
        {.offset = AT(malformed.pkts),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_dropped_vm_ring_broken", "pkts_dropped_runt"},
         .part_of = {AT(dropped_full_pkts), AT(dropped_invalid_pkts)},
         .help = "The guest's ring offered more buffers than it has, which a working driver never "
                 "does; or a frame from the guest was shorter than an Ethernet header."},
        {.offset = AT(malformed.bytes),
         .unit = COUNTER_BYTES,
         .wire = {"bytes_dropped_vm_ring_broken", "bytes_dropped_runt"},
         .part_of = {AT(dropped_full_bytes), AT(dropped_invalid_bytes)}},
        {.offset = AT(bad_header.pkts),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_dropped_invalid_header", "pkts_dropped_invalid_header"},
         .part_of = {AT(dropped_invalid_pkts), AT(dropped_invalid_pkts)},
         .help = "The header before a frame from the guest asked for a checksum or for segmentation that was "
                 "not negotiated, or that the frame is not fit for; a working driver never does."},
        {.offset = AT(bad_header.bytes),
         .unit = COUNTER_BYTES,
         .wire = {"bytes_dropped_invalid_header", "bytes_dropped_invalid_header"},
         .part_of = {AT(dropped_invalid_bytes), AT(dropped_invalid_bytes)}},
        {.offset = AT(absent[ABSENT_NOBODY].pkts),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_dropped_vm_no_front_end", "pkts_dropped_vf_none"},
         .part_of = {AT(dropped_absent_pkts), AT(dropped_absent_pkts)},
         .help = "Nobody was connected to the relay's socket; or the relay had no VF."},
        {.offset = AT(absent[ABSENT_NOBODY].bytes),
         .unit = COUNTER_BYTES,
         .wire = {"bytes_dropped_vm_no_front_end", "bytes_dropped_vf_none"},
         .part_of = {AT(dropped_absent_bytes), AT(dropped_absent_bytes)}},
        {.offset = AT(absent[ABSENT_NOT_READY].pkts),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_dropped_vm_no_driver", "pkts_dropped_vf_not_ready"},
         .part_of = {AT(dropped_absent_pkts), AT(dropped_absent_pkts)},
         .help = "A front end was connected, but the guest had no driver running that receives "
                 "(it boots, say); or the relay's VF was being attached, had been lost and was "
                 "not back yet, or was on its way out."},
        {.offset = AT(absent[ABSENT_NOT_READY].bytes),
         .unit = COUNTER_BYTES,
         .wire = {"bytes_dropped_vm_no_driver", "bytes_dropped_vf_not_ready"},
         .part_of = {AT(dropped_absent_bytes), AT(dropped_absent_bytes)}},
        {.offset = AT(absent[ABSENT_LEFT].pkts),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_dropped_vm_left", "pkts_dropped_vf_left"},
         .part_of = {AT(dropped_absent_pkts), AT(dropped_absent_pkts)},
         .help = "The guest, or the VF, left while packets were on their way to it."},
        {.offset = AT(absent[ABSENT_LEFT].bytes),
         .unit = COUNTER_BYTES,
         .wire = {"bytes_dropped_vm_left", "bytes_dropped_vf_left"},
         .part_of = {AT(dropped_absent_bytes), AT(dropped_absent_bytes)}},
        {.offset = AT(checksummed_by_vf),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_checksummed_by_vf", "pkts_checksummed_by_vf"},
         .help = "Frames from the guest whose checksum the VF's NIC has completed."},
        {.offset = AT(checksummed_by_software),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_checksummed_by_software", "pkts_checksummed_by_software"},
         .help = "Frames from the guest whose checksum was completed on a worker."},
        {.offset = AT(segmented_by_vf),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_segmented_by_vf", "pkts_segmented_by_vf"},
         .help = "Frames from the guest that the VF's NIC has cut into segments."},
        {.offset = AT(segmented_by_software),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_segmented_by_software", "pkts_segmented_by_software"},
         .help = "Frames from the guest that were cut into segments on a worker; what was handed to the VF "
                 "counts these segments."},
        {.offset = AT(coalesced),
         .unit = COUNTER_PACKETS,
         .wire = {"pkts_coalesced", "pkts_coalesced"},
         .help = "Segments that went to the guest as a part of the frame that came before them (--gro): of so "
                 "many packets more it has got the data than were handed to it."},
};

_Static_assert(sizeof(lane_counter_table) == LANE_COUNTERS * sizeof(lane_counter_table[0]),
               "each counter has a row");

const struct lane_counter *lane_counter_sum(const struct lane_counter *row,
                                            enum lane_direction direction)
{
	for (size_t i = 0; row->part_of[direction] != 0 && i < LANE_COUNTERS; i++)
		if (lane_counter_table[i].offset == row->part_of[direction])
			return &lane_counter_table[i];
	return NULL;
}

bool lane_counter_is_sum(const struct lane_counter *row)
{
	for (size_t i = 0; i < LANE_COUNTERS; i++)
		for (unsigned d = 0; d < LANE_DIRECTIONS; d++)
			if (lane_counter_sum(&lane_counter_table[i], d) == row)
				return true;
	return false;
}

void lane_counters_add(struct lane_counters *sum, const struct lane_counters *counters)
{
	for (size_t i = 0; i < LANE_COUNTERS; i++) {
		const struct lane_counter *row = &lane_counter_table[i];

		*(uint64_t *)((char *)sum + row->offset) +=
		        counter_read(lane_counter_of(counters, row));
	}
}
