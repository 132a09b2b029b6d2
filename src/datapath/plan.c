/* Making plans; see plan.h.
 */
#include "datapath/plan.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(offsetof(struct lane_work, stall_cycles) == RTE_CACHE_LINE_SIZE,
               "an ordinary pass reads the first cache line of a lane_work only");

struct plan *plan_create(const struct lane_work *works, unsigned n_works)
{
	size_t works_end = sizeof(struct plan) + n_works * sizeof(works[0]);
	size_t alarms = sizeof(struct plan_alarms) + n_works * sizeof(struct lane_alarm);
	struct plan *plan = aligned_alloc(RTE_CACHE_LINE_SIZE,
	                                  RTE_ALIGN_CEIL(works_end + alarms, RTE_CACHE_LINE_SIZE));

	if (plan == NULL)
		return NULL;
	plan->n_works = n_works;
	plan->alarms = (void *)((char *)plan + works_end);
	memset(plan->alarms, 0, alarms);
	if (n_works > 0)
		memcpy(plan->works, works, n_works * sizeof(works[0]));
	return plan;
}

/* Of what is a union, any member will do: the same functions use the same ones. */
bool lane_work_equal(const struct lane_work *a, const struct lane_work *b)
{
	return a->run == b->run && a->lane == b->lane && a->look == b->look &&
	       a->guest == b->guest && a->from_guest == b->from_guest && a->pool == b->pool &&
	       a->to_vf == b->to_vf && a->port_id == b->port_id && a->vf_queue == b->vf_queue &&
	       a->guest_queue == b->guest_queue && a->max_frame == b->max_frame &&
	       a->stall_cycles == b->stall_cycles && a->guest_queues == b->guest_queues &&
	       a->join == b->join && a->vlans == b->vlans && a->loss == b->loss &&
	       a->terms.features == b->terms.features &&
	       a->terms.capabilities == b->terms.capabilities &&
	       a->terms.max_frame == b->terms.max_frame &&
	       a->terms.max_mbufs == b->terms.max_mbufs && a->vf_alarm.kind == b->vf_alarm.kind &&
	       a->vf_alarm.fd == b->vf_alarm.fd && a->calls_by_time == b->calls_by_time;
}
