/* What the balancer's tests on generated worlds share: a world, a balancer, and a round that checks
 * all that has to hold in every round.
 */
#ifndef TEST_BALANCER_RIG_H
#define TEST_BALANCER_RIG_H

#include <check.h>
#include <errno.h>
#include <stdio.h>

#include "test/sim/traces.h"

#define ROUNDS 3 /* in which it has to be done */

/* check's own assertions each write to a pipe, which is slow in a loop. */
#define require(condition, ...)                    \
	do {                                       \
		if (!(condition))                  \
			ck_abort_msg(__VA_ARGS__); \
	} while (0)

static struct balancer *balancer;
static struct world world;
static int16_t placement[WORLD_LANES]; /* of the lanes of `world` */
static struct balancer_result result;

static inline void set_up(void)
{
	balancer = balancer_create(WORLD_LANES, WORLD_WORKERS);
	ck_assert_ptr_nonnull(balancer);
}

static inline void tear_down(void)
{
	balancer_destroy(balancer);
}

/* --- what holds in every round -------------------------------------------------------------- */

static inline int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x < *y) - (*x > *y);
}

/* Compares node by node (or over all, where lanes may go anywhere) the pressures in falling order:
 * at the first difference, it has to be less. */
static inline void check_never_worse(const double *before, const double *after)
{
	bool anywhere = world.snapshot.settings.global_numa_opt ||
	                world.lanes[world.snapshot.n_lanes - 1].vf_node == BALANCER_ANY_NODE;

	for (unsigned node = 0; node < (anywhere ? 1 : world.shape.nodes); node++) {
		double x[WORLD_WORKERS], y[WORLD_WORKERS];
		unsigned n = 0, i = 0;

		for (unsigned w = 0; w < world.shape.workers; w++)
			if (anywhere || world.workers[w].node == (int)node) {
				x[n] = before[w];
				y[n++] = after[w];
			}
		qsort(x, n, sizeof(*x), by_size);
		qsort(y, n, sizeof(*y), by_size);
		while (i < n && fabs(x[i] - y[i]) <= 0.002 * x[i] + 1e-4)
			i++;
		require(i == n || y[i] < x[i], "node %u: %f before, %f after", node, x[i], y[i]);
	}
}

static inline void check_moves(void)
{
	unsigned n = 0, voluntary = 0, allowed = world.snapshot.settings.moves_max;

	if (allowed == 0)
		allowed = balancer_default_moves(world.snapshot.n_lanes);
	for (unsigned i = 0; i < world.snapshot.n_lanes; i++) {
		const struct balancer_lane *lane = &world.lanes[i];

		require(result.workers[i] >= 0 && result.workers[i] < (int)world.shape.workers,
		        "lane %u: worker %d", i, result.workers[i]);
		require(lane->pin == BALANCER_NOWHERE || result.workers[i] == lane->pin,
		        "lane %u: pinned to %d, on %d", i, lane->pin, result.workers[i]);
		if (result.workers[i] == lane->worker)
			continue;
		require(n < result.n_moves && result.moves[n].lane == i &&
		                result.moves[n].from == lane->worker &&
		                result.moves[n].to == result.workers[i],
		        "lane %u moves from %d to %d, and the list does not say so", i,
		        lane->worker, result.workers[i]);
		voluntary += result.moves[n].reason >= BALANCER_HOME;
		n++;
	}
	require(n == result.n_moves, "%u moves, %u listed", n, result.n_moves);
	require(voluntary <= allowed, "%u moves, %u allowed", voluntary, allowed);
}

static inline void check_groups(void)
{
	static int16_t seen[RELAYS_MAX][2][BALANCER_GROUPS_MAX];

	memset(seen, 0xff, sizeof(seen));
	for (unsigned i = 0; i < world.snapshot.n_lanes; i++) {
		const struct balancer_lane *lane = &world.lanes[i];
		int16_t *worker = &seen[lane->relay][lane->direction][lane->group];

		require(*worker < 0 || *worker == result.workers[i], "lane %u: group split", i);
		*worker = result.workers[i];
	}
}

static inline void check_home(void)
{
	for (unsigned i = 0; i < world.snapshot.n_lanes; i++)
		if (world.lanes[i].pin == BALANCER_NOWHERE)
			require(world.workers[result.workers[i]].node == world.lanes[i].vf_node,
			        "lane %u: not at home", i);
}

static inline void copy_placement(void)
{
	for (unsigned i = 0; i < world.snapshot.n_lanes; i++)
		placement[i] = world.lanes[i].worker;
}

/* A round on what would be measured now; returns the lanes moved. */
static inline unsigned run_round(void)
{
	static double before[WORLD_WORKERS], after[WORLD_WORKERS];
	unsigned placed_first = 0;

	world_measure(&world);
	copy_placement();
	world_pressures(&world, placement, before);
	require(balancer_round(balancer, &world.snapshot, &result) == 0, "refused");
	check_moves();
	check_groups();
	world_pressures(&world, result.workers, after);
	for (unsigned i = 0; i < result.n_moves; i++)
		placed_first += result.moves[i].reason <= BALANCER_SPILL &&
		                result.moves[i].reason != BALANCER_RELIEVE &&
		                result.moves[i].reason != BALANCER_ROOM;
	if (placed_first == 0)
		check_never_worse(before, after);
	/* A candidate takes some 20 ns: this is the bound on time. */
	require(result.work <= 60000, "%u candidates", result.work);
	world_apply(&world, &result);
	copy_placement();
	return result.n_moves;
}

static inline void place_all(void)
{
	ck_assert_int_eq(balancer_place(balancer, &world.snapshot, &result), 0);
	check_moves();
	check_groups();
	world_apply(&world, &result);
	copy_placement();
}

/* Until nothing moves; returns the rounds that moved something. */
static inline unsigned converge(void)
{
	unsigned rounds = 0;

	while (run_round() > 0)
		require(++rounds <= ROUNDS, "more than %d rounds", ROUNDS);
	return rounds;
}

/* Anywhere at home, or all that may move on one worker. */
static inline void scatter(bool one_place)
{
	for (unsigned i = 0; i < world.snapshot.n_lanes; i++) {
		struct balancer_lane *lane = &world.lanes[i];
		unsigned per_node = world.shape.workers / world.shape.nodes;
		unsigned first = (unsigned)lane->vf_node * per_node;

		lane->worker =
		        (int16_t)(first + (one_place ? 0 : dice_below(&world.dice, per_node)));
	}
}

#endif
