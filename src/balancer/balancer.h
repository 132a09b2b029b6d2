/* The balancer: which worker polls which lane. Pure arithmetic over a snapshot: no I/O, no clock,
 * no allocation after balancer_create, and the same snapshot always gives the same answer. Nothing
 * here is shared: a balancer belongs to the thread that created it.
 *
 * What it minimises, and what it may not touch:
 *  - Lanes of one relay and direction with the same group stay on one worker; pins are absolute.
 *  - A group belongs on the NUMA node where serving it is cheapest (its VF, its packet memory and
 *    its guest's memory are weighed). It leaves that node only with global_numa_opt, or when every
 *    worker there is or would be saturated and a remote one is idle; and it comes home when there
 *    is room again, with a gap between the two marks.
 *  - Threads of one core slow each other down: a worker's pressure is its own load and half of what
 *    its siblings do. So siblings are filled last.
 *  - Each domain (workers between which groups may move: a NUMA node, mostly) is judged by itself.
 *    Its busiest worker is relieved; one that nothing can relieve, because it has but one group or
 *    only pinned ones, is set aside and the rest judged without it.
 *  - A round is carried out only if it takes away enough of the busiest worker's excess over the
 *    mean (sensitivity), and more than what the loads' noise can feign; and what was judged once is
 *    not judged again before a load has changed by more than its noise. Each round that moves
 *    anything makes the busiest workers less busy, so that no placement ever comes back under
 *    steady loads. A domain within 1/40 of the lower bound of what is possible is left alone.
 *
 * How near that comes to the best: within 3 % of the lower bound where workers have many lanes to
 * choose from, and within 5 % of the optimum on tiny machines, of a few workers and lanes.
 */
#ifndef BALANCER_BALANCER_H
#define BALANCER_BALANCER_H

#include "balancer/explain.h"
#include "balancer/meter.h"
#include "balancer/snapshot.h"

struct balancer;

/* For at most so many lanes and workers. NULL + errno. */
struct balancer *balancer_create(unsigned lanes_max, unsigned workers_max);
void balancer_destroy(struct balancer *balancer);

/* One round. Lanes that are on no worker are placed, groups united, pins followed, in any case; of
 * what makes the loads more even, at most moves_max lanes move (a group that is larger stays). 0,
 * or -EINVAL with nothing decided if the snapshot contradicts itself (see balancer_lane and so on).
 */
int balancer_round(struct balancer *balancer, const struct balancer_snapshot *snapshot,
                   struct balancer_result *result);

/* Only what cannot wait: places lanes that are on no worker, follows pins, unites groups, and
 * leaves all others where they are. Needs no loads. As balancer_round. */
int balancer_place(struct balancer *balancer, const struct balancer_snapshot *snapshot,
                   struct balancer_result *result);

/* What moves_max = 0 means: half of the lanes, at least 16. So three rounds can turn any placement
 * into any other, and a lane may move again in between. */
unsigned balancer_default_moves(unsigned n_lanes);

#endif
