/* The lanes of a relay, and where placement has put them. All of it belongs to the control thread,
 * but a lane's contents are its worker's while a published plan names it.
 */
#ifndef RELAY_LANES_H
#define RELAY_LANES_H

#include <stddef.h>
#include <stdint.h>

#include "base/vlan_set.h"
#include "datapath/lane.h"

#define LANE_UNPLACED (-1)

struct lanes {
	struct lane vf_to_vm[VF_QUEUES_MAX];    /* [VF queue] */
	struct lane vm_to_vf[GUEST_QUEUES_MAX]; /* [guest queue pair] */
	/* Of the guest's frames, where the VF filters by VLAN; vm_to_vf lanes: add, control: reads
	 * and empties (relaxed) */
	struct vlan_set vlans_heard;
	/* The rest is written by placement alone: worker index, or LANE_UNPLACED; and the queue
	 * that the lane sent to when it was placed. */
	int16_t vf_to_vm_worker[VF_QUEUES_MAX];
	int16_t vm_to_vf_worker[GUEST_QUEUES_MAX];
	int16_t vf_to_vm_group[VF_QUEUES_MAX];
	int16_t vm_to_vf_group[GUEST_QUEUES_MAX];
	int16_t vf_to_vm_pin, vm_to_vf_pin; /* of all queues; LANE_UNPLACED: the balancer's */
};

#endif
