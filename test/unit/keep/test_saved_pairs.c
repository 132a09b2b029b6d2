/* What outlives the daemon: pairs of a socket and a device, and when they are written and restored.
 */
#include <check.h>

#include "saved_rig.h"
#include "suite.h"

static void set_up_dynamic(void)
{
	rig_config.dynamic_sockets = true;
	set_up();
}

/* --- pairs --------------------------------------------------------------------------------------
 */

static const char pairing[] = "virtio_add_sock_dev_pair()";

static void ask_sock(struct answer *answer, bool addition, int device, const char *name,
                     bool conditional)
{
	struct sock_request request = {.path = name, .conditional = conditional};

	request.has_device = name_device(device, &request.device);
	*answer = (struct answer){.asked_ms = clock_ms,
	                          .request = addition ? CONTRACT_ADD_SOCK : CONTRACT_REMOVE_SOCK};
	if (addition)
		control_add_sock(rig, &request, on_answer, answer);
	else
		control_remove_sock(rig, &request, on_answer, answer);
	rig_turn_ends();
}

static void add_pair(int device, const char *name)
{
	struct answer answer;

	ask_sock(&answer, true, device, name, false);
	settle();
	expect_ok(&answer);
}

START_TEST(pairs_are_answered_when_they_are_written)
{
	struct answer answer;

	ask_sock(&answer, true, 1, "/a", false);
	ends_work();
	ck_assert_int_eq(rig->relays.relay[0].pair.state.phase, PAIR_MADE);
	ck_assert_uint_eq(answer.n, 0);
	settle();
	expect_ok(&answer);
	expect_saved("0=net_null1");
	ask_sock(&answer, false, 1, NULL, false);
	ends_work();
	ck_assert_int_eq(rig->relays.relay[0].pair.state.phase, PAIR_NONE);
	ck_assert_uint_eq(answer.n, 0);
	settle();
	expect_ok(&answer);
	expect_saved("");
}
END_TEST

START_TEST(pairs_are_restored)
{
	struct answer answer;

	add_pair(1, "/a");
	add_pair(2, "/b");
	ask_sock(&answer, false, 1, "/a", false);
	settle();
	expect_ok(&answer);
	restart();
	settle();
	expect_relays("1=net_null2");
	ck_assert_str_eq(rig->relays.relay[1].guest_end.path, "/b");
	ck_assert_uint_eq(n_open, 1);
	ask_sock(&answer, true, 2, "/a", false);
	expect_error(&answer, pairing, -EEXIST);
	ask_sock(&answer, true, 1, "/b", false);
	expect_error(&answer, pairing, 1);
	ask_sock(&answer, true, 2, "/b", false);
	expect_ok(&answer);
	ask_sock(&answer, true, 2, "/b", false);
	expect_error(&answer, pairing, -EEXIST);
	add_pair(3, "/c");
	expect_relays("0=net_null3 1=net_null2");
}
END_TEST

START_TEST(a_pair_is_asked_for_while_it_comes_back)
{
	struct answer answer;

	add_pair(1, "/a");
	restart();
	ask_sock(&answer, true, 1, "/a", false);
	expect_ok(&answer);
	settle();
	expect_relays("0=net_null1");
}
END_TEST

START_TEST(a_pair_is_removed_while_it_comes_back)
{
	struct answer answer;

	for (int i = 0; i < 2; i++) {
		add_pair(1, "/a");
		restart();
		if (i == 1)
			works(DEVICE); /* one end is there */
		ask_sock(&answer, false, 1, "/a", false);
		settle();
		expect_ok(&answer);
		expect_relays("");
		expect_saved("");
		ck_assert_uint_eq(n_open, 0);
		ck_assert_int_eq(rig->relays.relay[0].pair.state.phase, PAIR_NONE);
	}
}
END_TEST

START_TEST(a_pair_without_its_device_waits)
{
	struct answer answer;

	add_pair(1, "/a");
	attach_fails = true;
	restart();
	settle();
	ck_assert_uint_eq(n_open, 1); /* its guest may come */
	expect_relays("0=net_null1?");
	expect_saved("0=net_null1");
	ask_sock(&answer, false, -1, "/a", false);
	settle();
	expect_ok(&answer);
	expect_saved("");
	ck_assert_uint_eq(n_open, 0);
}
END_TEST

START_TEST(a_pair_without_its_socket_is_given_up)
{
	add_pair(1, "/a");
	if (_i == 0)
		open_fails = true;
	else
		path_is_bad = true;
	restart();
	settle();
	expect_relays("");
	expect_saved("");
	open_fails = path_is_bad = false;
	add_pair(1, "/a");
}
END_TEST

/* A socket without a device that comes back is no relay. */
START_TEST(a_pair_that_is_refused_for_its_node)
{
	add_pair(1, "/a");
	attach_node = 1;
	rig_config.same_numa = true;
	restart();
	settle();
	expect_relays("");
	expect_saved("");
	ck_assert_uint_eq(n_open, 0);
	ck_assert_int_eq(rig->relays.relay[0].pair.state.phase, PAIR_NONE);
}
END_TEST

START_TEST(pairs_without_dynamic_sockets_are_left_out)
{
	add_pair(1, "/a");
	rig_config.dynamic_sockets = false;
	restart();
	settle();
	expect_relays("");
	expect_saved("");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up_dynamic, tear_down);
	tcase_add_test(tcase, pairs_are_answered_when_they_are_written);
	tcase_add_test(tcase, pairs_are_restored);
	tcase_add_test(tcase, a_pair_is_asked_for_while_it_comes_back);
	tcase_add_test(tcase, a_pair_is_removed_while_it_comes_back);
	tcase_add_test(tcase, a_pair_without_its_device_waits);
	tcase_add_loop_test(tcase, a_pair_without_its_socket_is_given_up, 0, 2);
	tcase_add_test(tcase, a_pair_that_is_refused_for_its_node);
	tcase_add_test(tcase, pairs_without_dynamic_sockets_are_left_out);
	return suite_main("saved_pairs", tcase);
}
