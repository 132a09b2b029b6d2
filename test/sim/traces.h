/* Made-up machines and loads for the balancer's tests and its simulator: a world of relays, workers
 * and nodes, loads that change from phase to phase as a kind of traffic would make them, and what
 * the balancer is compared with: a greedy that re-places everything, and lower bounds.
 */
#ifndef SIM_TRACES_H
#define SIM_TRACES_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "balancer/balancer.h"

#define WORLD_LANES   4096
#define WORLD_WORKERS 128

/* --- chance, the same every time ------------------------------------------------------------ */

struct dice {
	uint64_t state;
};

static inline uint64_t dice_next(struct dice *dice)
{
	uint64_t z = dice->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static inline unsigned dice_below(struct dice *dice, unsigned n)
{
	return (unsigned)(dice_next(dice) % n);
}

static inline double dice_unit(struct dice *dice)
{
	return (double)(dice_next(dice) >> 11) / 9007199254740992.0;
}

/* --- a world --------------------------------------------------------------------------------- */

enum trace_kind {
	TRACE_STEADY,      /* constant, with some jitter */
	TRACE_BURSTY,      /* relays that come alive and fall silent */
	TRACE_DIURNAL,     /* each relay has its own time of day */
	TRACE_ADVERSARIAL, /* what shares a worker now grows together */
	TRACE_STORM,       /* everything is different each time */
	TRACE_KINDS,
};

static const char *const trace_names[TRACE_KINDS] = {"steady", "bursty", "diurnal", "adversarial",
                                                     "storm"};

struct world_shape {
	unsigned relays, pairs, workers, nodes;
	bool siblings; /* two workers a core */
	unsigned pinned_pct;
	double mean_load; /* of a worker, in the first phase */
};

struct world {
	struct dice dice;
	struct world_shape shape;
	enum trace_kind kind;
	unsigned phase;
	double jitter;
	struct balancer_lane lanes[WORLD_LANES];
	struct balancer_worker workers[WORLD_WORKERS];
	double base[WORLD_LANES];   /* what a lane asks for when its relay is awake */
	double demand[WORLD_LANES]; /* what it asks for now, at home, in shares of a CPU */
	bool awake[RELAYS_MAX];
	struct balancer_snapshot snapshot; /* of lanes and workers: settings are the caller's */
};

/* Many small lanes and some large ones. */
static inline double world_draw(struct dice *dice)
{
	return exp(1.2 * (dice_unit(dice) + dice_unit(dice) + dice_unit(dice) - 1.5));
}

static inline void world_scale(struct world *world, double total)
{
	double sum = 0;

	for (unsigned i = 0; i < world->snapshot.n_lanes; i++)
		sum += world->demand[i];
	for (unsigned i = 0; i < world->snapshot.n_lanes && sum > 0; i++)
		world->demand[i] *= total / sum;
}

/* A lane is polled by one CPU, and it must still be measurable far from home. */
static inline void world_clamp(struct world *world)
{
	for (unsigned i = 0; i < world->snapshot.n_lanes; i++)
		if (world->demand[i] > 0.65)
			world->demand[i] = 0.65;
}

/* Loads as they would be measured with the lanes where they are. */
static inline void world_measure(struct world *world)
{
	for (unsigned i = 0; i < world->snapshot.n_lanes; i++) {
		struct balancer_lane *lane = &world->lanes[i];
		double load = world->demand[i];

		if (lane->worker != BALANCER_NOWHERE)
			load *= 1 + balancer_remote_pct(lane, world->workers[lane->worker].node) /
			                    100.0;
		lane->load = load < 1 ? (uint32_t)(load * BALANCER_FULL) : BALANCER_FULL;
	}
}

static inline void world_apply(struct world *world, const struct balancer_result *result)
{
	for (unsigned i = 0; i < world->snapshot.n_lanes; i++)
		world->lanes[i].worker = result->workers[i];
}

static inline void world_init(struct world *world, uint64_t seed, enum trace_kind kind,
                              const struct world_shape *shape)
{
	unsigned n = 0;

	memset(world, 0, sizeof(*world));
	world->dice.state = seed;
	world->kind = kind;
	world->shape = *shape;
	world->jitter = 0.05;
	for (unsigned i = 0; i < shape->workers; i++)
		world->workers[i] = (struct balancer_worker){
		        .node = (int16_t)(i * shape->nodes / shape->workers),
		        .core = shape->siblings ? (int16_t)(i / 2) : BALANCER_OWN_CORE,
		        .lcore = (uint16_t)(i + 1),
		        .capacity = BALANCER_FULL};
	for (unsigned r = 0; r < shape->relays; r++) {
		int16_t node = (int16_t)(r % shape->nodes);

		world->awake[r] = true;
		for (unsigned d = 0; d < 2; d++) {
			int16_t pin = dice_below(&world->dice, 100) < shape->pinned_pct
			                      ? (int16_t)dice_below(&world->dice, shape->workers)
			                      : BALANCER_NOWHERE;

			for (unsigned q = 0; q < shape->pairs; q++, n++) {
				world->lanes[n] = (struct balancer_lane){.relay = (uint8_t)r,
				                                         .direction = (uint8_t)d,
				                                         .index = (uint8_t)q,
				                                         .group = (uint8_t)q,
				                                         .pin = pin,
				                                         .worker = BALANCER_NOWHERE,
				                                         .vf_node = node,
				                                         .pool_node = node,
				                                         .guest_node = node};
				world->base[n] = world_draw(&world->dice);
				world->demand[n] = world->base[n];
			}
		}
	}
	world->snapshot.lanes = world->lanes;
	world->snapshot.n_lanes = n;
	world->snapshot.workers = world->workers;
	world->snapshot.n_workers = shape->workers;
	world_scale(world, shape->mean_load * shape->workers);
	world_clamp(world);
	memcpy(world->base, world->demand, sizeof(world->base));
}

/* --- phases ---------------------------------------------------------------------------------- */

static inline void world_attack(struct world *world)
{
	double on[WORLD_WORKERS] = {0};
	unsigned n = world->snapshot.n_lanes, victims = (world->shape.workers + 3) / 4;

	for (unsigned i = 0; i < n; i++)
		if (world->lanes[i].worker != BALANCER_NOWHERE)
			on[world->lanes[i].worker] = dice_unit(&world->dice) + 1;
	/* Whatever is on some of the workers grows two- to fourfold, the others' lanes shrink. */
	for (unsigned v = 0; v < victims; v++) {
		unsigned worst = 0;

		for (unsigned w = 1; w < world->shape.workers; w++)
			if (on[w] > on[worst])
				worst = w;
		on[worst] = -(2 + 2 * dice_unit(&world->dice));
	}
	for (unsigned i = 0; i < n; i++) {
		double by =
		        world->lanes[i].worker == BALANCER_NOWHERE ? 0 : on[world->lanes[i].worker];

		world->demand[i] = world->base[i] * (by < 0 ? -by : 1);
	}
	world_scale(world, world->shape.mean_load * world->shape.workers);
}

/* The loads of the next phase. */
static inline void world_advance(struct world *world)
{
	unsigned n = world->snapshot.n_lanes;
	const double day = 24;

	world->phase++;
	if (world->kind == TRACE_ADVERSARIAL)
		world_attack(world);
	for (unsigned r = 0; r < world->shape.relays; r++)
		if (dice_below(&world->dice, 100) < 10)
			world->awake[r] = !world->awake[r];
	for (unsigned i = 0; i < n && world->kind != TRACE_ADVERSARIAL; i++) {
		unsigned relay = world->lanes[i].relay;
		double hour = fmod(world->phase + relay * day / world->shape.relays, day);
		double by = 1 + world->jitter * (2 * dice_unit(&world->dice) - 1);

		if (world->kind == TRACE_BURSTY)
			by *= world->awake[relay] ? 1 : 0.1;
		if (world->kind == TRACE_DIURNAL)
			by *= 0.55 + 0.45 * sin(hour / day * 2 * M_PI);
		world->demand[i] = world->base[i] * by;
		if (world->kind == TRACE_STORM)
			world->demand[i] = world_draw(&world->dice);
	}
	if (world->kind == TRACE_STORM)
		world_scale(world, world->shape.mean_load * world->shape.workers);
	world_clamp(world);
}

/* --- what the balancer is held against ------------------------------------------------------- */

/* What lane i costs worker w, whole, and a worker's pressure. */
static inline double world_cost(const struct world *world, unsigned lane, unsigned worker)
{
	return world->demand[lane] *
	       (1 + balancer_remote_pct(&world->lanes[lane], world->workers[worker].node) / 100.0) *
	       BALANCER_FULL / world->workers[worker].capacity;
}

static inline void world_pressures(const struct world *world, const int16_t *placement,
                                   double *pressure)
{
	double load[WORLD_WORKERS] = {0};

	for (unsigned i = 0; i < world->snapshot.n_lanes; i++)
		if (placement[i] != BALANCER_NOWHERE)
			load[placement[i]] += world_cost(world, i, (unsigned)placement[i]);
	for (unsigned w = 0; w < world->shape.workers; w++) {
		pressure[w] = load[w];
		for (unsigned v = 0; v < world->shape.workers; v++)
			if (v != w && world->workers[w].core != BALANCER_OWN_CORE &&
			    world->workers[v].core == world->workers[w].core)
				pressure[w] += load[v] / 2;
	}
}

static inline double world_hottest(const struct world *world, const int16_t *placement, int node)
{
	double pressure[WORLD_WORKERS], hottest = 0;

	world_pressures(world, placement, pressure);
	for (unsigned w = 0; w < world->shape.workers; w++)
		if ((node < 0 || world->workers[w].node == node) && pressure[w] > hottest)
			hottest = pressure[w];
	return hottest;
}

struct heavy {
	double demand;
	unsigned lane;
};

static inline int heavy_compare(const void *a, const void *b)
{
	const struct heavy *x = a, *y = b;

	if (x->demand != y->demand)
		return x->demand < y->demand ? 1 : -1;
	return x->lane < y->lane ? -1 : 1;
}

/* The lanes of a node (those that are not pinned), the heaviest first. */
static inline unsigned world_heaviest(const struct world *world, int node, struct heavy *heavy)
{
	unsigned n = 0;

	for (unsigned i = 0; i < world->snapshot.n_lanes; i++)
		if (world->lanes[i].vf_node == node && world->lanes[i].pin == BALANCER_NOWHERE)
			heavy[n++] = (struct heavy){.demand = world->demand[i], .lane = i};
	qsort(heavy, n, sizeof(*heavy), heavy_compare);
	return n;
}

/* What an outside balancer does: takes everything off, and puts the heaviest lane onto the least
 * loaded worker of its node, then the next. Returns how many lanes are elsewhere than before. For
 * worlds of one lane a group. */
static inline unsigned greedy_place(const struct world *world, int16_t *placement)
{
	static struct heavy heavy[WORLD_LANES];
	double load[WORLD_WORKERS] = {0};
	unsigned moved = 0;

	for (unsigned i = 0; i < world->snapshot.n_lanes; i++)
		if (world->lanes[i].pin != BALANCER_NOWHERE)
			load[world->lanes[i].pin] +=
			        world_cost(world, i, (unsigned)world->lanes[i].pin);
	for (unsigned node = 0; node < world->shape.nodes; node++) {
		unsigned n = world_heaviest(world, (int)node, heavy);

		for (unsigned i = 0; i < n; i++) {
			int best = -1;

			for (unsigned w = 0; w < world->shape.workers; w++)
				if (world->workers[w].node == (int)node &&
				    (best < 0 || load[w] < load[best]))
					best = (int)w;
			load[best] += heavy[i].demand;
			if (placement[heavy[i].lane] != best)
				moved++;
			placement[heavy[i].lane] = (int16_t)best;
		}
	}
	return moved;
}

/* No placement that keeps to the nodes and pins makes the hottest worker of this node less hot than
 * this. For workers without siblings. */
static inline double lower_bound(const struct world *world, int node)
{
	static struct heavy heavy[WORLD_LANES];
	unsigned n = world_heaviest(world, node, heavy), m = 0;
	double pinned[WORLD_WORKERS] = {0}, sum = 0, bound = 0, together = 0;

	for (unsigned i = 0; i < world->snapshot.n_lanes; i++)
		if (world->lanes[i].pin != BALANCER_NOWHERE)
			pinned[world->lanes[i].pin] +=
			        world_cost(world, i, (unsigned)world->lanes[i].pin);
	for (unsigned w = 0; w < world->shape.workers; w++) {
		if (world->workers[w].node != node)
			continue;
		m++;
		sum += pinned[w];
		if (pinned[w] > bound)
			bound = pinned[w];
	}
	for (unsigned i = 0; i < n; i++)
		sum += heavy[i].demand;
	if (sum / m > bound)
		bound = sum / m;
	if (n > 0 && heavy[0].demand > bound)
		bound = heavy[0].demand;
	/* Of the k·m + 1 heaviest, some worker has k + 1, at least the lightest of them. */
	for (unsigned k = 1; k * m < n; k++) {
		together = 0;
		for (unsigned i = 0; i <= k; i++)
			together += heavy[k * m - i].demand;
		if (together > bound)
			bound = together;
	}
	return bound;
}

#endif
