/* The balancer comes to rest and stays there: any start, few moves a round, jitter, odd machines.
 * And it moves nothing without gain.
 */
#include "balancer_rig.h"
#include "suite.h"

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
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, any_start_converges_and_stays);
	tcase_add_test(tcase, few_moves_a_round_get_there_too);
	tcase_add_test(tcase, jitter_moves_nothing);
	tcase_add_test(tcase, a_round_takes_away_its_share_of_the_excess);
	tcase_add_test(tcase, lanes_without_a_node_fill_what_the_others_leave);
	tcase_add_test(tcase, odd_machines_come_to_rest_too);
	return suite_main("balancer_rest", tcase);
}
