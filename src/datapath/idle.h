/* When a worker whose lanes have nothing to do stops looking, and for how long it sleeps then: it
 * polls on for its grace. Where its lanes have alarms (alarms.h) it then sleeps until one goes off;
 * where they have none, it sleeps from IDLE_REST_MIN_NS on, twice as long each time, up to a limit:
 * a packet that comes meanwhile waits for that long at most.
 *
 * The grace follows what came of it, as the halt polling of hypervisors does: it doubles when there
 * was more work soon after a wake-up, and halves when there was no more than one pass of it.
 *
 * Arithmetic only: the data is the worker's own, and the policy constant while workers run.
 */
#ifndef DATAPATH_IDLE_H
#define DATAPATH_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#define IDLE_REST_MIN_NS  UINT64_C(10000)
#define IDLE_GRACE_MIN_US UINT64_C(10)

/* All zeros: who has lanes never sleeps. */
struct idle_policy {
	bool sleeps;
	uint64_t grace_min, grace_max; /* cycles */
	uint64_t rest_max_ns;          /* of sleeps by time; 0 = none */
	uint64_t net_ns;               /* of sleeps until an alarm goes off; 0 = no end */
};

struct idle {
	uint64_t works;       /* passes that have moved something; counted by the loop */
	uint64_t works_seen;  /* of them at the last pass that has not */
	uint64_t works_slept; /* and at the last sleep from which there was something to wake for */
	uint64_t since;       /* cycles: when it began to find nothing */
	uint64_t grace;       /* cycles */
	uint64_t rest_ns;     /* its last sleep by time, 0 = none since it had work */
	bool due;             /* the grace is over, and it has had no work since */
};

/* us, us and ms; a rest_max_us of 0: no sleeps by time; a net_ms of 0: as long as no alarm goes
 * off. cycles_per_s > 0. */
struct idle_policy idle_policy_of(uint64_t grace_us, uint64_t rest_max_us, uint64_t net_ms,
                                  uint64_t cycles_per_s);

void idle_begin(struct idle *idle, const struct idle_policy *policy);

/* After a pass that began at `now` cycles and has moved nothing: whether to sleep; else look again.
 */
bool idle_is_due(struct idle *idle, const struct idle_policy *policy, uint64_t now);

/* For how long, in ns, when the clock is to wake it; 0: not at all. Once for each sleep, when it is
 * due. */
uint64_t idle_rest(struct idle *idle, const struct idle_policy *policy);

#endif
