/* Whose a relay's VF is: clients, OVSDB and the configuration, and what each may do with the
 * others'.
 */
#include <check.h>

#include "relay_vf_rig.h"
#include "suite.h"

/* --- owners -------------------------------------------------------------------------------------
 */

static void expect_refused(const struct answer *answer, const char *source, int code,
                           const char *who)
{
	expect_error(answer, source, code);
	ck_assert_msg(strstr(answer->text, who) != NULL, "%s", answer->text);
}

START_TEST(each_vf_has_one_owner)
{
	struct device_spec device;
	struct answer answer;

	have(4, 2);
	asker = VF_ORIGIN_OVSDB;
	have(3, 1);
	ck_assert(is_ovsdbs(3) && !is_ovsdbs(4) && !is_ovsdbs(5));
	ck_assert(control_vf_of_origin(rig, 4, VF_ORIGIN_CLIENT, &device));
	ck_assert_str_eq(device.name, "net_null2");
	add(4, 2, true, &answer); /* what is there, but not its own */
	expect_refused(&answer, add_source, 8, "a client");
	remove_vf(4, -1, true, &answer);
	expect_refused(&answer, remove_source, 2, "a client");

	asker = VF_ORIGIN_CLIENT;
	add(3, 1, true, &answer);
	expect_refused(&answer, add_source, 8, "net_null1 from OVSDB");
	add(3, 5, false, &answer);
	expect_refused(&answer, add_source, 8, "net_null1 from OVSDB");
	add(5, 1, true, &answer);
	expect_refused(&answer, add_source, 2, "relay 3 has net_null1 from OVSDB");
	remove_vf(3, -1, true, &answer);
	expect_refused(&answer, remove_source, 2, "OVSDB");
	remove_vf(3, 1, false, &answer);
	expect_refused(&answer, remove_source, 2, "OVSDB");

	asker = VF_ORIGIN_OVSDB;
	remove_vf(3, -1, true, &answer);
	ck_assert(!is_ovsdbs(3)); /* on its way out */
	device_works();
	expect_ok(&answer);
	asker = VF_ORIGIN_CLIENT;
	have(3, 1);
	ck_assert(!is_ovsdbs(3));
}
END_TEST

START_TEST(clients_may_take_a_static_vf)
{
	struct answer answer;

	rig_config.n_static_vfs = 1;
	rig_config.static_vfs[0].relay_id = 2;
	ck_assert(name_device(0, &rig_config.static_vfs[0].device));
	relays_start_static(&rig->relays);
	device_works();
	asker = VF_ORIGIN_OVSDB;
	add(2, 0, true, &answer);
	expect_refused(&answer, add_source, 8, "the configuration");
	remove_vf(2, 0, true, &answer);
	expect_refused(&answer, remove_source, 2, "the configuration");

	asker = VF_ORIGIN_CLIENT;
	add(2, 0, true, &answer);
	expect_ok(&answer);
	remove_vf(2, 0, true, &answer);
	device_works();
	expect_ok(&answer);
	asker = VF_ORIGIN_OVSDB; /* nobody's now */
	have(2, 0);
}
END_TEST

START_TEST(ovsdb_is_not_in_a_hurry)
{
	struct answer answer;

	asker = VF_ORIGIN_OVSDB;
	add(7, 3, true, &answer);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, add_source, 2);
	ck_assert(is_ovsdbs(7));
	device_works(); /* it is wanted as before */
	ck_assert(attached[3] && is_ovsdbs(7));
	add(7, 3, true, &answer);
	expect_ok(&answer);

	rig_lose(&rig->relays.relay[7]);
	ck_assert(is_ovsdbs(7));
	device_works();
	ck_assert(is_ovsdbs(7));
	pass_ms(100);
	device_works();
	ck_assert(attached[3] && is_ovsdbs(7));
}
END_TEST

START_TEST(what_was_lost_and_removed_late_stays_away)
{
	struct answer answer;

	have(7, 3);
	rig_lose(&rig->relays.relay[7]);
	remove_vf(7, 3, true, &answer);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, remove_source, 5);
	device_works();
	pass_ms(60000);
	ck_assert(device_idle());
	ck_assert_str_eq(to_vm_state(7), "DPDK_UNINIT");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, each_vf_has_one_owner);
	tcase_add_test(tcase, clients_may_take_a_static_vf);
	tcase_add_test(tcase, ovsdb_is_not_in_a_hurry);
	tcase_add_test(tcase, what_was_lost_and_removed_late_stays_away);
	return suite_main("relay_vf_owners", tcase);
}
