/* When the balancer acts and when it does not (sensitivity, noise, memory), what it refuses, and
 * what it says.
 */
#include "balancer_machine.h"
#include "suite.h"

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
	lanes[3].direction = 1;
	ck_assert_int_eq(balancer_round(balancer, &snapshot, &result), 0);
	ck_assert_uint_eq(result.n_moves, 2);
	balancer_explain_move(&snapshot, &result.moves[1], text, sizeof(text));
	ck_assert_str_eq(
	        text, "relay 3 vm_to_vf lane 0 (20.0 %) from worker 10 (80.0 % busy, then 40.0 %) "
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
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, sensitivity_is_a_share_of_the_excess);
	tcase_add_test(tcase, gains_within_the_noise_do_not_count);
	tcase_add_test(tcase, a_real_change_is_noticed_after_a_quiet_time);
	tcase_add_test(tcase, the_meter_tells_jitter_from_a_step);
	tcase_add_test(tcase, the_answer_depends_on_the_snapshot_alone);
	tcase_add_test(tcase, contradictions_are_refused);
	tcase_add_test(tcase, absurd_loads_do_no_harm);
	tcase_add_test(tcase, decisions_are_explained);
	return suite_main("balancer_answers", tcase);
}
