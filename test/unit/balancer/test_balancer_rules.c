/* The balancer's rules, one by one, on machines small enough to follow: the first placement,
 * groups, siblings, pins, NUMA nodes.
 */
#include "balancer_machine.h"
#include "suite.h"

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

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 120);
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
	return suite_main("balancer_rules", tcase);
}
