/* Packing: idle lanes share few workers, busy ones are spread, and neither turns into the other and
 * back by itself.
 */
#include "balancer_machine.h"
#include "suite.h"

static struct balancer_memory memory;

static void set_up_packing(void)
{
	set_up();
	memset(&memory, 0, sizeof(memory));
	snapshot.memory = &memory;
	snapshot.settings.pack = true;
	snapshot.settings.sensitivity = BALANCER_SENSITIVITY;
}

static unsigned awake(void)
{
	unsigned n = 0;

	for (unsigned w = 0; w < snapshot.n_workers; w++)
		n += lanes_on((int)w) > 0;
	return n;
}

/* Returns all moves. */
static unsigned rounds(unsigned n)
{
	unsigned moves = 0;

	while (n-- > 0)
		moves += run_round();
	return moves;
}

/* 8 workers, and 4 lanes on each. */
static void add_machine(unsigned permille)
{
	for (int w = 0; w < 8; w++)
		add_worker(0, BALANCER_OWN_CORE);
	for (int i = 0; i < 32; i++)
		add_lane(0, i % 8, permille);
}

static void all_loads(unsigned permille)
{
	for (unsigned i = 0; i < snapshot.n_lanes; i++)
		lanes[i].load = permille * PERMILLE;
}

START_TEST(idle_lanes_share_a_worker)
{
	add_machine(0);
	ck_assert_uint_eq(rounds(5), 0); /* it may be a moment's rest */
	ck_assert_int_eq(result.verdicts[0].outcome, BALANCER_WAITS);
	ck_assert_uint_gt(rounds(3), 0);
	ck_assert_uint_eq(awake(), 1);
	ck_assert_uint_eq(rounds(20), 0);
	ck_assert_int_eq(result.verdicts[0].outcome, BALANCER_DENSE);
}
END_TEST

START_TEST(a_round_moves_no_more_than_it_may)
{
	add_machine(0);
	snapshot.settings.moves_max = 8;
	rounds(5);
	for (unsigned w = 8; w > 1; w = awake()) {
		ck_assert_uint_gt(run_round(), 0);
		ck_assert_uint_le(result.n_moves, 8);
		ck_assert_uint_eq(count_reason(BALANCER_PACK), result.n_moves);
	}
}
END_TEST

START_TEST(none_is_filled_too_much)
{
	add_machine(30); /* 0.96 in all */
	rounds(10);
	ck_assert_uint_eq(awake(), 2);
	for (int w = 0; w < 8; w++)
		ck_assert_uint_le(load_on(w), 500 * PERMILLE);
	ck_assert_uint_eq(rounds(20), 0);
}
END_TEST

START_TEST(load_spreads_them_again)
{
	add_machine(0);
	rounds(10);
	ck_assert_uint_eq(awake(), 1);
	all_loads(150); /* 4.8 in all */
	rounds(3);
	for (int w = 0; w < 8; w++)
		ck_assert_uint_le(load_on(w), 700 * PERMILLE);
	ck_assert_uint_eq(awake(), 8);
	ck_assert_uint_eq(rounds(20), 0);
}
END_TEST

/* Up and down every 5 rounds: spread once, and never packed. */
START_TEST(what_comes_and_goes_stays_spread)
{
	add_machine(0);
	rounds(10);
	all_loads(150);
	rounds(5);
	for (int i = 0; i < 20; i++) {
		all_loads(i % 2 == 0 ? 0 : 150);
		/* A spread lane has 0.6 on its worker, which is not hot: one has more. */
		lanes[0].load = i % 2 == 0 ? 0 : 750 * PERMILLE;
		ck_assert_uint_eq(i > 1 ? rounds(5) : rounds(5) * 0, 0);
	}
	ck_assert_uint_eq(awake(), 8);
}
END_TEST

/* Any load within the gap between the marks leaves lanes where they are. */
START_TEST(between_the_marks_nothing_moves)
{
	add_machine(30);
	rounds(10);
	ck_assert_uint_eq(awake(), 2);
	for (unsigned permille = 30; permille <= 42; permille++) {
		all_loads(permille);
		ck_assert_uint_eq(rounds(3), 0);
	}
	for (unsigned permille = 42; permille >= 30; permille--) {
		all_loads(permille);
		ck_assert_uint_eq(rounds(3), 0);
	}
}
END_TEST

START_TEST(pins_and_nodes_stay)
{
	for (int w = 0; w < 4; w++)
		add_worker(w / 2, BALANCER_OWN_CORE);
	for (int i = 0; i < 8; i++)
		add_lane(i % 4 / 2, i % 4, 0);
	lanes[1].pin = 1;
	rounds(10);
	ck_assert_uint_eq(lanes_on(1), 4); /* where the pin is, the others go */
	ck_assert_uint_eq(lanes_on(0), 0);
	ck_assert_uint_eq(lanes_on(2) + lanes_on(3), 4);
	ck_assert_uint_eq(awake(), 2);
}
END_TEST

/* A core sleeps only as a whole. */
START_TEST(cores_are_emptied_not_threads)
{
	for (int w = 0; w < 8; w++)
		add_worker(0, w / 2);
	for (int i = 0; i < 16; i++)
		add_lane(0, i % 8, 0);
	rounds(10);
	unsigned cores = 0;
	for (int c = 0; c < 4; c++)
		cores += lanes_on(2 * c) + lanes_on(2 * c + 1) > 0;
	ck_assert_uint_eq(cores, 1);
}
END_TEST

START_TEST(new_lanes_wake_nobody_without_need)
{
	for (int w = 0; w < 8; w++)
		add_worker(0, BALANCER_OWN_CORE);
	add_lane(0, 3, 0);
	for (int i = 0; i < 4; i++)
		add_lane(0, BALANCER_NOWHERE, 0);
	place();
	ck_assert_uint_eq(lanes_on(3), 5);
	for (int i = 0; i < 50; i++)
		add_lane(0, BALANCER_NOWHERE, 0);
	place(); /* they may all have something to do in a moment */
	ck_assert_uint_ge(awake(), 4);
}
END_TEST

START_TEST(without_the_option_nothing_is_packed)
{
	snapshot.settings.pack = false;
	add_machine(0);
	ck_assert_uint_eq(rounds(20), 0);
	ck_assert_uint_eq(awake(), 8);
}
END_TEST

START_TEST(says_why)
{
	char text[256];

	add_machine(0);
	snapshot.memory = NULL; /* a dry run */
	run_round();
	ck_assert_int_eq(result.verdicts[0].outcome, BALANCER_PACKED);
	balancer_explain_verdict(&snapshot, &result.verdicts[0], text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "lets whole CPUs sleep"));
	balancer_explain_move(&snapshot, &result.moves[0], text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "so that the CPU that it leaves can sleep"));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up_packing, tear_down);
	tcase_add_test(tcase, idle_lanes_share_a_worker);
	tcase_add_test(tcase, a_round_moves_no_more_than_it_may);
	tcase_add_test(tcase, none_is_filled_too_much);
	tcase_add_test(tcase, load_spreads_them_again);
	tcase_add_test(tcase, what_comes_and_goes_stays_spread);
	tcase_add_test(tcase, between_the_marks_nothing_moves);
	tcase_add_test(tcase, pins_and_nodes_stay);
	tcase_add_test(tcase, cores_are_emptied_not_threads);
	tcase_add_test(tcase, new_lanes_wake_nobody_without_need);
	tcase_add_test(tcase, without_the_option_nothing_is_packed);
	tcase_add_test(tcase, says_why);
	return suite_main("balancer_pack", tcase);
}
