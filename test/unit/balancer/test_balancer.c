/* The balancer against exact optima, lower bounds and a greedy, over thousands of generated traces.
 * test/sim/simulate.c shows the same in figures and pictures.
 */
#include "suite.h"
#include "test/sim/exact.h"

#include "balancer_rig.h" /* its globals come after functions that have arguments of the same name */

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

static void check_optimal(double *worst)
{
	for (unsigned node = 0; node < world.shape.nodes; node++) {
		double best = exact_hottest(&world, (int)node);
		double hottest = world_hottest(&world, placement, (int)node);

		require(hottest <= best * 1.05 + 1e-4, "%s: %f, %f is possible",
		        trace_names[world.kind], hottest, best);
		if (best > 0.01 && hottest / best > *worst)
			*worst = hottest / best;
	}
}

START_TEST(small_worlds_come_within_5_percent_of_the_optimum)
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

START_TEST(small_traces_stay_within_5_percent_of_the_optimum)
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

/* --- loads that were cut from full workers: the optimum is known, and hard to find again -------
 */

enum cut {
	CUT_EVENLY,   /* pieces of about one size */
	CUT_AT_WILL,  /* of any size */
	CUT_THRICE,   /* three pieces, between a quarter and a half */
	CUT_IN_TWO,   /* the heaviest has to find the lightest */
	CUT_ONE_BIG,  /* and some small ones */
	CUT_TO_SIZES, /* twentieths: nothing but exact fits will do */
	CUTS,
};

static const char *const cut_names[CUTS] = {"evenly", "at will", "thrice",
                                            "in two", "one big", "to sizes"};

#define PIECES_MAX 8
#define FULL_LOAD  0.6 /* of a worker */

static unsigned cut_twentieths(double *pieces)
{
	unsigned left = 20, n = 0;

	while (left > 0) {
		unsigned piece = 3 + dice_below(&world.dice, 6);

		if (piece + 3 > left)
			piece = left;
		pieces[n++] = piece;
		left -= piece;
	}
	return n;
}

/* Returns the number of pieces; their sum is what it comes to. */
static unsigned cut_worker(enum cut cut, unsigned n, double *pieces)
{
	if (cut == CUT_TO_SIZES)
		return cut_twentieths(pieces);
	if (cut == CUT_IN_TWO || cut == CUT_THRICE)
		n = cut == CUT_IN_TWO ? 2 : 3;
	for (unsigned i = 0; i < n; i++) {
		double chance = dice_unit(&world.dice);

		pieces[i] = cut == CUT_AT_WILL ? -log(1 - chance) : 0.3 + chance;
		if (cut == CUT_THRICE)
			pieces[i] = 2 + chance;
	}
	if (cut == CUT_ONE_BIG)
		pieces[0] = n * (1 + 3 * dice_unit(&world.dice));
	return n;
}

static void make_cut_world(uint64_t seed, enum cut cut, unsigned n_workers, unsigned n_pieces)
{
	const struct world_shape shape = {
	        .relays = 1, .pairs = 1, .workers = n_workers, .nodes = 1, .mean_load = 0.5};
	unsigned n = 0;

	world_init(&world, seed * CUTS + cut, TRACE_STEADY, &shape);
	for (unsigned w = 0; w < n_workers; w++) {
		double pieces[PIECES_MAX], sum = 0;
		unsigned n_here = cut_worker(cut, n_pieces, pieces);

		for (unsigned i = 0; i < n_here; i++)
			sum += pieces[i];
		for (unsigned i = 0; i < n_here; i++, n++) {
			world.lanes[n] = (struct balancer_lane){.relay = (uint8_t)(n / 32),
			                                        .group = (uint8_t)(n % 32),
			                                        .pin = BALANCER_NOWHERE,
			                                        .worker = BALANCER_NOWHERE};
			world.demand[n] = pieces[i] / sum * FULL_LOAD;
		}
	}
	world.snapshot.n_lanes = n;
	if (seed % 3 == 0) /* one after the other, without knowing their loads: not as they were cut
	                    */
		place_all();
	else
		scatter(seed % 3 == 1);
}

static void check_cut(enum cut cut)
{
	double worst = 1;

	for (unsigned seed = 0; seed < 250; seed++) {
		unsigned n_workers = 2u << seed % 6, n_pieces = 2 + seed / 6 % 7;
		double ratio;

		make_cut_world(seed, cut, n_workers, n_pieces);
		for (unsigned round = 0; round < ROUNDS; round++)
			run_round();
		ratio = world_hottest(&world, placement, 0) / FULL_LOAD;
		require(ratio <= 1.03, "%s, seed %u: %u workers, %u pieces: %f", cut_names[cut],
		        seed, n_workers, n_pieces, ratio);
		if (ratio > worst)
			worst = ratio;
		/* And there it rests. */
		for (unsigned round = 0; round < 2; round++)
			require(run_round() == 0, "%s, seed %u: moves on", cut_names[cut], seed);
	}
	printf("cut %s: at most %.2f %% above the optimum\n", cut_names[cut], (worst - 1) * 100);
}

START_TEST(what_was_cut_to_fit_is_fitted_again)
{
	for (int cut = 0; cut < CUTS; cut++)
		check_cut((enum cut)cut);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 240); /* a busy machine */
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, small_worlds_come_within_5_percent_of_the_optimum);
	tcase_add_test(tcase, small_traces_stay_within_5_percent_of_the_optimum);
	tcase_add_test(tcase, large_traces_stay_within_3_percent_of_the_lower_bound);
	tcase_add_test(tcase, middling_traces_stay_within_3_percent_of_the_lower_bound);
	tcase_add_test(tcase, small_traces_need_few_moves);
	tcase_add_test(tcase, what_was_cut_to_fit_is_fitted_again);
	return suite_main("balancer", tcase);
}
