/* The balancer: against exact optima and lower bounds, over thousands of generated traces, and what
 * it must never do. test/sim/simulate.c shows the same in figures and pictures.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>

#include "../sim/exact.h"

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

static void set_up(void)
{
	balancer = balancer_create(WORLD_LANES, WORLD_WORKERS);
	ck_assert_ptr_nonnull(balancer);
}

static void tear_down(void)
{
	balancer_destroy(balancer);
}

/* --- what holds in every round -------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x < *y) - (*x > *y);
}

/* Compares node by node (or over all, where lanes may go anywhere) the pressures in falling order:
 * at the first difference, it has to be less. */
static void check_never_worse(const double *before, const double *after)
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

static void check_moves(void)
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

static void check_groups(void)
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

static void check_home(void)
{
	for (unsigned i = 0; i < world.snapshot.n_lanes; i++)
		if (world.lanes[i].pin == BALANCER_NOWHERE)
			require(world.workers[result.workers[i]].node == world.lanes[i].vf_node,
			        "lane %u: not at home", i);
}

static void copy_placement(void)
{
	for (unsigned i = 0; i < world.snapshot.n_lanes; i++)
		placement[i] = world.lanes[i].worker;
}

/* A round on what would be measured now; returns the lanes moved. */
static unsigned run_round(void)
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

static void place_all(void)
{
	ck_assert_int_eq(balancer_place(balancer, &world.snapshot, &result), 0);
	check_moves();
	check_groups();
	world_apply(&world, &result);
	copy_placement();
}

/* Until nothing moves; returns the rounds that moved something. */
static unsigned converge(void)
{
	unsigned rounds = 0;

	while (run_round() > 0)
		require(++rounds <= ROUNDS, "more than %d rounds", ROUNDS);
	return rounds;
}

/* --- small worlds, against the exact optimum -------------------------------------------------- */

static void make_small_world(uint64_t seed, enum trace_kind kind)
{
	struct dice dice = {.state = seed * 7919 + (uint64_t)kind};
	struct world_shape shape = {.nodes = 1 + dice_below(&dice, 2),
	                            .pairs = 1 + dice_below(&dice, 2),
	                            .siblings = dice_below(&dice, 4) == 0,
	                            .pinned_pct = dice_below(&dice, 3) == 0 ? 20 : 0,
	                            .mean_load = 0.1 + 0.6 * dice_unit(&dice)};
	unsigned groups = 2;

	shape.workers = shape.nodes * (2 + dice_below(&dice, 3));
	if (shape.siblings)
		shape.workers = shape.nodes * 4;
	/* At most 12 lanes on a node, or the optimum takes too long to find. */
	shape.relays = shape.nodes * (1 + dice_below(&dice, 6 / shape.pairs));
	world_init(&world, seed, kind, &shape);
	if (dice_below(&dice, 4) == 0) /* lanes that share a queue */
		for (unsigned i = 0; i < world.snapshot.n_lanes; i++)
			world.lanes[i].group = (uint8_t)(world.lanes[i].index % groups / 2);
	if (dice_below(&dice, 6) == 0) /* workers that share a CPU with something else */
		for (unsigned w = 0; w < shape.workers && !shape.siblings; w += 2)
			world.workers[w].capacity = BALANCER_FULL / 2;
}

/* Anywhere at home, or all that may move on one worker. */
static void scatter(bool one_place)
{
	for (unsigned i = 0; i < world.snapshot.n_lanes; i++) {
		struct balancer_lane *lane = &world.lanes[i];
		unsigned per_node = world.shape.workers / world.shape.nodes;
		unsigned first = (unsigned)lane->vf_node * per_node;

		lane->worker =
		        (int16_t)(first + (one_place ? 0 : dice_below(&world.dice, per_node)));
	}
}

static void check_optimal(double *worst)
{
	for (unsigned node = 0; node < world.shape.nodes; node++) {
		double best = exact_hottest(&world, (int)node);
		double hottest = world_hottest(&world, placement, (int)node);

		require(hottest <= best * 1.03 + 1e-4, "%s: %f, %f is possible",
		        trace_names[world.kind], hottest, best);
		if (best > 0.01 && hottest / best > *worst)
			*worst = hottest / best;
	}
}

START_TEST(small_worlds_come_within_3_percent_of_the_optimum)
{
	double worst = 1;

	for (unsigned seed = 0; seed < 2000; seed++) {
		make_small_world(seed, TRACE_STORM);
		if (seed % 3 == 0)
			place_all();
		else
			scatter(seed % 3 == 1);
		converge();
		check_home();
		check_optimal(&worst);
	}
	printf("small worlds: at most %.2f %% above the optimum\n", (worst - 1) * 100);
}
END_TEST

START_TEST(small_traces_stay_within_3_percent_of_the_optimum)
{
	for (int kind = 0; kind < TRACE_KINDS; kind++) {
		double worst = 1;

		for (unsigned seed = 0; seed < 200; seed++) {
			make_small_world(seed + 10000, (enum trace_kind)kind);
			place_all();
			for (unsigned phase = 0; phase < 8; phase++) {
				converge();
				check_home();
				check_optimal(&worst);
				world_advance(&world);
			}
		}
		printf("small %s traces: at most %.2f %% above the optimum\n", trace_names[kind],
		       (worst - 1) * 100);
	}
}
END_TEST

/* --- larger worlds, against lower bounds and a greedy ------------------------------------------
 */

struct tally {
	unsigned long moves, greedy;
	double worst;
	unsigned work;
};

static void follow_trace(uint64_t seed, enum trace_kind kind, const struct world_shape *shape,
                         unsigned phases, struct tally *tally)
{
	static int16_t greedy[WORLD_LANES];

	world_init(&world, seed, kind, shape);
	place_all();
	memcpy(greedy, placement, sizeof(greedy));
	for (unsigned phase = 0; phase < phases; phase++, world_advance(&world)) {
		unsigned rounds = 0, moves;

		while ((moves = run_round()) > 0) {
			require(++rounds <= ROUNDS, "more than %d rounds", ROUNDS);
			tally->moves += moves;
			if (result.work > tally->work)
				tally->work = result.work;
		}
		tally->greedy += greedy_place(&world, greedy);
		check_home();
		for (unsigned node = 0; node < shape->nodes; node++) {
			double ratio = world_hottest(&world, placement, (int)node) /
			               lower_bound(&world, (int)node);

			require(ratio <= 1.03, "%s, seed %lu, phase %u: %f of the lower bound",
			        trace_names[kind], (unsigned long)seed, phase, ratio);
			if (ratio > tally->worst)
				tally->worst = ratio;
		}
	}
}

static void follow_traces(const char *name, const struct world_shape *shape, unsigned seeds,
                          unsigned phases)
{
	for (int kind = 0; kind < TRACE_KINDS; kind++) {
		struct tally tally = {.worst = 1};

		for (unsigned seed = 0; seed < seeds; seed++)
			follow_trace(seed, (enum trace_kind)kind, shape, phases, &tally);
		printf("%s %s: at most %.2f %% above the lower bound, %.1f %% of the greedy's "
		       "moves, "
		       "at most %u candidates a round\n",
		       name, trace_names[kind], (tally.worst - 1) * 100,
		       100.0 * (double)tally.moves / (double)tally.greedy, tally.work);
		ck_assert_uint_le(tally.moves * 3, tally.greedy);
	}
}

START_TEST(large_traces_stay_within_3_percent_of_the_lower_bound)
{
	const struct world_shape shape = {
	        .relays = 64, .pairs = 8, .workers = 64, .nodes = 4, .mean_load = 0.5};
	const struct world_shape pinned = {.relays = 64,
	                                   .pairs = 8,
	                                   .workers = 64,
	                                   .nodes = 4,
	                                   .pinned_pct = 5,
	                                   .mean_load = 0.5};

	follow_traces("large", &shape, 2, 12);
	follow_traces("large, pinned", &pinned, 2, 12);
}
END_TEST

START_TEST(middling_traces_stay_within_3_percent_of_the_lower_bound)
{
	const struct world_shape two_nodes = {
	        .relays = 32, .pairs = 1, .workers = 8, .nodes = 2, .mean_load = 0.5};
	const struct world_shape coarse = {
	        .relays = 16, .pairs = 2, .workers = 16, .nodes = 1, .mean_load = 0.4};

	follow_traces("8 workers", &two_nodes, 100, 12);
	follow_traces("16 workers", &coarse, 50, 12);
}
END_TEST

START_TEST(small_traces_need_few_moves)
{
	const struct world_shape shape = {
	        .relays = 4, .pairs = 2, .workers = 4, .nodes = 1, .mean_load = 0.3};
	unsigned long moves = 0, greedy = 0;
	static int16_t rival[WORLD_LANES];

	for (int kind = 0; kind < TRACE_KINDS; kind++)
		for (unsigned seed = 0; seed < 100; seed++) {
			world_init(&world, seed, (enum trace_kind)kind, &shape);
			place_all();
			memcpy(rival, placement, sizeof(rival));
			for (unsigned phase = 0; phase < 24; phase++, world_advance(&world)) {
				for (unsigned n; (n = run_round()) > 0;)
					moves += n;
				greedy += greedy_place(&world, rival);
			}
		}
	printf("4 workers, 16 lanes: %.1f %% of the greedy's moves\n",
	       100.0 * (double)moves / (double)greedy);
	ck_assert_uint_le(moves * 3, greedy);
}
END_TEST

/* Loads that were cut from full workers: so the optimum is known, and hard to find again. */
START_TEST(what_was_cut_to_fit_is_fitted_again)
{
	for (unsigned seed = 0; seed < 150; seed++) {
		unsigned n_workers = 4u << seed % 5, pieces = 3 + seed % 3, n = 0;
		const struct world_shape shape = {.relays = 1,
		                                  .pairs = 1,
		                                  .workers = n_workers,
		                                  .nodes = 1,
		                                  .mean_load = 0.5};
		double ratio;

		world_init(&world, seed, TRACE_STEADY, &shape);
		for (unsigned w = 0; w < n_workers; w++) {
			double cut[5], sum = 0;

			for (unsigned i = 0; i < pieces; i++)
				sum += cut[i] = 0.3 + dice_unit(&world.dice);
			for (unsigned i = 0; i < pieces; i++, n++) {
				world.lanes[n] = (struct balancer_lane){.relay = (uint8_t)(n / 16),
				                                        .group = (uint8_t)(n % 16),
				                                        .pin = BALANCER_NOWHERE};
				world.demand[n] = cut[i] / sum * 0.6;
			}
		}
		world.snapshot.n_lanes = n;
		scatter(false);
		for (unsigned round = 0; round < ROUNDS; round++)
			run_round();
		ratio = world_hottest(&world, placement, 0) / 0.6;
		require(ratio <= 1.04, "%u workers, %u pieces: %f", n_workers, pieces, ratio);
	}
}
END_TEST

/* --- convergence and rest -----------------------------------------------------------------------
 */

START_TEST(any_start_converges_and_stays)
{
	const struct world_shape shapes[] = {
	        {.relays = 64, .pairs = 8, .workers = 64, .nodes = 4, .mean_load = 0.5},
	        {.relays = 20,
	         .pairs = 4,
	         .workers = 24,
	         .nodes = 2,
	         .mean_load = 0.6,
	         .siblings = true},
	        {.relays = 9,
	         .pairs = 3,
	         .workers = 7,
	         .nodes = 1,
	         .pinned_pct = 10,
	         .mean_load = 0.3},
	        {.relays = 5, .pairs = 1, .workers = 16, .nodes = 2, .mean_load = 0.1}};

	for (unsigned i = 0; i < 4 * 12; i++) {
		world_init(&world, i, TRACE_STEADY, &shapes[i % 4]);
		world.snapshot.settings.global_numa_opt = i / 4 % 3 == 2;
		scatter(i / 4 % 3 == 1);
		converge();
		for (unsigned more = 0; more < 10; more++)
			ck_assert_uint_eq(run_round(), 0);
	}
}
END_TEST

/* With few moves a round it takes longer, but each round helps and there is an end. */
START_TEST(few_moves_a_round_get_there_too)
{
	for (unsigned seed = 0; seed < 60; seed++) {
		const struct world_shape shape = {
		        .relays = 12, .pairs = 2, .workers = 8, .nodes = 1, .mean_load = 0.4};
		unsigned rounds = 0;
		double worst = 1;

		world_init(&world, seed, TRACE_STEADY, &shape);
		world.snapshot.settings.moves_max = 2 + seed % 5;
		scatter(seed % 2 == 0);
		while (run_round() > 0)
			require(++rounds <= 48, "more than 48 rounds");
		worst = world_hottest(&world, placement, 0) / lower_bound(&world, 0);
		require(worst < 1.1, "seed %u: %f", seed, worst);
	}
}
END_TEST

/* Loads jitter by a tenth around constant ones. */
static void jitter(void)
{
	for (unsigned i = 0; i < world.snapshot.n_lanes; i++)
		world.demand[i] = world.base[i] * (0.9 + 0.2 * dice_unit(&world.dice));
}

START_TEST(jitter_moves_nothing)
{
	static struct balancer_meter meters[WORLD_LANES];
	static struct balancer_memory memory;
	unsigned early = 0;

	for (unsigned seed = 0; seed < 60; seed++) {
		const struct world_shape shapes[] = {
		        {.relays = 64, .pairs = 8, .workers = 64, .nodes = 4, .mean_load = 0.5},
		        {.relays = 16, .pairs = 2, .workers = 16, .nodes = 1, .mean_load = 0.4},
		        {.relays = 4, .pairs = 2, .workers = 4, .nodes = 1, .mean_load = 0.3},
		        {.relays = 3, .pairs = 1, .workers = 3, .nodes = 1, .mean_load = 0.02}};
		const unsigned settling = 12;

		world_init(&world, seed, TRACE_STEADY, &shapes[seed % 4]);
		world.snapshot.settings.sensitivity = BALANCER_SENSITIVITY;
		world.snapshot.memory = &memory;
		memset(&memory, 0, sizeof(memory));
		memset(meters, 0, sizeof(meters));
		place_all();
		for (unsigned interval = 0; interval < 200; interval++) {
			jitter();
			world_measure(&world);
			for (unsigned i = 0; i < world.snapshot.n_lanes; i++) {
				balancer_meter_add(&meters[i], world.lanes[i].load);
				world.lanes[i].load = meters[i].load;
				world.lanes[i].noise = meters[i].noise;
			}
			require(balancer_round(balancer, &world.snapshot, &result) == 0, "refused");
			check_moves();
			if (interval < settling)
				early += result.n_moves;
			else
				require(result.n_moves == 0, "seed %u, interval %u: %u moves", seed,
				        interval, result.n_moves);
			world_apply(&world, &result);
		}
	}
	printf("jitter: %u moves while the loads were new, none after that\n", early);
}
END_TEST

/* The contract: a round is carried out only if it takes away at least that share of the busiest
 * worker's excess over the mean. On worlds where every worker can be relieved: many small lanes. */
START_TEST(a_round_takes_away_its_share_of_the_excess)
{
	const double sensitivities[] = {0.05, 0.25, 0.5, 0.9};
	unsigned moved = 0, refused = 0;

	for (unsigned seed = 0; seed < 400; seed++) {
		const struct world_shape shape = {
		        .relays = 12, .pairs = 4, .workers = 6, .nodes = 1, .mean_load = 0.5};
		double sensitivity = sensitivities[seed % 4], mean = 0, before, after;

		world_init(&world, seed, TRACE_STEADY, &shape);
		place_all();
		for (unsigned i = 0; i < world.snapshot.n_lanes; i++)
			if (world.lanes[i].worker < 1 + (int)(seed % 5))
				world.demand[i] *= 1 + (seed % 7) / 10.0;
		for (unsigned i = 0; i < world.snapshot.n_lanes; i++)
			mean += world.demand[i] / shape.workers;
		world.snapshot.settings.sensitivity = sensitivity;
		before = world_hottest(&world, placement, 0);
		if (run_round() == 0) {
			refused++;
			continue;
		}
		after = world_hottest(&world, placement, 0);
		require(before - after >= sensitivity * (before - mean) - 1e-4,
		        "seed %u: %f before, %f after, the mean is %f", seed, before, after, mean);
		moved++;
	}
	ck_assert_uint_gt(moved, 50);
	ck_assert_uint_gt(refused, 20);
}
END_TEST

/* Some lanes may be on any node, and the others may not: one domain with rules of its own. */
START_TEST(lanes_without_a_node_fill_what_the_others_leave)
{
	for (unsigned seed = 0; seed < 100; seed++) {
		const struct world_shape shape = {
		        .relays = 24, .pairs = 2, .workers = 8, .nodes = 2, .mean_load = 0.4};
		double total = 0, at_home[2] = {0, 0}, best, hottest;

		world_init(&world, seed, TRACE_STEADY, &shape);
		for (unsigned i = 0; i < world.snapshot.n_lanes; i++) {
			struct balancer_lane *lane = &world.lanes[i];

			if (lane->relay % 2 == 0 && seed % 3 > 0)
				world.demand[i] *= 0.3 * (seed % 3); /* node 0 has less to do */
			total += world.demand[i];
			if (lane->relay % 4 < 2)
				at_home[lane->vf_node] += world.demand[i];
			else
				lane->vf_node = lane->pool_node = lane->guest_node =
				        BALANCER_ANY_NODE;
		}
		place_all();
		converge();
		for (unsigned i = 0; i < world.snapshot.n_lanes; i++)
			require(world.lanes[i].vf_node == BALANCER_ANY_NODE ||
			                world.workers[placement[i]].node == world.lanes[i].vf_node,
			        "lane %u: not at home", i);
		best = fmax(total / 8, fmax(at_home[0], at_home[1]) / 4);
		hottest = world_hottest(&world, placement, -1);
		require(hottest <= best * 1.03, "seed %u: %f, at least %f", seed, hottest, best);
	}
}
END_TEST

/* Machines that nobody would build, and settings that nobody would choose. */
static void make_odd_world(uint64_t seed)
{
	const struct world_shape shape = {.relays = 1 + (unsigned)(seed % 13),
	                                  .pairs = 1 + (unsigned)(seed % 5),
	                                  .workers = 1 + (unsigned)(seed % 11),
	                                  .nodes = 1,
	                                  .mean_load = (double)(seed % 17) / 16};
	struct dice *dice = &world.dice;
	struct balancer_settings *settings = &world.snapshot.settings;

	world_init(&world, seed, TRACE_STEADY, &shape);
	for (unsigned w = 0; w < shape.workers; w++)
		world.workers[w] = (struct balancer_worker){
		        .node = (int16_t)((int)dice_below(dice, 5) - 1),
		        .core = (int16_t)((int)dice_below(dice, 5) - 1),
		        .capacity =
		                BALANCER_FULL / (1 + dice_below(dice, 3) * dice_below(dice, 2))};
	for (unsigned i = 0; i < world.snapshot.n_lanes; i++) {
		struct balancer_lane *lane = &world.lanes[i];

		lane->group = (uint8_t)(lane->index % (1 + seed % 3));
		lane->worker = (int16_t)((int)dice_below(dice, shape.workers + 1) - 1);
		lane->pin = lane->relay % 4 == 3 ? (int16_t)(lane->relay % shape.workers) : -1;
		lane->vf_node = (int16_t)((int)(lane->relay * 7u % 6) - 1);
		lane->pool_node = lane->vf_node;
		lane->guest_node = (int16_t)((int)(lane->relay * 5u % 6) - 1);
		lane->noise = dice_below(dice, 3) * 5000;
		if (dice_below(dice, 8) == 0)
			world.demand[i] = 0;
	}
	*settings = (struct balancer_settings){.sensitivity = dice_below(dice, 3) / 4.0,
	                                       .global_numa_opt = dice_below(dice, 3) == 0,
	                                       .spill_over = dice_below(dice, 2) == 0,
	                                       .spill_at = BALANCER_SPILL_AT,
	                                       .spill_idle = BALANCER_SPILL_IDLE,
	                                       .return_at = BALANCER_RETURN_AT,
	                                       .moves_max = dice_below(dice, 20)};
}

START_TEST(odd_machines_come_to_rest_too)
{
	unsigned longest = 0;

	for (unsigned seed = 0; seed < 4000; seed++) {
		unsigned rounds = 0;

		make_odd_world(seed);
		do {
			world_measure(&world);
			require(balancer_round(balancer, &world.snapshot, &result) == 0, "refused");
			check_moves();
			check_groups();
			world_apply(&world, &result);
			require(++rounds < 60, "seed %u: no rest", seed);
		} while (result.n_moves > 0);
		if (rounds > longest)
			longest = rounds;
	}
	printf("odd machines: at rest after at most %u rounds\n", longest - 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("balancer");
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, small_worlds_come_within_3_percent_of_the_optimum);
	tcase_add_test(tcase, small_traces_stay_within_3_percent_of_the_optimum);
	tcase_add_test(tcase, large_traces_stay_within_3_percent_of_the_lower_bound);
	tcase_add_test(tcase, middling_traces_stay_within_3_percent_of_the_lower_bound);
	tcase_add_test(tcase, small_traces_need_few_moves);
	tcase_add_test(tcase, what_was_cut_to_fit_is_fitted_again);
	tcase_add_test(tcase, any_start_converges_and_stays);
	tcase_add_test(tcase, few_moves_a_round_get_there_too);
	tcase_add_test(tcase, jitter_moves_nothing);
	tcase_add_test(tcase, a_round_takes_away_its_share_of_the_excess);
	tcase_add_test(tcase, lanes_without_a_node_fill_what_the_others_leave);
	tcase_add_test(tcase, odd_machines_come_to_rest_too);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
