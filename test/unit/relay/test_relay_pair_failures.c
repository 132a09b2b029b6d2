/* Dynamic sockets, all or nothing: whichever end fails or takes too long, the relay is idle again
 * and the client is told.
 */
#include <check.h>

#include "relay_pair_rig.h"
#include "suite.h"

/* --- all or nothing --------------------------------------------------------------------------- */

START_TEST(a_device_that_fails)
{
	struct answer answer;

	attach_fails = true;
	add_if(false, 0, "a", &answer);
	ends_work();
	expect_error(&answer, adding, 3);
	ck_assert_ptr_nonnull(strstr(answer.text, "does not work"));
	expect_idle(0);
	ck_assert(idle(GUEST));
	attach_fails = false;
	made(0, "a");
}
END_TEST

START_TEST(a_socket_that_fails)
{
	struct answer answer;

	open_fails = true;
	add_if(false, 0, "a", &answer);
	works(DEVICE);
	works(GUEST);
	expect_waits(&answer); /* until the device is given back */
	works(DEVICE);
	expect_error(&answer, adding, 5);
	ck_assert_ptr_nonnull(strstr(answer.text, "another process"));
	expect_idle(0);
	ck_assert_uint_eq(n_attached, 0);
	open_fails = false;
	made(0, "a");
}
END_TEST

START_TEST(a_device_that_does_not_close)
{
	struct answer answer;

	made(0, "a");
	detach_fails = true;
	remove_if(true, 0, NULL, &answer);
	ends_work();
	expect_error(&answer, removing, 4);
	expect_idle(0);
	detach_fails = false;
	made(0, "a");
}
END_TEST

START_TEST(a_device_that_takes_too_long)
{
	struct answer answer, again;

	add_if(false, 0, "a", &answer);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, adding, 3);
	ck_assert_uint_eq(answer.took_ms, CONTROL_ANSWER_MS);
	add_if(true, 0, "a", &again);
	expect_error(&again, adding, 1); /* still giving back */
	ends_work();
	expect_idle(0);
	ck_assert_uint_eq(n_attached + n_open, 0);
}
END_TEST

START_TEST(a_socket_that_takes_too_long)
{
	struct answer answer;

	add_if(false, 0, "a", &answer);
	works(DEVICE);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, adding, 5);
	ends_work(); /* it opens, nobody wants it, and it is closed again */
	expect_idle(0);
	ck_assert_uint_eq(n_attached + n_open, 0);
}
END_TEST

START_TEST(a_roll_back_that_takes_too_long)
{
	struct answer answer;

	open_fails = true;
	add_if(false, 0, "a", &answer);
	works(DEVICE);
	works(GUEST);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, adding, 5);
	ends_work();
	expect_idle(0);
}
END_TEST

START_TEST(a_removal_that_takes_too_long_goes_on)
{
	struct answer answer, again;

	made(0, "a");
	remove_if(false, 0, "a", &answer);
	works(DEVICE);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, removing, 5);
	expect_states(0, "DPDK_UNINIT", "VIRTIO_REMOVING2");
	remove_if(false, -1, "a", &again); /* joins it */
	works(GUEST);
	expect_ok(&again);
	expect_idle(0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_device_that_fails);
	tcase_add_test(tcase, a_socket_that_fails);
	tcase_add_test(tcase, a_device_that_does_not_close);
	tcase_add_test(tcase, a_device_that_takes_too_long);
	tcase_add_test(tcase, a_socket_that_takes_too_long);
	tcase_add_test(tcase, a_roll_back_that_takes_too_long);
	tcase_add_test(tcase, a_removal_that_takes_too_long_goes_on);
	return suite_main("relay_pair_failures", tcase);
}
