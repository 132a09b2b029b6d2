/* VFs that the kernel is just binding or resetting: their attach is tried again, for a while.
 */
/* WRAP: clock_now_ms */
#include <check.h>

#include "relay_vf_rig.h"
#include "suite.h"

/* --- add, busy for a moment ---------------------------------------------------------------------
 */

START_TEST(tried_again_while_it_is_busy)
{
	struct answer answer, again;

	n_busy = 1;
	add(0, 0, true, &answer);
	device_works();
	expect_nothing_yet(&answer);
	ck_assert(device_idle()); /* others have their turn */
	add(0, 0, true, &again);
	have(1, 4);
	n_busy = 3;
	for (int i = 0; i < 3; i++) {
		pass_ms(200);
		device_works();
		expect_nothing_yet(&answer);
	}
	pass_ms(200);
	device_works();
	expect_ok(&answer);
	expect_ok(&again);
	ck_assert_uint_le(answer.took_ms, CONTROL_ANSWER_MS);
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
}
END_TEST

START_TEST(busy_for_too_long)
{
	struct answer answer;

	n_busy = 100;
	add(0, 0, true, &answer);
	for (int i = 0; i < 5; i++) {
		device_works();
		pass_ms(200);
	}
	expect_error(&answer, add_source, 2);
	ck_assert_ptr_nonnull(strstr(answer.text, "busy"));
	ck_assert(device_idle());
	ck_assert_str_eq(to_vm_state(0), "DPDK_UNINIT");
	n_busy = 0;
	have(0, 0);
}
END_TEST

/* Whatever comes between two trials ends them. */
START_TEST(removed_between_two_trials)
{
	struct answer answer, removal;

	n_busy = 1;
	add(0, 0, true, &answer);
	device_works();
	remove_vf(0, 0, false, &removal);
	device_works();
	expect_error(&answer, add_source, 2);
	expect_ok(&removal);
	ck_assert_uint_eq(n_attaches, 1);
	pass_ms(60000);
	ck_assert(device_idle());
	have(0, 0);
}
END_TEST

START_TEST(too_late_between_two_trials)
{
	struct answer answer;

	n_busy = 2;
	add(0, 0, true, &answer);
	device_runs();
	pass_ms(CONTROL_ANSWER_MS - 1); /* slow */
	device_delivers();
	pass_ms(1);
	expect_error(&answer, add_source, 2);
	device_works(); /* the trial that is given up */
	ck_assert_uint_eq(n_attaches, 1);
	ck_assert_uint_eq(rig->relays.relay[0].vf_end.phase, VF_ABSENT);
	n_busy = 0;
	have(0, 0);
}
END_TEST

START_TEST(shut_down_between_two_trials)
{
	struct answer answer;

	n_busy = 1;
	add(0, 0, true, &answer);
	device_works();
	rig->relays.quiesced = true;
	relays_detach_all(&rig->relays);
	device_works();
	expect_error(&answer, add_source, 2);
	relays_detach_all(&rig->relays);
	ck_assert(device_idle());
}
END_TEST

START_TEST(a_lost_vf_that_is_busy)
{
	struct answer answer;

	have(0, 0);
	rig_lose(&rig->relays.relay[0]);
	device_works();
	n_busy = 1;
	add(0, 0, true, &answer); /* somebody knows that it is back, and is a bit early */
	device_works();
	pass_ms(200);
	device_works();
	expect_ok(&answer);
	rig_lose(&rig->relays.relay[0]);
	device_works();
	n_busy = 5;
	for (int i = 0; i < 5; i++) { /* waits as for one that is not there */
		pass_ms(200ULL << i);
		device_works();
		ck_assert_uint_eq(rig->relays.relay[0].vf_end.phase, VF_LOST);
	}
	pass_ms(LONGEST_WAIT_MS);
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, tried_again_while_it_is_busy);
	tcase_add_test(tcase, busy_for_too_long);
	tcase_add_test(tcase, removed_between_two_trials);
	tcase_add_test(tcase, too_late_between_two_trials);
	tcase_add_test(tcase, shut_down_between_two_trials);
	tcase_add_test(tcase, a_lost_vf_that_is_busy);
	return suite_main("relay_vf_busy", tcase);
}
