/* A relay's VF that is lost, or whose PF has changed, comes back: when it is attached anew, and
 * what requests are answered meanwhile.
 */
/* WRAP: clock_now_ms */
#include <check.h>

#include "relay_vf_rig.h"
#include "suite.h"

/* --- lost and found -----------------------------------------------------------------------------
 */

START_TEST(a_vf_that_was_reset_comes_back)
{
	struct control_relay relay;

	have(0, 0);
	leftover = (struct vf_leftover){.pkts = 5, .bytes = 500};
	rig_lose(&rig->relays.relay[0]);
	rig_lose(&rig->relays.relay[0]); /* drivers say it twice */
	ck_assert_str_eq(to_vm_state(0), "DPDK_REMOVING2");
	device_works();
	control_relay_read(rig, 0, &relay);
	ck_assert_str_eq(contract_state_to_vm(relay.vf_to_vm.state), "DPDK_UNINIT");
	ck_assert(!relay.has_device);
	ck_assert_uint_eq(relay.vf_to_vm.counters.dropped_absent_pkts, 5);
	ck_assert(device_idle());
	pass_ms(LONGEST_WAIT_MS);
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
	ck_assert_uint_eq(n_attached, 1);
	pass_ms(LONGEST_WAIT_MS);
	ck_assert(device_idle());
}
END_TEST

static const struct vf_host good_host = {.pf_ifindex = 5,
                                         .pf = "eno1",
                                         .needs_pf = true,
                                         .pf_up = true,
                                         .mac.ether_addr_octet = {2}};

/* A VF, and what its PF says at first. */
static void have_with_host(void)
{
	have(0, 0);
	ck_assert(rig->relays.relay[0].vf_end.host_question == VF_HOST_CHANGED);
	rig->relays.relay[0].vf_end.vf.mac = good_host.mac;
	rig->relays.relay[0].vf_end.vf.host = good_host;
	told(&rig->relays.relay[0], &good_host, VF_HOST_CHANGED);
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
}

static void expect_another_attach(void)
{
	device_works();
	pass_ms(LONGEST_WAIT_MS);
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
	ck_assert_uint_eq(n_attaches, 2);
}

START_TEST(a_vf_whose_pf_was_down_is_attached_anew)
{
	struct vf_host host = good_host;

	have_with_host();
	host.pf_up = false;
	for (int i = 0; i < 2; i++) {
		told(&rig->relays.relay[0], &host, VF_HOST_CHANGED);
		ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
	}
	told(&rig->relays.relay[0], &good_host, VF_HOST_CHANGED);
	ck_assert_str_eq(to_vm_state(0), "DPDK_REMOVING2");
	expect_another_attach();
}
END_TEST

START_TEST(a_vf_with_a_new_mac_is_attached_anew)
{
	struct vf_host host = good_host;

	have_with_host();
	host.mac.ether_addr_octet[5] = 7;
	told(&rig->relays.relay[0], &host, VF_HOST_CHANGED);
	ck_assert_str_eq(to_vm_state(0), "DPDK_REMOVING2");
	expect_another_attach();
}
END_TEST

START_TEST(a_mac_that_is_ours_or_none_is_no_news)
{
	struct vf_host host = good_host, none = good_host, unseen = {.pf_up = true};

	have_with_host();
	host.mac.ether_addr_octet[5] = 7;
	rig->relays.relay[0].vf_end.vf.mac = host.mac; /* --sync-mac's doing */
	told(&rig->relays.relay[0], &host, VF_HOST_CHANGED);
	none.mac = (struct ether_addr){0};
	told(&rig->relays.relay[0], &none, VF_HOST_CHANGED);
	told(&rig->relays.relay[0], &unseen, VF_HOST_CHANGED);
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
	ck_assert(device_idle());
}
END_TEST

START_TEST(a_vf_that_has_left_is_waited_for)
{
	struct answer answer;

	have(0, 0);
	rig_lose(&rig->relays.relay[0]);
	device_works();
	attach_code = VF_ERROR_PROBE;
	for (int i = 0; i < 20; i++) {
		pass_ms(LONGEST_WAIT_MS);
		device_works();
		ck_assert_str_eq(to_vm_state(0), "DPDK_UNINIT");
	}
	add(0, 1, true, &answer); /* its place is kept … */
	expect_error(&answer, add_source, 8);
	add(1, 0, true, &answer); /* … and it has one */
	expect_error(&answer, add_source, 2);
	attach_code = 0;
	pass_ms(LONGEST_WAIT_MS);
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
}
END_TEST

START_TEST(somebody_knows_that_it_is_back)
{
	struct answer answer;

	have(0, 0);
	rig_lose(&rig->relays.relay[0]);
	device_works();
	add(0, 0, true, &answer);
	expect_nothing_yet(&answer);
	device_works();
	expect_ok(&answer);
	pass_ms(LONGEST_WAIT_MS);
	ck_assert(device_idle());

	/* Or is wrong about it. */
	rig_lose(&rig->relays.relay[0]);
	device_works();
	attach_code = VF_ERROR_PROBE;
	add(0, 0, true, &answer);
	device_works();
	expect_error(&answer, add_source, 2);
	attach_code = 0;
	pass_ms(LONGEST_WAIT_MS);
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
}
END_TEST

/* Soon lost again each time: it is attached after 100 ms, 200 ms, …, 10 s; when it has stayed for a
 * while, as soon as at first. */
START_TEST(a_vf_that_flaps)
{
	static const unsigned waits[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};

	have(0, 0);
	for (size_t i = 0; i < RTE_DIM(waits); i++) {
		rig_lose(&rig->relays.relay[0]);
		device_works();
		pass_ms(waits[i] - 1);
		ck_assert(device_idle());
		pass_ms(1);
		device_works();
		ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
		pass_ms(BACKOFF_WELL_MS - 1);
	}
	pass_ms(1);
	rig_lose(&rig->relays.relay[0]);
	device_works();
	pass_ms(100);
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
}
END_TEST

START_TEST(a_lost_vf_may_be_removed)
{
	struct answer answer;

	have(0, 0);
	rig_lose(&rig->relays.relay[0]);
	device_works();
	remove_vf(0, 0, false, &answer);
	expect_ok(&answer);
	pass_ms(LONGEST_WAIT_MS);
	ck_assert(device_idle());
	have(0, 1);
}
END_TEST

START_TEST(removed_while_it_is_lost)
{
	struct answer answer;

	for (unsigned i = 0; i < 3; i++) {
		have(0, 0);
		rig_lose(&rig->relays.relay[0]);
		remove_vf(0, 0, false, &answer);
		device_runs();
		if (i == 1)
			pass_ms(CONTROL_ANSWER_MS);
		device_delivers();
		if (i == 1)
			expect_error(&answer, remove_source, 5);
		else if (i == 2)
			expect_error(&answer, remove_source, 2);
		else
			expect_ok(&answer);
		pass_ms(LONGEST_WAIT_MS);
		ck_assert(device_idle()); /* whatever was answered: nobody wants it back */
		detach_fails = i == 1;
	}
	detach_fails = false;
	have(0, 1);
}
END_TEST

START_TEST(removed_while_it_comes_back)
{
	struct answer answer;

	have(0, 0);
	rig_lose(&rig->relays.relay[0]);
	device_works();
	pass_ms(LONGEST_WAIT_MS);
	device_runs();
	remove_vf(0, -1, true, &answer);
	device_delivers();
	device_works();
	expect_ok(&answer);
	pass_ms(LONGEST_WAIT_MS);
	ck_assert(device_idle());
	ck_assert_uint_eq(n_attached, 0);
}
END_TEST

/* A PF that comes up resets its VFs, just when they were probed. */
START_TEST(lost_before_it_was_announced)
{
	struct answer answer;

	add(0, 0, true, &answer);
	device_runs();
	rig_lose(&rig->relays.relay[0]);
	device_delivers();
	ck_assert_uint_eq(answer.n, 1);
	device_works(); /* the detach */
	pass_ms(LONGEST_WAIT_MS);
	device_works();
	ck_assert_str_eq(to_vm_state(0), "DPDK_ADDED");
	ck_assert_uint_eq(n_attaches, 2);
}
END_TEST

START_TEST(shut_down_while_it_is_lost)
{
	have(0, 0);
	have(1, 1);
	rig_lose(&rig->relays.relay[0]);
	device_works();
	rig_lose(&rig->relays.relay[1]);
	shut_down();
	ck_assert_uint_eq(n_attached, 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_vf_that_was_reset_comes_back);
	tcase_add_test(tcase, a_vf_whose_pf_was_down_is_attached_anew);
	tcase_add_test(tcase, a_vf_with_a_new_mac_is_attached_anew);
	tcase_add_test(tcase, a_mac_that_is_ours_or_none_is_no_news);
	tcase_add_test(tcase, a_vf_that_has_left_is_waited_for);
	tcase_add_test(tcase, somebody_knows_that_it_is_back);
	tcase_add_test(tcase, a_vf_that_flaps);
	tcase_add_test(tcase, a_lost_vf_may_be_removed);
	tcase_add_test(tcase, removed_while_it_is_lost);
	tcase_add_test(tcase, removed_while_it_comes_back);
	tcase_add_test(tcase, lost_before_it_was_announced);
	tcase_add_test(tcase, shut_down_while_it_is_lost);
	return suite_main("relay_vf_lost", tcase);
}
