/* The packet path: what a worker does with a lane at each pass, one function per variant, chosen
 * once when the plan is made. Called by the lane's owner only.
 */
#ifndef DATAPATH_BURST_H
#define DATAPATH_BURST_H

#include "datapath/plan.h"

/* Each takes at most LANE_BURST packets from the source, after the lane's backlog has had its
 * turn, and returns how many packets it moved or dropped. */
unsigned burst_vf_to_vm(const struct lane_work *work);
unsigned burst_vf_to_vm_spread(const struct lane_work *work); /* over several guest queues */
/* The same with the segments of a burst joined: work->join. */
unsigned burst_vf_to_vm_joined(const struct lane_work *work);
unsigned burst_vf_to_vm_spread_joined(const struct lane_work *work);
/* work->join for a guest that has negotiated these features of virtio's; 0: none of the two. */
uint32_t burst_join(uint64_t features);
unsigned burst_vf_to_nobody(const struct lane_work *work); /* no guest: read, count, drop */
unsigned burst_vm_to_vf(const struct lane_work *work);
/* The same where somebody wants to know which VLANs the guest uses: work->vlans. */
unsigned burst_vm_to_vf_vlans(const struct lane_work *work);
/* The same from a guest that may ask for offloads: work->terms. */
unsigned burst_vm_to_vf_offloads(const struct lane_work *work);
unsigned burst_vm_to_nobody(const struct lane_work *work); /* no VF: read, count, drop */

/* A bond in mode 802.3ad (LACP) has packets of its own to send, which go out when a worker calls to
 * send, be it nothing: each 100 ms at the latest, so no worker with such a lane may sleep longer.
 */
unsigned burst_vm_to_lacp(const struct lane_work *work);
unsigned burst_nobody_to_lacp(const struct lane_work *work); /* no guest */

#endif
