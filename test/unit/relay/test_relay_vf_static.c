/* Static VFs that are not there at the start: when they are attached, and to whom they give way.
 */
/* WRAP: clock_now_ms */
#include <check.h>

#include "relay_vf_rig.h"
#include "suite.h"

START_TEST(a_static_vf_that_comes_later)
{
	struct answer answer;

	have_static(0, 0);
	attach_code = VF_ERROR_PROBE;
	relays_start_static(&rig->relays);
	add(0, 0, false, &answer); /* it is being attached, as far as one knows */
	expect_error(&answer, add_source, 8);
	for (int i = 0; i < 20; i++) {
		device_works();
		ck_assert_str_eq(to_vm_state(0), "DPDK_UNINIT");
		pass_ms(BACKOFF_LONGEST_MS);
	}
	device_works();
	add(0, 0, false, &answer); /* somebody looks for it: no repetition yet */
	device_works();
	expect_error(&answer, add_source, 2);
	attach_code = 0;
	pass_ms(BACKOFF_LONGEST_MS);
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
	add(0, 0, false, &answer); /* but now */
	expect_error(&answer, add_source, 8);
	ck_assert(!vf_life_is_kept(&rig->relays.relay[0])); /* still the configuration's */
	pass_ms(BACKOFF_LONGEST_MS);
	ck_assert(device_idle());
}
END_TEST

/* Its relay and its device are anybody's until then, as they were always. */
START_TEST(a_static_vf_that_is_not_there_gives_way)
{
	struct answer answer;

	have_static(0, 0);
	have_static(1, 1);
	have_static(2, 2);
	have_static(3, 3);
	attach_code = VF_ERROR_PROBE;
	relays_start_static(&rig->relays);
	for (int i = 0; i < 4; i++)
		device_works();
	attach_code = 0;
	have(0, 5);
	add(0, 1, true, &answer); /* refused: then nobody gives way */
	expect_error(&answer, add_source, 8);
	ck_assert_uint_eq(rig->relays.relay[1].vf_end.phase, VF_LOST);
	have(7, 1);
	ck_assert_uint_eq(rig->relays.relay[1].vf_end.phase, VF_ABSENT);
	asker = VF_ORIGIN_OVSDB;
	have(2, 2);
	ck_assert(is_ovsdbs(2));
	asker = VF_ORIGIN_CLIENT;
	remove_vf(3, 3, true, &answer);
	expect_ok(&answer);
	pass_ms(60000);
	ck_assert(device_idle());
	ck_assert_uint_eq(n_attached, 3);
}
END_TEST

START_TEST(shut_down_while_a_static_vf_is_awaited)
{
	have_static(0, 0);
	attach_code = VF_ERROR_PROBE;
	relays_start_static(&rig->relays);
	device_works();
	rig->relays.quiesced = true;
	relays_detach_all(&rig->relays);
	pass_ms(60000);
	ck_assert(device_idle());
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_static_vf_that_comes_later);
	tcase_add_test(tcase, a_static_vf_that_is_not_there_gives_way);
	tcase_add_test(tcase, shut_down_while_a_static_vf_is_awaited);
	return suite_main("relay_vf_static", tcase);
}
