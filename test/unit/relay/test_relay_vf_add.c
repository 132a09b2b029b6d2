/* A VF is added to a relay: what each request is answered, and when, and what becomes of the VF if
 * that takes too long.
 */
#include <check.h>

#include "relay_vf_rig.h"
#include "suite.h"

/* --- add ----------------------------------------------------------------------------------------
 */

START_TEST(added_when_it_is_ready)
{
	struct control_relay relay;
	struct answer answer;

	ck_assert_str_eq(to_vm_state(7), "DPDK_UNINIT");
	add(7, 3, true, &answer);
	device_runs();
	expect_nothing_yet(&answer);
	control_relay_read(rig, 7, &relay);
	ck_assert_str_eq(contract_state_to_vm(relay.vf_to_vm.state), "DPDK_UNINIT");
	ck_assert(!relay.has_device && !relay.vf_to_vm.active);

	device_delivers();
	expect_ok(&answer);
	control_relay_read(rig, 7, &relay);
	ck_assert_str_eq(contract_state_to_vm(relay.vf_to_vm.state), "DPDK_ADDED");
	ck_assert_str_eq(contract_state_to_vf(relay.vm_to_vf.state), "VIRTIO_UNINIT");
	ck_assert(relay.has_device && relay.vf_to_vm.active && !relay.vm_to_vf.active);
	ck_assert(!relay.active);
	ck_assert_str_eq(relay.device_label, "net_null3");
	ck_assert(relay.vf_to_vm.has_cpu && !relay.vm_to_vf.has_cpu);
	ck_assert_uint_eq(relay.vf_to_vm.n_lanes, 2);
	ck_assert_uint_eq(relay.mtu, 2100);

	rig_guest_set(&rig->relays.relay[7], true, 1, 1);
	control_replan(rig);
	control_relay_read(rig, 7, &relay);
	ck_assert_str_eq(contract_state_to_vm(relay.vf_to_vm.state), "DPDK_READY");
	ck_assert_str_eq(contract_state_to_vf(relay.vm_to_vf.state), "VIRTIO_READY");
	ck_assert(relay.active && relay.vm_to_vf.active && relay.vm_to_vf.has_cpu);
}
END_TEST

START_TEST(added_with_the_operators_wishes)
{
	have(0, 0);
	ck_assert_uint_eq(seen_params.relay_id, 0);
	ck_assert_uint_eq(seen_params.max_queues, 3); /* the workers */
	ck_assert_uint_eq(seen_params.mtu, 2100);
	ck_assert_uint_eq(seen_params.n_workers, 3);
	rig_config.jumbo = true;
	rig_config.max_queues = 7;
	rig_config.no_huge = true;
	have(63, 1);
	ck_assert_uint_eq(seen_params.relay_id, 63);
	ck_assert_uint_eq(seen_params.max_queues, 7);
	ck_assert_uint_eq(seen_params.mtu, 9000);
	ck_assert(seen_params.no_huge);
}
END_TEST

START_TEST(no_such_relay)
{
	struct answer answer;

	add(64, 0, true, &answer);
	expect_error(&answer, add_source, 1);
	add(UINT32_MAX, 0, false, &answer);
	expect_error(&answer, add_source, 1);
	remove_vf(64, 0, true, &answer);
	expect_error(&answer, remove_source, 1);
}
END_TEST

START_TEST(the_devices_codes_are_passed_on)
{
	static const struct {
		int error, code;
	} codes[] = {{VF_ERROR_NO_MEMPOOL, -1}, {VF_ERROR_START, 1},    {VF_ERROR_PROBE, 2},
	             {VF_ERROR_CONFIGURE, 4},   {VF_ERROR_RX_QUEUE, 5}, {VF_ERROR_TX_QUEUE, 6}};
	struct answer answer;

	for (size_t i = 0; i < RTE_DIM(codes); i++) {
		attach_code = codes[i].error;
		add(0, 5, false, &answer);
		device_works();
		expect_error(&answer, add_source, codes[i].code);
		ck_assert_ptr_nonnull(strstr(answer.text, "net_null5"));
		ck_assert_str_eq(to_vm_state(0), "DPDK_UNINIT");
	}
	attach_code = 0;
	have(1, 5); /* nothing of it sticks */
}
END_TEST

START_TEST(what_is_there_already)
{
	struct answer answer;

	have(0, 0);
	add(0, 0, true, &answer);
	expect_ok(&answer);
	add(0, 0, false, &answer);
	expect_error(&answer, add_source, 8);
	ck_assert_uint_eq(n_attaches, 1);
}
END_TEST

START_TEST(a_different_device_is_always_an_error)
{
	struct answer answer;

	have(0, 0);
	add(0, 1, true, &answer);
	expect_error(&answer, add_source, 8);
	add(0, 1, false, &answer);
	expect_error(&answer, add_source, 8);
}
END_TEST

START_TEST(a_device_of_another_relay)
{
	struct answer answer;

	have(4, 0);
	add(9, 0, true, &answer);
	expect_error(&answer, add_source, 2);
	ck_assert_ptr_nonnull(strstr(answer.text, "relay 4"));
	add(9, 0, false, &answer);
	expect_error(&answer, add_source, 2);
	ck_assert_uint_eq(n_attaches, 1);
}
END_TEST

START_TEST(the_same_again_while_it_comes)
{
	struct answer first, second, third, other;

	add(0, 0, false, &first);
	add(0, 0, true, &second);
	device_runs();
	add(0, 0, false, &third);
	expect_error(&third, add_source, 8);
	add(0, 1, true, &other);
	expect_error(&other, add_source, 8);
	add(1, 0, true, &other); /* it is as good as taken */
	expect_error(&other, add_source, 2);
	expect_nothing_yet(&first);
	expect_nothing_yet(&second);
	device_delivers();
	expect_ok(&first);
	expect_ok(&second);
	ck_assert_uint_eq(n_attaches, 1);
}
END_TEST

START_TEST(a_node_without_workers)
{
	struct answer answer;

	attach_node = 1;
	have(0, 0); /* with a warning */
	rig_config.same_numa = true;
	add(1, 1, false, &answer);
	device_works();
	expect_error(&answer, add_source, -1);
	ck_assert_str_eq(to_vm_state(1), "DPDK_REMOVING2");
	device_works();
	ck_assert_str_eq(to_vm_state(1), "DPDK_UNINIT");
	ck_assert_uint_eq(n_attached, 1);
}
END_TEST

/* --- add, too slow ------------------------------------------------------------------------------
 */

START_TEST(given_up_before_it_began)
{
	struct answer answer;

	add(0, 0, true, &answer);
	pass_ms(CONTROL_ANSWER_MS - 1);
	expect_nothing_yet(&answer);
	pass_ms(1);
	expect_error(&answer, add_source, 2);
	device_works();
	ck_assert_uint_eq(n_attaches, 0);
	ck_assert_uint_eq(answer.n, 1);
	have(0, 0);
}
END_TEST

START_TEST(given_up_half_way)
{
	struct answer answer, other;

	add(0, 0, true, &answer);
	device_runs();
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, add_source, 2);
	add(0, 0, true, &other); /* its client was told that it failed: it goes first */
	expect_error(&other, add_source, 8);
	device_delivers();
	ck_assert_str_eq(to_vm_state(0), "DPDK_REMOVING2");
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_UNINIT");
	ck_assert_uint_eq(n_attached, 0);
	ck_assert_uint_eq(answer.n, 1);
	have(0, 0);
}
END_TEST

START_TEST(kept_for_whoever_still_waits)
{
	struct answer early, late;

	add(0, 0, true, &early);
	pass_ms(1000);
	add(0, 0, true, &late);
	device_runs();
	pass_ms(600);
	expect_error(&early, add_source, 2);
	expect_nothing_yet(&late);
	device_delivers();
	expect_ok(&late);
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
}
END_TEST

START_TEST(static_vfs_are_the_operators)
{
	struct answer answer;

	rig_config.n_static_vfs = 2;
	for (unsigned i = 0; i < 2; i++) {
		rig_config.static_vfs[i].relay_id = i;
		ck_assert(name_device((int)i, &rig_config.static_vfs[i].device));
	}
	relays_start_static(&rig->relays);
	add(1, 1, true, &answer); /* in a hurry, and not the only one who wants it */
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, add_source, 2);
	device_works();
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
	ck_assert_str_eq(to_vm_state(1), "DPDK_ADDED");

	/* Removed, it is an ordinary VF. */
	remove_vf(1, -1, false, &answer);
	device_works();
	expect_ok(&answer);
	add(1, 1, true, &answer);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, add_source, 2);
	device_works();
	ck_assert_str_eq(to_vm_state(1), "DPDK_UNINIT");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, added_when_it_is_ready);
	tcase_add_test(tcase, added_with_the_operators_wishes);
	tcase_add_test(tcase, no_such_relay);
	tcase_add_test(tcase, the_devices_codes_are_passed_on);
	tcase_add_test(tcase, what_is_there_already);
	tcase_add_test(tcase, a_different_device_is_always_an_error);
	tcase_add_test(tcase, a_device_of_another_relay);
	tcase_add_test(tcase, the_same_again_while_it_comes);
	tcase_add_test(tcase, a_node_without_workers);
	tcase_add_test(tcase, given_up_before_it_began);
	tcase_add_test(tcase, given_up_half_way);
	tcase_add_test(tcase, kept_for_whoever_still_waits);
	tcase_add_test(tcase, static_vfs_are_the_operators);
	return suite_main("relay_vf_add", tcase);
}
