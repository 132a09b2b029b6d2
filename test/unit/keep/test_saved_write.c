/* What outlives the daemon: when it is written, and when clients are answered. */
#include <check.h>

#include "saved_rig.h"
#include "suite.h"

/* --- when it is written -------------------------------------------------------------------------
 */

START_TEST(answered_when_it_is_written)
{
	struct answer answer;

	ask_add(&answer, VF_ORIGIN_CLIENT, 3, 1, false);
	ends_work();
	ck_assert_uint_eq(answer.n, 0);
	expect_saved("");
	pass_ms(1);
	ck_assert_uint_eq(answer.n, 0);
	works(STATE);
	expect_ok(&answer);
	expect_saved("3=net_null1");

	ask_remove(&answer, VF_ORIGIN_CLIENT, 3, -1, false);
	ends_work();
	ck_assert_uint_eq(answer.n, 0);
	pass_ms(1);
	works(STATE);
	expect_ok(&answer);
	expect_saved("");
}
END_TEST

/* Another client hears that it is gone only when it will stay gone. */
START_TEST(who_comes_second_waits_too)
{
	struct answer first, second, third;

	add(3, 1);
	ask_remove(&first, VF_ORIGIN_CLIENT, 3, -1, false);
	ends_work();
	ask_remove(&second, VF_ORIGIN_CLIENT, 3, -1, true);
	ck_assert_uint_eq(second.n, 0);
	ask_add(&third, VF_ORIGIN_CLIENT, 4, 2, true);
	settle();
	expect_ok(&first);
	expect_ok(&second);
	expect_ok(&third);
}
END_TEST

START_TEST(errors_do_not_wait)
{
	struct answer answer;

	attach_fails = true;
	ask_add(&answer, VF_ORIGIN_CLIENT, 3, 1, false);
	ends_work();
	attach_fails = false;
	expect_error(&answer, adding, 2);
	settle();
	ck_assert_uint_eq(n_writes, 0);
}
END_TEST

START_TEST(changes_of_a_turn_are_written_together)
{
	struct answer answers[8];

	for (unsigned i = 0; i < 8; i++)
		ask_add(&answers[i], VF_ORIGIN_CLIENT, i, (int)i, false);
	settle();
	ck_assert_uint_eq(n_writes, 1);
	for (unsigned i = 0; i < 8; i++)
		expect_ok(&answers[i]);
}
END_TEST

START_TEST(changes_during_a_writing_are_written_next)
{
	struct answer first, second;

	ask_add(&first, VF_ORIGIN_CLIENT, 1, 1, false);
	ends_work();
	pass_ms(1);
	ck_assert(!idle(STATE));
	ask_add(&second, VF_ORIGIN_CLIENT, 2, 2, false);
	ends_work();
	pass_ms(5);
	works(STATE);
	expect_ok(&first);
	ck_assert_uint_eq(second.n, 0);
	expect_saved("1=net_null1");
	ck_assert(idle(STATE));
	pass_ms(1);
	works(STATE);
	expect_ok(&second);
	expect_saved("1=net_null1 2=net_null2");
}
END_TEST

START_TEST(a_disk_that_hangs_delays_nobody_beyond_his_time)
{
	struct answer answer;

	ask_add(&answer, VF_ORIGIN_CLIENT, 3, 1, false);
	pass_ms(200);
	ends_work();
	pass_ms(CONTROL_ANSWER_MS - 201);
	ck_assert_uint_eq(answer.n, 0);
	pass_ms(1);
	expect_ok(&answer);
	ck_assert_uint_eq(answer.took_ms, CONTROL_ANSWER_MS);
	ck_assert_int_eq(rig->relays.relay[3].vf_end.phase, VF_ATTACHED);
	works(STATE);
	expect_saved("3=net_null1");
}
END_TEST

START_TEST(a_full_disk_delays_nobody)
{
	struct answer answer;

	write_fails = true;
	ask_add(&answer, VF_ORIGIN_CLIENT, 3, 1, false);
	ends_work();
	pass_ms(1);
	works(STATE);
	expect_ok(&answer);
	ask_add(&answer, VF_ORIGIN_CLIENT, 4, 2, false);
	ends_work();
	expect_ok(&answer);
	ck_assert_uint_eq(answer.took_ms, 0);
	pass_ms(4000);
	ck_assert(idle(STATE)); /* not a try for each change */
	write_fails = false;
	pass_ms(2000);
	works(STATE);
	expect_saved("3=net_null1 4=net_null2");
	ask_add(&answer, VF_ORIGIN_CLIENT, 5, 3, false);
	ends_work();
	ck_assert_uint_eq(answer.n, 0);
	settle();
	expect_ok(&answer);
}
END_TEST

START_TEST(an_orderly_end_writes_what_is_left)
{
	struct answer answer;

	ask_add(&answer, VF_ORIGIN_CLIENT, 3, 1, false);
	ends_work();
	saved_stop(rig->saved);
	expect_ok(&answer);
	expect_saved("3=net_null1");
	relays_detach_all(&rig->relays);
	saved_changed(rig->saved, &rig->relays.relay[3]);
	ends_work();
	pass_ms(10000);
	ck_assert(idle(STATE));
	expect_saved("3=net_null1");
	saved_stop(rig->saved);
	saved_destroy(rig->saved);
	rig->saved = NULL;
}
END_TEST

START_TEST(an_end_while_the_disk_hangs)
{
	struct answer answer;

	ask_add(&answer, VF_ORIGIN_CLIENT, 3, 1, false);
	ends_work();
	pass_ms(1);
	hangs = true;
	saved_stop(rig->saved);
	expect_ok(&answer);
	saved_destroy(rig->saved);
	ck_assert_ptr_nonnull(rig->saved); /* its thread may still use it */
	hangs = false;
}
END_TEST

START_TEST(a_file_that_somebody_takes_away_comes_back)
{
	unsigned before;

	add(3, 1);
	before = n_writes;
	pass_ms(5000);
	settle();
	ck_assert_uint_eq(n_writes, before);
	ck_assert_int_eq(unlink(path), 0);
	pass_ms(1000);
	settle();
	ck_assert_uint_eq(n_writes, before + 1);
	expect_saved("3=net_null1");
	write_fails = true; /* that is tried again by itself */
	ck_assert_int_eq(unlink(path), 0);
	pass_ms(1000);
	settle();
	ck_assert_uint_eq(n_writes, before + 2);
	pass_ms(2000);
	settle();
	ck_assert_uint_eq(n_writes, before + 2);
	write_fails = false;
	pass_ms(5000);
	settle();
	expect_saved("3=net_null1");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, answered_when_it_is_written);
	tcase_add_test(tcase, who_comes_second_waits_too);
	tcase_add_test(tcase, errors_do_not_wait);
	tcase_add_test(tcase, changes_of_a_turn_are_written_together);
	tcase_add_test(tcase, changes_during_a_writing_are_written_next);
	tcase_add_test(tcase, a_disk_that_hangs_delays_nobody_beyond_his_time);
	tcase_add_test(tcase, a_full_disk_delays_nobody);
	tcase_add_test(tcase, an_orderly_end_writes_what_is_left);
	tcase_add_test(tcase, an_end_while_the_disk_hangs);
	tcase_add_test(tcase, a_file_that_somebody_takes_away_comes_back);
	return suite_main("saved_write", tcase);
}
