/* What lanes and workers cost, as measured: the workers count cycles (datapath/worker.c), once a
 * second these become loads. For those who ask, and for the balancer. Control thread only.
 */
#ifndef PLACEMENT_LOADS_H
#define PLACEMENT_LOADS_H

#include <stdint.h>

#include "balancer/balancer.h"
#include "relay/relay.h"

struct load {
	uint64_t busy_cycles; /* at the last sample */
	struct balancer_meter meter;
};

/* All zeros: nothing was measured yet. */
struct loads {
	struct load worker[LCORES_MAX]; /* [workers->count] */
	/* Likewise: how much of their time they sleep; and the one in which each was found. */
	struct load sleep[LCORES_MAX];
	uint64_t sleep_number[LCORES_MAX]; /* 0: it was awake */
	struct load vf_to_vm[RELAYS_MAX][VF_QUEUES_MAX];
	struct load vm_to_vf[RELAYS_MAX][GUEST_QUEUES_MAX];
};

/* What they have cost since the last call, elapsed_s > 0 ago. */
void loads_sample(struct loads *loads, const struct relays *relays, double elapsed_s);

static inline const struct balancer_meter *
loads_of_lane(const struct loads *loads, unsigned relay_id, unsigned direction, unsigned index)
{
	return direction == LANE_VF_TO_VM ? &loads->vf_to_vm[relay_id][index].meter
	                                  : &loads->vm_to_vf[relay_id][index].meter;
}

#endif
