/* Making plans; see plan.h.
 */
#include "datapath/plan.h"

#include <stdlib.h>
#include <string.h>

struct plan *plan_create(const struct lane_work *works, unsigned n_works)
{
	struct plan *plan = malloc(sizeof(*plan) + n_works * sizeof(works[0]));

	if (plan == NULL)
		return NULL;
	plan->n_works = n_works;
	if (n_works > 0)
		memcpy(plan->works, works, n_works * sizeof(works[0]));
	return plan;
}

bool lane_work_equal(const struct lane_work *a, const struct lane_work *b)
{
	return a->run == b->run && a->lane == b->lane && a->guest == b->guest &&
	       a->pool == b->pool && a->port_id == b->port_id && a->vf_queue == b->vf_queue &&
	       a->guest_queue == b->guest_queue && a->guest_queues == b->guest_queues &&
	       a->max_frame == b->max_frame && a->mergeable == b->mergeable && a->send == b->send &&
	       a->stall_cycles == b->stall_cycles;
}
