/* The balancer's rules, one by one, on machines small enough to follow: the first placement, pins,
 * groups, NUMA nodes, sensitivity, memory, what it refuses and what it says.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/balancer.h"

#define PERMILLE (BALANCER_FULL / 1000)

static struct balancer *balancer;
static struct balancer_lane lanes[64];
static struct balancer_worker workers[16];
static struct balancer_snapshot snapshot;
static struct balancer_result result;

static void set_up(void)
{
	balancer = balancer_create(64, 16);
	ck_assert_ptr_nonnull(balancer);
	memset(&snapshot, 0, sizeof(snapshot));
	snapshot.lanes = lanes;
	snapshot.workers = workers;
	snapshot.settings.spill_at = BALANCER_SPILL_AT;
	snapshot.settings.spill_idle = BALANCER_SPILL_IDLE;
	snapshot.settings.return_at = BALANCER_RETURN_AT;
}

static void tear_down(void)
{
	balancer_destroy(balancer);
}

static struct balancer_worker *add_worker(int node, int core)
{
	workers[snapshot.n_workers] =
	        (struct balancer_worker){.node = (int16_t)node,
	                                 .core = (int16_t)core,
	                                 .lcore = (uint16_t)(snapshot.n_workers + 10),
	                                 .capacity = BALANCER_FULL};
	return &workers[snapshot.n_workers++];
}

/* A lane of a relay of its own, with all its memory on one node. */
static struct balancer_lane *add_lane(int node, int worker, unsigned permille)
{
	struct balancer_lane *lane = &lanes[snapshot.n_lanes];

	*lane = (struct balancer_lane){.relay = (uint8_t)snapshot.n_lanes,
	                               .worker = (int16_t)worker,
	                               .pin = BALANCER_NOWHERE,
	                               .vf_node = (int16_t)node,
	                               .pool_node = (int16_t)node,
	                               .guest_node = (int16_t)node,
	                               .load = permille * PERMILLE};
	snapshot.n_lanes++;
	return lane;
}

static void apply(void)
{
	for (unsigned i = 0; i < snapshot.n_lanes; i++) {
		struct balancer_lane *lane = &lanes[i];
		uint64_t load = lane->load;

		if (lane->worker != BALANCER_NOWHERE)
			load = load * 100 /
			       (100 + balancer_remote_pct(lane, workers[lane->worker].node));
		lane->worker = result.workers[i];
		lane->load =
		        (uint32_t)(load *
		                   (100 + balancer_remote_pct(lane, workers[lane->worker].node)) /
		                   100);
	}
}

/* Returns the moves. */
static unsigned place(void)
{
	ck_assert_int_eq(balancer_place(balancer, &snapshot, &result), 0);
	apply();
	return result.n_moves;
}

static unsigned run_round(void)
{
	ck_assert_int_eq(balancer_round(balancer, &snapshot, &result), 0);
	apply();
	return result.n_moves;
}

static unsigned count_reason(enum balancer_reason reason)
{
	unsigned n = 0;

	for (unsigned i = 0; i < result.n_moves; i++)
		n += result.moves[i].reason == reason;
	return n;
}

static unsigned lanes_on(int worker)
{
	unsigned n = 0;

	for (unsigned i = 0; i < snapshot.n_lanes; i++)
		n += lanes[i].worker == worker;
	return n;
}

static unsigned load_on(int worker)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < snapshot.n_lanes; i++)
		sum += lanes[i].worker == worker ? lanes[i].load / PERMILLE : 0;
	return sum;
}

/* --- the first placement ---------------------------------------------------------------------- */

START_TEST(new_lanes_spread_evenly)
{
	for (int i = 0; i < 4; i++)
		add_worker(0, BALANCER_OWN_CORE);
	for (int i = 0; i < 16; i++)
		add_lane(0, BALANCER_NOWHERE, 0);
	ck_assert_uint_eq(place(), 16);
	ck_assert_uint_eq(count_reason(BALANCER_NEW), 16);
	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(lanes_on(i), 4);
}
END_TEST

START_TEST(new_lanes_move_no_others)
{
	add_worker(0, BALANCER_OWN_CORE);
	add_worker(0, BALANCER_OWN_CORE);
	for (int i = 0; i < 5; i++)
		add_lane(0, 0, 150);
	add_lane(0, BALANCER_NOWHERE, 0);
	add_lane(0, BALANCER_NOWHERE, 0);
	ck_assert_uint_eq(place(), 2);
	ck_assert_uint_eq(lanes_on(0), 5);
	ck_assert_uint_eq(lanes_on(1), 2);
}
END_TEST

START_TEST(loads_count_for_new_lanes)
{
	add_worker(0, BALANCER_OWN_CORE);
	add_worker(0, BALANCER_OWN_CORE);
	add_lane(0, 0, 700);
	add_lane(0, 1, 10);
	add_lane(0, 1, 10);
	add_lane(0, BALANCER_NOWHERE, 0);
	place();
	ck_assert_int_eq(lanes[3].worker, 1);
}
END_TEST

START_TEST(siblings_are_filled_last)
{
	/* Cores 5 and 7, two threads each. */
	add_worker(0, 5);
	add_worker(0, 5);
	add_worker(0, 7);
	add_worker(0, 7);
	for (int i = 0; i < 4; i++)
		add_lane(0, BALANCER_NOWHERE, 0);
	place();
	ck_assert_int_eq(workers[lanes[0].worker].core, 5);
	ck_assert_int_eq(workers[lanes[1].worker].core, 7);
	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(lanes_on(i), 1);

	/* And by load: two busy lanes do not share a core while another is free. */
	snapshot.n_lanes = 0;
	add_lane(0, 0, 500);
	add_lane(0, 1, 500);
	ck_assert_uint_eq(run_round(), 1);
	ck_assert_int_ne(workers[lanes[0].worker].core, workers[lanes[1].worker].core);
}
END_TEST

START_TEST(groups_stay_and_come_together)
{
	add_worker(0, BALANCER_OWN_CORE);
	add_worker(0, BALANCER_OWN_CORE);
	for (uint8_t i = 0; i < 8; i++) {
		struct balancer_lane *lane = add_lane(0, BALANCER_NOWHERE, 0);

		lane->relay = 3;
		lane->index = i;
		lane->group = i % 2;
	}
	lanes[4].worker = 1; /* of group 0: the others go there */
	lanes[5].worker = 1;
	lanes[7].worker = 0; /* of group 1, which is on 1 as it seems: has to change */
	place();
	for (unsigned i = 0; i < 8; i++)
		ck_assert_int_eq(lanes[i].worker, 1);
	ck_assert_uint_eq(count_reason(BALANCER_JOIN), 1);
	ck_assert_uint_eq(count_reason(BALANCER_NEW), 5);
	/* With loads they part, each group as one. */
	for (unsigned i = 0; i < 8; i++)
		lanes[i].load = 100 * PERMILLE;
	ck_assert_uint_eq(run_round(), 4);
	ck_assert_uint_eq(lanes_on(0), 4);
	for (unsigned i = 2; i < 8; i++)
		ck_assert_int_eq(lanes[i].worker, lanes[i % 2].worker);
}
END_TEST

START_TEST(a_group_that_is_too_large_for_a_round_stays)
{
	add_worker(0, BALANCER_OWN_CORE);
	add_worker(0, BALANCER_OWN_CORE);
	snapshot.settings.moves_max = 2;
	for (uint8_t i = 0; i < 6; i++) {
		struct balancer_lane *lane = add_lane(0, 0, 100);

		lane->relay = 3;
		lane->index = i;
		lane->group = i / 3;
	}
	ck_assert_uint_eq(run_round(), 0);
	ck_assert_int_eq(result.verdicts[0].outcome, BALANCER_PARTLY);
	snapshot.settings.moves_max = 3;
	ck_assert_uint_eq(run_round(), 3);
}
END_TEST

/* --- pins ----------------------------------------------------------------------------------------
 */

START_TEST(pins_are_absolute)
{
	add_worker(0, BALANCER_OWN_CORE);
	add_worker(0, BALANCER_OWN_CORE);
	add_worker(1, BALANCER_OWN_CORE);
	for (int i = 0; i < 6; i++)
		add_lane(0, i % 2, 150);
	lanes[0].pin = lanes[1].pin = lanes[2].pin = 2; /* another node, and then all at once */
	snapshot.settings.moves_max = 1;
	ck_assert_uint_ge(run_round(), 3);
	ck_assert_uint_eq(count_reason(BALANCER_PIN), 3);
	ck_assert_uint_eq(lanes_on(2), 3);
	ck_assert_uint_gt(result.moves[0].remote_to_pct, 0);
	for (int i = 0; i < 5; i++)
		run_round();
	ck_assert_uint_eq(lanes_on(2), 3);
	/* Released, they come home. */
	lanes[0].pin = lanes[1].pin = lanes[2].pin = BALANCER_NOWHERE;
	for (int i = 0; i < 6; i++)
		run_round();
	ck_assert_uint_eq(lanes_on(2), 0);
	ck_assert_uint_eq(lanes_on(0), 3);
}
END_TEST

START_TEST(what_is_pinned_counts)
{
	add_worker(0, BALANCER_OWN_CORE);
	add_worker(0, BALANCER_OWN_CORE);
	add_lane(0, 0, 500)->pin = 0;
	for (int i = 0; i < 5; i++)
		add_lane(0, 0, 100);
	run_round();
	ck_assert_uint_eq(load_on(0), 500);
	ck_assert_uint_eq(load_on(1), 500);
}
END_TEST

/* --- NUMA nodes ----------------------------------------------------------------------------------
 */

START_TEST(home_is_where_memory_costs_least)
{
	struct balancer_lane *lane;

	add_worker(0, BALANCER_OWN_CORE);
	add_worker(1, BALANCER_OWN_CORE);
	lane = add_lane(1, BALANCER_NOWHERE, 0);
	lane->guest_node = 0; /* apart from its VF: the VF and the packets' memory win */
	add_lane(0, BALANCER_NOWHERE, 0);
	add_lane(7, BALANCER_NOWHERE, 0)->guest_node = 1; /* no worker there: next best */
	add_lane(BALANCER_ANY_NODE, BALANCER_NOWHERE, 0);
	place();
	ck_assert_int_eq(lanes[0].worker, 1);
	ck_assert_int_eq(lanes[1].worker, 0);
	ck_assert_int_eq(lanes[2].worker, 1);
	ck_assert_int_eq(lanes[3].worker, 0); /* anywhere: where there are fewer */
	ck_assert_uint_gt(balancer_remote_pct(lane, 0), balancer_remote_pct(lane, 1));
	ck_assert_uint_gt(balancer_remote_pct(lane, 1), 0);
	ck_assert_uint_eq(balancer_remote_pct(&lanes[3], 0), 0);
}
END_TEST

/* Two nodes of two workers. */
static void make_two_nodes(void)
{
	for (int node = 0; node < 2; node++)
		for (int i = 0; i < 2; i++)
			add_worker(node, BALANCER_OWN_CORE);
}

START_TEST(lanes_stay_on_their_node)
{
	make_two_nodes();
	for (int i = 0; i < 8; i++)
		add_lane(0, i % 2, 240);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(run_round(), 0);
	ck_assert_uint_eq(load_on(0), 960);
}
END_TEST

START_TEST(lanes_spill_over_and_come_home)
{
	unsigned spilled = 0;

	make_two_nodes();
	snapshot.settings.spill_over = true;
	for (int i = 0; i < 8; i++)
		add_lane(0, i % 2, 240);
	ck_assert_uint_gt(run_round(), 0);
	ck_assert_uint_eq(count_reason(BALANCER_SPILL), result.n_moves);
	ck_assert_uint_le(load_on(0), 900);
	ck_assert_uint_le(load_on(1), 900);
	spilled = lanes_on(2) + lanes_on(3);
	ck_assert_uint_eq(spilled, 2);
	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(run_round(), 0);
	/* A little less is no reason to come home, half as much is. */
	for (unsigned i = 0; i < snapshot.n_lanes; i++)
		lanes[i].load = lanes[i].load * 9 / 10;
	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(run_round(), 0);
	for (unsigned i = 0; i < snapshot.n_lanes; i++)
		lanes[i].load = lanes[i].load * 5 / 9;
	ck_assert_uint_eq(run_round(), spilled);
	ck_assert_uint_eq(count_reason(BALANCER_HOME), spilled);
	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(run_round(), 0);
}
END_TEST

START_TEST(no_spilling_onto_busy_workers_or_from_ones_with_room)
{
	make_two_nodes();
	snapshot.settings.spill_over = true;
	for (int i = 0; i < 8; i++)
		add_lane(0, i % 2, 240);
	add_lane(1, 2, 600);
	add_lane(1, 3, 600);
	ck_assert_uint_eq(run_round(), 0);

	/* One worker saturated, and room on the other: that is no spilling. */
	snapshot.n_lanes = 0;
	for (int i = 0; i < 4; i++)
		add_lane(0, 0, 240);
	ck_assert_uint_eq(run_round(), 2);
	ck_assert_uint_eq(count_reason(BALANCER_SPILL), 0);
	ck_assert_uint_eq(load_on(1), 480);

	/* A single lane that fills its worker is no better off elsewhere. */
	snapshot.n_lanes = 0;
	add_lane(0, 0, 1000);
	add_lane(0, 1, 1000);
	ck_assert_uint_eq(run_round(), 0);
}
END_TEST

START_TEST(global_numa_opt_uses_all_nodes_at_their_price)
{
	make_two_nodes();
	snapshot.settings.global_numa_opt = true;
	for (int i = 0; i < 16; i++)
		add_lane(0, i % 2, 110);
	run_round();
	for (int i = 0; i < 2; i++)
		run_round();
	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(run_round(), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_uint_gt(load_on(i), 400);
		ck_assert_uint_lt(load_on(i), 620);
	}
	ck_assert_uint_gt(lanes_on(0), lanes_on(2));
	/* With nothing else to do, two lanes come home. */
	for (unsigned i = 0, n = 0; i < 16; i++)
		if (lanes[i].worker < 2 || ++n > 2)
			lanes[i].load = 0;
	for (int i = 0; i < 3; i++)
		run_round();
	ck_assert_uint_eq(load_on(2) + load_on(3), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(run_round(), 0);
}
END_TEST

/* --- sensitivity, noise, memory ------------------------------------------------------------------
 */

START_TEST(sensitivity_is_a_share_of_the_excess)
{
	/* 60 and 40: the mean is 50. Moving the 2 takes away a fifth of the excess. */
	add_worker(0, BALANCER_OWN_CORE);
	add_worker(0, BALANCER_OWN_CORE);
	add_lane(0, 0, 290);
	add_lane(0, 0, 290);
	add_lane(0, 0, 20);
	add_lane(0, 1, 400);
	snapshot.settings.sensitivity = 0.25;
	ck_assert_uint_eq(run_round(), 0);
	ck_assert_int_eq(result.verdicts[0].outcome, BALANCER_TOO_SMALL);
	ck_assert_uint_eq(result.verdicts[0].before / PERMILLE, 600);
	ck_assert_uint_eq(result.verdicts[0].after / PERMILLE, 580);
	ck_assert_uint_eq(result.verdicts[0].mean / PERMILLE, 500);
	snapshot.settings.sensitivity = 0.05;
	ck_assert_uint_eq(run_round(), 1);
	ck_assert_int_eq(result.verdicts[0].outcome, BALANCER_MOVED);
}
END_TEST

START_TEST(gains_within_the_noise_do_not_count)
{
	add_worker(0, BALANCER_OWN_CORE);
	add_worker(0, BALANCER_OWN_CORE);
	for (int i = 0; i < 6; i++)
		add_lane(0, i / 4, 100)->noise = 30 * PERMILLE;
	snapshot.settings.sensitivity = 0.25;
	ck_assert_uint_eq(run_round(), 0);
	ck_assert_int_eq(result.verdicts[0].outcome, BALANCER_NOISE);
	for (int i = 0; i < 6; i++)
		lanes[i].noise = 0;
	ck_assert_uint_eq(run_round(), 1);
}
END_TEST

START_TEST(a_real_change_is_noticed_after_a_quiet_time)
{
	static struct balancer_memory memory;

	memset(&memory, 0, sizeof(memory));
	snapshot.memory = &memory;
	snapshot.settings.sensitivity = 0.25;
	add_worker(0, BALANCER_OWN_CORE);
	add_worker(0, BALANCER_OWN_CORE);
	for (int i = 0; i < 8; i++)
		add_lane(0, i % 2, 100)->noise = 5 * PERMILLE;
	ck_assert_uint_eq(run_round(), 0);
	ck_assert_int_eq(result.verdicts[0].outcome, BALANCER_EVEN);
	lanes[0].load += 10 * PERMILLE;
	ck_assert_uint_eq(run_round(), 0);
	ck_assert_int_eq(result.verdicts[0].outcome, BALANCER_QUIET);
	lanes[0].load = lanes[2].load = 300 * PERMILLE;
	ck_assert_uint_gt(run_round(), 0);
	/* Something else than a load changes: it is looked at again. */
	while (run_round() > 0)
		;
	run_round();
	ck_assert_int_eq(result.verdicts[0].outcome, BALANCER_QUIET);
	lanes[0].pin = lanes[0].worker;
	run_round();
	ck_assert_int_ne(result.verdicts[0].outcome, BALANCER_QUIET);
}
END_TEST

START_TEST(the_meter_tells_jitter_from_a_step)
{
	struct balancer_meter meter = {0};
	uint32_t noise;

	for (int i = 0; i < 50; i++)
		balancer_meter_add(&meter, 500 * PERMILLE);
	ck_assert_uint_eq(meter.load, 500 * PERMILLE);
	ck_assert_uint_eq(meter.noise, 0);
	for (int i = 0; i < 3; i++)
		balancer_meter_add(&meter, 800 * PERMILLE);
	ck_assert_uint_gt(meter.load, 750 * PERMILLE);
	noise = meter.noise;
	for (int i = 0; i < 20; i++)
		balancer_meter_add(&meter, 800 * PERMILLE);
	ck_assert_uint_lt(meter.noise, noise / 5);
	for (int i = 0; i < 50; i++)
		balancer_meter_add(&meter, (i % 2 == 0 ? 700 : 900) * PERMILLE);
	ck_assert_uint_gt(meter.noise, 100 * PERMILLE);
	ck_assert_uint_gt(meter.load, 700 * PERMILLE);
	ck_assert_uint_lt(meter.load, 900 * PERMILLE);
	balancer_meter_add(&meter, UINT32_MAX);
	balancer_meter_add(&meter, 0);
	ck_assert_uint_gt(meter.noise, BALANCER_FULL);
}
END_TEST

/* --- the same in, the same out; and what is refused ----------------------------------------------
 */

START_TEST(the_answer_depends_on_the_snapshot_alone)
{
	struct balancer *other = balancer_create(64, 16);
	struct balancer_result again;

	make_two_nodes();
	for (int i = 0; i < 40; i++)
		add_lane(i % 2, i % 2 * 2 + i % 3 / 2, (unsigned)(7 + i * i * 31 % 67));
	ck_assert_int_eq(balancer_round(other, &snapshot, &again), 0);
	ck_assert_int_eq(balancer_round(balancer, &snapshot, &result), 0);
	ck_assert_int_eq(balancer_round(balancer, &snapshot, &result), 0);
	ck_assert_uint_gt(result.n_moves, 0);
	ck_assert_uint_eq(result.n_moves, again.n_moves);
	ck_assert_uint_eq(result.work, again.work);
	ck_assert_mem_eq(result.workers, again.workers, 40 * sizeof(*again.workers));
	for (unsigned i = 0; i < result.n_moves; i++) {
		ck_assert_int_eq(result.moves[i].lane, again.moves[i].lane);
		ck_assert_int_eq(result.moves[i].reason, again.moves[i].reason);
	}
	balancer_destroy(other);
}
END_TEST

static void check_refused(void)
{
	ck_assert_int_eq(balancer_round(balancer, &snapshot, &result), -EINVAL);
	ck_assert_int_eq(balancer_place(balancer, &snapshot, &result), -EINVAL);
	lanes[0] = lanes[1];
	workers[0] = workers[1];
	snapshot.settings.sensitivity = 0;
	snapshot.n_lanes = 2;
	snapshot.n_workers = 2;
	ck_assert_int_eq(balancer_round(balancer, &snapshot, &result), 0);
}

START_TEST(contradictions_are_refused)
{
	add_worker(0, BALANCER_OWN_CORE);
	add_worker(0, BALANCER_OWN_CORE);
	add_lane(0, 0, 100)->relay = 0;
	add_lane(0, 0, 100)->relay = 0;
	lanes[0].worker = 2;
	check_refused();
	lanes[0].worker = -2;
	check_refused();
	lanes[0].pin = 2;
	check_refused();
	lanes[0].pin = 1; /* the other lane of the group is not pinned */
	check_refused();
	lanes[0].relay = RELAYS_MAX;
	check_refused();
	lanes[0].direction = 2;
	check_refused();
	lanes[0].group = BALANCER_GROUPS_MAX;
	check_refused();
	workers[0].capacity = 0;
	check_refused();
	snapshot.settings.sensitivity = -0.1;
	check_refused();
	snapshot.settings.sensitivity = 0.0 / 0.0 * 1; /* not a number */
	check_refused();
	snapshot.n_workers = 17;
	check_refused();
	snapshot.n_lanes = 65;
	check_refused();
	snapshot.n_workers = 0;
	check_refused();
	ck_assert_ptr_null(balancer_create(0, 1));
	ck_assert_ptr_null(balancer_create(1, 0));
	ck_assert_ptr_null(balancer_create(1, BALANCER_WORKERS_MAX + 1));
	balancer_destroy(NULL);
}
END_TEST

START_TEST(absurd_loads_do_no_harm)
{
	make_two_nodes();
	for (int i = 0; i < 8; i++) {
		add_lane(0, 0, 0)->load = UINT32_MAX;
		lanes[i].noise = UINT32_MAX;
	}
	workers[1].capacity = BALANCER_FULL / 100;
	workers[2].capacity = BALANCER_FULL * 100;
	for (int i = 0; i < 4; i++)
		run_round();
	snapshot.settings.global_numa_opt = true;
	snapshot.settings.sensitivity = 1;
	for (int i = 0; i < 4; i++)
		run_round();
	snapshot.n_lanes = 0;
	ck_assert_uint_eq(run_round(), 0);
	ck_assert_uint_eq(place(), 0);
}
END_TEST

/* --- words ---------------------------------------------------------------------------------------
 */

START_TEST(decisions_are_explained)
{
	char text[400];

	add_worker(0, BALANCER_OWN_CORE);
	add_worker(0, BALANCER_OWN_CORE);
	for (int i = 0; i < 4; i++)
		add_lane(0, 0, 200)->guest_node = 3;
	lanes[1].direction = 1;
	ck_assert_int_eq(balancer_round(balancer, &snapshot, &result), 0);
	ck_assert_uint_eq(result.n_moves, 2);
	balancer_explain_move(&snapshot, &result.moves[1], text, sizeof(text));
	ck_assert_str_eq(
	        text, "relay 1 vm_to_vf lane 0 (20.0 %) from worker 10 (80.0 % busy, then 40.0 %) "
	              "to worker 11 (0.0 % busy, then 40.0 %): relieves the worker that it leaves; "
	              "remote memory costs it 20 % there");
	balancer_explain_verdict(&snapshot, &result.verdicts[0], text, sizeof(text));
	ck_assert_str_eq(text, "NUMA node 0: worker 10 is the busiest with 80.0 %, the mean is "
	                       "40.0 %: moving 2 lanes takes away 40.0 %");
	ck_assert_int_gt(balancer_explain_verdict(&snapshot, &result.verdicts[0], text, 10), 10);
	ck_assert_uint_eq(strlen(text), 9);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("balancer_rules");
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, new_lanes_spread_evenly);
	tcase_add_test(tcase, new_lanes_move_no_others);
	tcase_add_test(tcase, loads_count_for_new_lanes);
	tcase_add_test(tcase, siblings_are_filled_last);
	tcase_add_test(tcase, groups_stay_and_come_together);
	tcase_add_test(tcase, a_group_that_is_too_large_for_a_round_stays);
	tcase_add_test(tcase, pins_are_absolute);
	tcase_add_test(tcase, what_is_pinned_counts);
	tcase_add_test(tcase, home_is_where_memory_costs_least);
	tcase_add_test(tcase, lanes_stay_on_their_node);
	tcase_add_test(tcase, lanes_spill_over_and_come_home);
	tcase_add_test(tcase, no_spilling_onto_busy_workers_or_from_ones_with_room);
	tcase_add_test(tcase, global_numa_opt_uses_all_nodes_at_their_price);
	tcase_add_test(tcase, sensitivity_is_a_share_of_the_excess);
	tcase_add_test(tcase, gains_within_the_noise_do_not_count);
	tcase_add_test(tcase, a_real_change_is_noticed_after_a_quiet_time);
	tcase_add_test(tcase, the_meter_tells_jitter_from_a_step);
	tcase_add_test(tcase, the_answer_depends_on_the_snapshot_alone);
	tcase_add_test(tcase, contradictions_are_refused);
	tcase_add_test(tcase, absurd_loads_do_no_harm);
	tcase_add_test(tcase, decisions_are_explained);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
