/* See idle.h. Pure but for the worker's own struct. */
#include "datapath/idle.h"

#include <rte_common.h>

#define US_PER_S  1000000
#define NS_PER_US 1000
#define NS_PER_MS 1000000

struct idle_policy idle_policy_of(uint64_t grace_us, uint64_t rest_max_us, uint64_t net_ms,
                                  uint64_t cycles_per_s)
{
	return (struct idle_policy){
	        .sleeps = true,
	        .grace_min = RTE_MIN(grace_us, IDLE_GRACE_MIN_US) * cycles_per_s / US_PER_S,
	        .grace_max = grace_us * cycles_per_s / US_PER_S,
	        .rest_max_ns = rest_max_us * NS_PER_US,
	        .net_ns = net_ms * NS_PER_MS,
	};
}

void idle_begin(struct idle *idle, const struct idle_policy *policy)
{
	*idle = (struct idle){.grace = policy->grace_max};
}

static void adapt_grace(struct idle *idle, const struct idle_policy *policy)
{
	uint64_t works = idle->works - idle->works_slept;

	if (works > 1)
		idle->grace = RTE_MIN(idle->grace * 2, policy->grace_max);
	else if (works == 1)
		idle->grace = RTE_MAX(idle->grace / 2, policy->grace_min);
	idle->works_slept = idle->works;
}

bool idle_is_due(struct idle *idle, const struct idle_policy *policy, uint64_t now)
{
	if (!policy->sleeps)
		return false;
	if (idle->works != idle->works_seen || idle->since == 0) {
		idle->works_seen = idle->works;
		idle->since = now;
		idle->rest_ns = 0;
		idle->due = false;
	}
	if (idle->due || now - idle->since < idle->grace)
		return idle->due;
	adapt_grace(idle, policy);
	idle->due = true;
	return true;
}

uint64_t idle_rest(struct idle *idle, const struct idle_policy *policy)
{
	idle->rest_ns = RTE_MIN(idle->rest_ns > 0 ? idle->rest_ns * 2 : IDLE_REST_MIN_NS,
	                        policy->rest_max_ns);
	return idle->rest_ns;
}
