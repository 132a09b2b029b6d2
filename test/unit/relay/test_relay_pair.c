/* Dynamic sockets: what each ADD_SOCK and REMOVE_SOCK is answered, and in which order the two ends
 * come and go.
 */
#include <check.h>

#include "relay_pair_rig.h"
#include "suite.h"

/* --- pairs ------------------------------------------------------------------------------------ */

START_TEST(the_device_comes_first_and_then_the_socket)
{
	struct answer answer;

	add_if(false, 3, "a", &answer);
	ck_assert(idle(GUEST));
	expect_states(0, "DPDK_UNINIT", "VIRTIO_UNINIT");
	works(DEVICE);
	expect_waits(&answer);
	expect_states(0, "DPDK_ADDED", "VIRTIO_UNINIT");
	works(GUEST);
	expect_ok(&answer);
	expect_made(0, "net_null3", "a");
	ck_assert(seen.client && seen.mrgbuf && seen.relay_id == 0);
	ck_assert_uint_eq(n_attached + n_open, 2);
}
END_TEST

START_TEST(a_guest_may_be_quicker_than_the_answer)
{
	struct answer answer;

	add_if(false, 3, "a", &answer);
	works(DEVICE);
	guest_comes(0); /* its event overtakes the end of the opening */
	expect_states(0, "DPDK_ADDED", "VIRTIO_UNINIT");
	expect_unplanned(0, LANE_VM_TO_VF);
	works(GUEST);
	expect_ok(&answer);
	expect_states(0, "DPDK_READY", "VIRTIO_READY");
}
END_TEST

START_TEST(a_live_pair_ends_in_order)
{
	struct answer answer;

	made(3, "a");
	guest_comes(0);
	expect_states(0, "DPDK_READY", "VIRTIO_READY");
	remove_if(false, -1, "a", &answer);
	ck_assert(refusing[0]);
	expect_states(0, "DPDK_REMOVING2", "VIRTIO_REMOVING2");
	guest_comes(0); /* too late: it is refused */
	expect_unplanned(0, LANE_VM_TO_VF);
	works(DEVICE);
	expect_waits(&answer);
	expect_states(0, "DPDK_UNINIT", "VIRTIO_REMOVING2");
	works(GUEST);
	expect_ok(&answer);
	expect_idle(0);
	ck_assert_uint_eq(n_attached + n_open, 0);
}
END_TEST

START_TEST(lanes_leave_before_the_ends_do)
{
	struct answer answer;

	made(3, "a");
	guest_comes(0);
	out_of_memory = true; /* no new plans: the old ones hold */
	remove_if(false, 3, NULL, &answer);
	ck_assert(idle(DEVICE) && idle(GUEST));
	expect_states(0, "DPDK_REMOVING1", "VIRTIO_REMOVING1");
	pass_ms(1000);
	expect_waits(&answer);
	out_of_memory = false;
	pass_ms(100);
	expect_states(0, "DPDK_REMOVING2", "VIRTIO_REMOVING2");
	ends_work();
	expect_ok(&answer);
	expect_idle(0);
}
END_TEST

START_TEST(the_lowest_idle_relay_is_taken)
{
	static const char *const names[] = {"0", "1", "2", "3"};
	struct answer answer;

	for (int i = 0; i < 3; i++)
		made(i, names[i]);
	remove_if(false, 1, NULL, &answer);
	ends_work();
	expect_ok(&answer);
	made(3, names[3]);
	expect_made(1, "net_null3", "3");
	rig->relays.relay[3].vf_end.phase = VF_LOST; /* somebody else's */
	made(7, "7");
	expect_made(4, "net_null7", "7");
	rig->relays.relay[3].vf_end.phase = VF_ABSENT;
}
END_TEST

START_TEST(a_relay_that_still_gives_back_is_not_idle)
{
	struct answer answer, second;

	made(0, "a");
	remove_if(false, 0, NULL, &answer);
	works(DEVICE);
	add_if(false, 0, "b", &second); /* the device is free, the relay is not */
	works(DEVICE);
	ck_assert_int_eq(rig->relays.relay[0].pair.state.phase, PAIR_REMOVING);
	ends_work();
	expect_ok(&second);
	expect_idle(0);
	expect_made(1, "net_null0", "b");
}
END_TEST

START_TEST(no_relay_is_idle)
{
	struct answer answer;
	char name[16];

	for (int i = 0; i < RELAYS_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		made(i, name);
	}
	add_if(false, 99, "z", &answer);
	expect_error(&answer, adding, 2);
	remove_if(false, 40, NULL, &answer);
	ends_work();
	made(99, "z");
	expect_made(40, "net_null99", "z");
}
END_TEST

/* --- codes ------------------------------------------------------------------------------------ */

START_TEST(codes_of_additions)
{
	struct answer answer;

	made(0, "a");
	add_if(true, 1, NULL, &answer);
	expect_error(&answer, adding, -1);
	for (int conditional = 0; conditional < 2; conditional++) {
		add_if(conditional, 0, "b", &answer);
		expect_error(&answer, adding, -EEXIST);
		add_if(conditional, 1, "a", &answer);
		expect_error(&answer, adding, 1);
		add_if(conditional, 1, "relative/../x/", &answer);
		expect_error(&answer, adding, 5);
		add_if(conditional, 1, "/nowhere/at/all", &answer);
		expect_error(&answer, adding, 5);
	}
	add_if(false, 0, "a", &answer);
	expect_error(&answer, adding, -EEXIST);
	add_if(true, 0, "a", &answer);
	expect_ok(&answer);
	add_if(true, 0, "./a", &answer);
	expect_ok(&answer);
	ck_assert(idle(DEVICE) && idle(GUEST));

	rig_config.dynamic_sockets = false;
	add_if(true, 0, "a", &answer);
	expect_error(&answer, adding, 2);
}
END_TEST

START_TEST(codes_of_removals)
{
	struct answer answer;

	made(0, "a");
	made(1, "b");
	for (int conditional = 0; conditional < 2; conditional++) {
		remove_if(conditional, -1, NULL, &answer);
		expect_error(&answer, removing, -1);
		remove_if(conditional, 0, "b", &answer);
		expect_error(&answer, removing, 2);
		remove_if(conditional, 7, "b", &answer);
		expect_error(&answer, removing, 2);
		remove_if(conditional, 0, "z", &answer);
		expect_error(&answer, removing, 2);
	}
	for (int i = 0; i < 3; i++) {
		int device = i == 1 ? -1 : 7;
		const char *name = i == 0 ? NULL : "z";

		remove_if(false, device, name, &answer);
		expect_error(&answer, removing, 1);
		remove_if(true, device, name, &answer);
		expect_ok(&answer);
	}
	rig->relays.relay[9].vf_end.phase =
	        VF_ATTACHED; /* not of this making: as if it were not there */
	ck_assert_int_eq(device_spec_parse("net_null9", &rig->relays.relay[9].vf_end.device,
	                                   &(struct error){0}),
	                 0);
	remove_if(false, 9, NULL, &answer);
	expect_error(&answer, removing, 1);
	rig->relays.relay[9].vf_end.phase = VF_ABSENT;
	ck_assert(idle(DEVICE) && idle(GUEST));

	rig_config.dynamic_sockets = false;
	remove_if(true, 0, "a", &answer);
	expect_error(&answer, removing, 1);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, the_device_comes_first_and_then_the_socket);
	tcase_add_test(tcase, a_guest_may_be_quicker_than_the_answer);
	tcase_add_test(tcase, a_live_pair_ends_in_order);
	tcase_add_test(tcase, lanes_leave_before_the_ends_do);
	tcase_add_test(tcase, the_lowest_idle_relay_is_taken);
	tcase_add_test(tcase, a_relay_that_still_gives_back_is_not_idle);
	tcase_add_test(tcase, no_relay_is_idle);
	tcase_add_test(tcase, codes_of_additions);
	tcase_add_test(tcase, codes_of_removals);
	return suite_main("relay_pair", tcase);
}
