/* A VF is removed from a relay: what each request is answered, and when, and that nothing of what
 * it counted or held is lost.
 */
#include <check.h>

#include "relay_vf_rig.h"
#include "suite.h"

/* --- remove -------------------------------------------------------------------------------------
 */

START_TEST(nothing_to_remove)
{
	struct answer answer;

	remove_vf(0, -1, true, &answer);
	expect_ok(&answer);
	remove_vf(0, 3, true, &answer);
	expect_ok(&answer);
	remove_vf(0, -1, false, &answer);
	expect_error(&answer, remove_source, 4);
	remove_vf(0, 3, false, &answer);
	expect_error(&answer, remove_source, 4);
}
END_TEST

START_TEST(removed_when_it_has_gone)
{
	struct control_relay relay;
	struct answer answer;

	have(0, 0);
	remove_vf(0, 0, false, &answer);
	expect_nothing_yet(&answer);
	control_relay_read(rig, 0, &relay);
	ck_assert_str_eq(contract_state_to_vm(relay.vf_to_vm.state), "DPDK_REMOVING2");
	ck_assert(relay.has_device && !relay.vf_to_vm.active && !relay.vf_to_vm.has_cpu);
	device_runs();
	expect_nothing_yet(&answer);
	device_delivers();
	expect_ok(&answer);
	control_relay_read(rig, 0, &relay);
	ck_assert_str_eq(contract_state_to_vm(relay.vf_to_vm.state), "DPDK_UNINIT");
	ck_assert(!relay.has_device);
	ck_assert_uint_eq(relay.mtu, 0);
	have(0, 1);
	remove_vf(0, -1, true, &answer); /* whatever it is */
	device_works();
	expect_ok(&answer);
}
END_TEST

START_TEST(not_another_ones_device)
{
	struct answer answer;

	have(0, 0);
	remove_vf(0, 1, true, &answer);
	expect_error(&answer, remove_source, 3);
	remove_vf(0, 1, false, &answer);
	expect_error(&answer, remove_source, 3);
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
}
END_TEST

START_TEST(removed_by_two)
{
	struct answer first, second, third;

	have(0, 0);
	remove_vf(0, 0, false, &first);
	remove_vf(0, -1, true, &second);
	device_runs();
	remove_vf(0, 0, false, &third);
	device_delivers();
	expect_ok(&first);
	expect_ok(&second);
	expect_ok(&third);
	ck_assert_uint_eq(n_detaches, 1);
}
END_TEST

START_TEST(no_add_while_it_goes)
{
	struct answer answer, removal;

	have(0, 0);
	remove_vf(0, 0, false, &removal);
	add(0, 0, true, &answer);
	expect_error(&answer, add_source, 8);
	add(0, 1, true, &answer);
	expect_error(&answer, add_source, 8);
	add(1, 0, true, &answer); /* nor elsewhere */
	expect_error(&answer, add_source, 2);
	device_works();
	expect_ok(&removal);
}
END_TEST

START_TEST(a_slow_removal_goes_on)
{
	struct answer answer;

	have(0, 0);
	remove_vf(0, 0, true, &answer);
	device_runs();
	pass_ms(CONTROL_ANSWER_MS - 1);
	expect_nothing_yet(&answer);
	pass_ms(1);
	expect_error(&answer, remove_source, 5);
	ck_assert_str_eq(to_vm_state(0), "DPDK_REMOVING2");
	pass_ms(10000);
	device_delivers();
	ck_assert_uint_eq(answer.n, 1);
	ck_assert_str_eq(to_vm_state(0), "DPDK_UNINIT");
}
END_TEST

START_TEST(a_removal_that_fails)
{
	struct answer answer;

	have(0, 0);
	detach_fails = true;
	remove_vf(0, 0, false, &answer);
	device_works();
	expect_error(&answer, remove_source, 2);
	ck_assert_str_eq(to_vm_state(0), "DPDK_UNINIT");
	detach_fails = false;
	have(0, 0);
}
END_TEST

START_TEST(removed_while_it_comes_and_has_not_begun)
{
	struct answer added, removed;

	add(0, 0, true, &added);
	remove_vf(0, 0, false, &removed);
	expect_nothing_yet(&removed);
	device_works();
	expect_error(&added, add_source, 2);
	expect_ok(&removed);
	ck_assert_uint_eq(n_attaches, 0);
}
END_TEST

START_TEST(removed_while_it_comes)
{
	struct answer added, removed, again;

	add(0, 0, true, &added);
	device_runs();
	remove_vf(0, -1, true, &removed);
	add(0, 0, true, &again);
	expect_error(&again, add_source, 8);
	device_delivers();
	expect_error(&added, add_source, 2);
	expect_nothing_yet(&removed);
	device_works();
	expect_ok(&removed);
	ck_assert_uint_eq(n_attached, 0);
	have(0, 0);
}
END_TEST

START_TEST(removed_while_it_fails_to_come)
{
	struct answer added, removed;

	attach_code = VF_ERROR_RX_QUEUE;
	add(0, 0, true, &added);
	device_runs();
	remove_vf(0, 0, false, &removed);
	device_delivers();
	expect_error(&added, add_source, 5);
	expect_ok(&removed); /* it is gone, which was the wish */
}
END_TEST

/* --- what must not be lost ----------------------------------------------------------------------
 */

START_TEST(everything_is_counted)
{
	struct control_relay relay;
	struct answer answer;

	for (unsigned round = 1; round <= 3; round++) {
		have(0, 0);
		rig_guest_set(&rig->relays.relay[0], true, 1, 1);
		control_replan(rig);
		fake_hold(&rig->relays.relay[0].lanes.vf_to_vm[1], 7);
		fake_hold(&rig->relays.relay[0].lanes.vm_to_vf[0], 2);
		leftover = (struct vf_leftover){.pkts = 5, .bytes = 500};
		health = (struct vf_health){
		        .counts = {.missed = 11, .no_mbuf = 12, .rx_errors = 13, .tx_errors = 14}};
		remove_vf(0, 0, true, &answer);
		device_works();
		expect_ok(&answer);
		control_relay_read(rig, 0, &relay);
		ck_assert_uint_eq(relay.vf_to_vm.counters.dropped_absent_pkts, round * 12);
		ck_assert_uint_eq(relay.vf_to_vm.counters.dropped_absent_bytes, round * 1200);
		ck_assert_uint_eq(relay.vf_to_vm.counters.rx_pkts, round * 5);
		ck_assert_uint_eq(relay.vm_to_vf.counters.dropped_absent_pkts, round * 2);
		ck_assert_uint_eq(relay.counts.missed, round * 11);
		ck_assert_uint_eq(relay.counts.no_mbuf, round * 12);
		ck_assert_uint_eq(relay.counts.rx_errors, round * 13);
		ck_assert_uint_eq(relay.counts.tx_errors, round * 14);
	}
}
END_TEST

/* While there is no memory for plans, lanes poll on, and the VF must stay. */
START_TEST(out_of_memory_is_waited_out)
{
	struct answer answer;

	have(0, 0);
	out_of_memory = true;
	remove_vf(0, 0, true, &answer);
	ck_assert_str_eq(to_vm_state(0), "DPDK_REMOVING1");
	pass_ms(1000);
	ck_assert(device_idle());
	pass_ms(1000);
	expect_error(&answer, remove_source, 5);
	out_of_memory = false;
	pass_ms(1000);
	ck_assert_str_eq(to_vm_state(0), "DPDK_REMOVING2");
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_UNINIT");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, nothing_to_remove);
	tcase_add_test(tcase, removed_when_it_has_gone);
	tcase_add_test(tcase, not_another_ones_device);
	tcase_add_test(tcase, removed_by_two);
	tcase_add_test(tcase, no_add_while_it_goes);
	tcase_add_test(tcase, a_slow_removal_goes_on);
	tcase_add_test(tcase, a_removal_that_fails);
	tcase_add_test(tcase, removed_while_it_comes_and_has_not_begun);
	tcase_add_test(tcase, removed_while_it_comes);
	tcase_add_test(tcase, removed_while_it_fails_to_come);
	tcase_add_test(tcase, everything_is_counted);
	tcase_add_test(tcase, out_of_memory_is_waited_out);
	return suite_main("relay_vf_remove", tcase);
}
