/* The best that is possible on one node of a small world, found by looking at everything that could
 * be better than the best so far: how hot the hottest worker has to be at least if groups stay
 * together and at home, and pins are kept. Shares no code and no idea with the balancer's search.
 */
#ifndef SIM_EXACT_H
#define SIM_EXACT_H

#include "traces.h"

#define EXACT_GROUPS 32

struct exact {
	const struct world *world;
	unsigned n_workers, n_groups;
	unsigned worker[WORLD_WORKERS];
	double speed[WORLD_WORKERS]; /* capacity */
	double load[WORLD_WORKERS];
	int core[WORLD_WORKERS];
	double holds[WORLD_WORKERS]; /* share of its pressure that a worker can bear as load */
	double demand[EXACT_GROUPS];
	double left[EXACT_GROUPS + 1]; /* the demand from here on */
	double best;
};

static inline double exact_pressure(const struct exact *e, unsigned worker)
{
	double pressure = e->load[worker];

	for (unsigned v = 0; v < e->n_workers; v++)
		if (v != worker && e->core[v] != BALANCER_OWN_CORE && e->core[v] == e->core[worker])
			pressure += e->load[v] / 2;
	return pressure;
}

static inline bool exact_fits(const struct exact *e, unsigned worker)
{
	for (unsigned v = 0; v < e->n_workers; v++)
		if ((v == worker ||
		     (e->core[v] != BALANCER_OWN_CORE && e->core[v] == e->core[worker])) &&
		    exact_pressure(e, v) >= e->best * (1 - 1e-9))
			return false;
	return true;
}

static inline void exact_search(struct exact *e, unsigned i)
{
	double room = 0, hottest = 0;

	for (unsigned w = 0; w < e->n_workers; w++) {
		double more = e->holds[w] * e->best - e->load[w];

		/* A sibling's load may be above an even share: then the other's is below. */
		room += more > 0 || e->core[w] != BALANCER_OWN_CORE ? more * e->speed[w] : 0;
	}
	if (e->left[i] > room)
		return;
	if (i == e->n_groups) {
		for (unsigned w = 0; w < e->n_workers; w++)
			if (exact_pressure(e, w) > hottest)
				hottest = exact_pressure(e, w);
		if (hottest < e->best)
			e->best = hottest;
		return;
	}
	for (unsigned w = 0; w < e->n_workers; w++) {
		double cost = e->demand[i] / e->speed[w], before = e->load[w];
		bool twin = false;

		for (unsigned v = 0; v < w; v++)
			twin |= e->core[v] == BALANCER_OWN_CORE &&
			        e->core[w] == BALANCER_OWN_CORE && e->load[v] == e->load[w] &&
			        e->speed[v] == e->speed[w];
		if (twin)
			continue;
		e->load[w] += cost;
		if (exact_fits(e, w))
			exact_search(e, i + 1);
		e->load[w] = before;
	}
}

static inline double exact_hottest(const struct world *world, int node)
{
	static int group_at[RELAYS_MAX * 2 * BALANCER_GROUPS_MAX];
	struct exact e = {.world = world, .best = 1e9};
	double pinned = 0;

	for (unsigned w = 0; w < world->shape.workers; w++)
		if (world->workers[w].node == node) {
			unsigned siblings = 1;

			for (unsigned v = 0; v < world->shape.workers; v++)
				siblings += v != w && world->workers[w].core != BALANCER_OWN_CORE &&
				            world->workers[v].core == world->workers[w].core;
			e.holds[e.n_workers] = 2.0 / (siblings + 1);
			e.core[e.n_workers] = world->workers[w].core;
			e.speed[e.n_workers] = (double)world->workers[w].capacity / BALANCER_FULL;
			e.worker[e.n_workers++] = w;
		}
	memset(group_at, 0xff, sizeof(group_at));
	for (unsigned i = 0; i < world->snapshot.n_lanes; i++) {
		const struct balancer_lane *lane = &world->lanes[i];
		int *at = &group_at[(lane->relay * 2 + lane->direction) * BALANCER_GROUPS_MAX +
		                    lane->group];

		for (unsigned w = 0; w < e.n_workers; w++)
			if (lane->pin == (int)e.worker[w])
				e.load[w] += world_cost(world, i, e.worker[w]);
		if (lane->pin != BALANCER_NOWHERE || lane->vf_node != node)
			continue;
		if (*at < 0) {
			*at = (int)e.n_groups;
			e.demand[e.n_groups++] = 0;
		}
		e.demand[*at] += world->demand[i];
	}
	for (unsigned i = 1; i < e.n_groups; i++)
		for (unsigned j = i; j > 0 && e.demand[j] > e.demand[j - 1]; j--) {
			double heavier = e.demand[j];

			e.demand[j] = e.demand[j - 1];
			e.demand[j - 1] = heavier;
		}
	for (unsigned i = e.n_groups; i-- > 0;)
		e.left[i] = e.left[i + 1] + e.demand[i];
	exact_search(&e, 0);
	for (unsigned w = 0; w < e.n_workers; w++)
		if (exact_pressure(&e, w) > pinned)
			pinned = exact_pressure(&e, w);
	return e.best > pinned ? e.best : pinned;
}

#endif
