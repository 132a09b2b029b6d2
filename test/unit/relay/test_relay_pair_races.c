/* Dynamic sockets, several requests at once: who joins whom, who is refused, and that any order of
 * requests, jobs and time ends well.
 */
#include <check.h>
#include <stdlib.h>

#include "relay_pair_rig.h"
#include "suite.h"

/* --- several at once -------------------------------------------------------------------------- */

START_TEST(the_same_addition_twice)
{
	struct answer first, second, third;

	add_if(false, 0, "a", &first);
	add_if(true, 0, "a", &second);
	works(DEVICE);
	add_if(true, 0, "a", &third);
	works(GUEST);
	expect_ok(&first);
	expect_ok(&second);
	expect_ok(&third);
	ck_assert_uint_eq(n_attached + n_open, 2);
}
END_TEST

START_TEST(whoever_still_waits_gets_it)
{
	struct answer first, second;

	add_if(false, 0, "a", &first);
	works(DEVICE);
	pass_ms(1000);
	add_if(true, 0, "a", &second);
	pass_ms(500);
	expect_error(&first, adding, 5);
	works(GUEST);
	expect_ok(&second);
	expect_made(0, "net_null0", "a");
}
END_TEST

/* What is given up is given back by itself: nobody has to remove it. */
START_TEST(added_again_while_it_is_given_up)
{
	struct answer first, again, elsewhere;

	add_if(false, 0, "a", &first);
	pass_ms(1500);
	expect_error(&first, adding, 3);
	add_if(false, 0, "a", &again);
	expect_error(&again, adding, -17);
	ck_assert_ptr_nonnull(strstr(again.text, "net_null0; try again in a moment"));
	add_if(true, 0, "b", &elsewhere);
	expect_error(&elsewhere, adding, -17);
	ck_assert_ptr_nonnull(strstr(elsewhere.text, "net_null0; try again in a moment"));
	ends_work();
	add_if(false, 0, "a", &again);
	works(DEVICE);
	works(GUEST);
	expect_ok(&again);
	add_if(false, 0, "b", &elsewhere);
	expect_error(&elsewhere, adding, -17);
	ck_assert_ptr_nonnull(strstr(elsewhere.text, "remove that first"));
}
END_TEST

START_TEST(removed_while_the_device_is_attached)
{
	struct answer add, removal;

	add_if(false, 0, "a", &add);
	remove_if(false, 0, "a", &removal);
	ends_work();
	expect_error(&add, adding, 3);
	expect_ok(&removal);
	expect_idle(0);
	ck_assert_uint_eq(n_attached + n_open, 0);
}
END_TEST

START_TEST(removed_while_the_socket_is_opened)
{
	struct answer add, removal;

	add_if(false, 0, "a", &add);
	works(DEVICE);
	remove_if(false, -1, "a", &removal);
	works(GUEST);
	expect_waits(&add);
	ends_work();
	expect_error(&add, adding, 5);
	expect_ok(&removal);
	expect_idle(0);
	ck_assert_uint_eq(n_attached + n_open, 0);
}
END_TEST

START_TEST(removed_while_it_opens_though_nobody_waits_any_more)
{
	struct answer add, removal;

	add_if(false, 0, "a", &add);
	works(DEVICE);
	remove_if(false, -1, "a", &removal);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&add, adding, 5);
	expect_error(&removal, removing, 5);
	ends_work();
	expect_idle(0);
}
END_TEST

START_TEST(removals_join_each_other)
{
	struct answer first, second, add;

	made(0, "a");
	remove_if(false, 0, NULL, &first);
	remove_if(false, -1, "a", &second);
	add_if(true, 0, "a", &add);
	expect_error(&add, adding, 1);
	ends_work();
	expect_ok(&first);
	expect_ok(&second);
	expect_idle(0);
}
END_TEST

START_TEST(a_lost_device_is_removed_with_its_socket)
{
	struct answer answer;

	made(0, "a");
	attach_fails = true;
	rig_lose(&rig->relays.relay[0]);
	works(DEVICE); /* detached; it waits for its return */
	ck_assert_int_eq(rig->relays.relay[0].vf_end.phase, VF_LOST);
	expect_made(0, "", "a");
	remove_if(false, 0, "a", &answer);
	ends_work();
	expect_ok(&answer);
	expect_idle(0);
	pass_ms(60000);
	ck_assert(idle(DEVICE));
}
END_TEST

START_TEST(a_lost_device_comes_back_to_its_socket)
{
	made(0, "a");
	guest_comes(0);
	rig_lose(&rig->relays.relay[0]);
	works(DEVICE);
	pass_ms(200);
	works(DEVICE);
	expect_made(0, "net_null0", "a");
	expect_states(0, "DPDK_READY", "VIRTIO_READY");
	ck_assert_int_eq(rig->relays.relay[0].pair.state.phase, PAIR_MADE);
}
END_TEST

/* Any order of requests, jobs and time: each request is answered once and in time, and in the end
 * all of it can be removed. */
START_TEST(anything_may_happen)
{
	static struct answer answers[4000];
	unsigned n = 0;

	srand((unsigned)_i);
	while (n < sizeof(answers) / sizeof(answers[0])) {
		static const char *const names[] = {"a", "b", "c"};
		int device = rand() % 3;
		const char *name = names[rand() % 3];

		attach_fails = rand() % 8 == 0;
		detach_fails = rand() % 8 == 0;
		open_fails = rand() % 8 == 0;
		switch (rand() % 7) {
		case 0:
			add_if(rand() % 2, device, name, &answers[n++]);
			break;
		case 1:
			remove_if(rand() % 2, rand() % 2 ? device : -1, name, &answers[n++]);
			break;
		case 2:
			remove_if(rand() % 2, device, NULL, &answers[n++]);
			break;
		case 3:
			pass_ms((uint64_t)rand() % 700);
			break;
		case 4:
			if (rig->relays.relay[rand() % 3].guest_end.phase == GUEST_OPEN)
				guest_comes((unsigned)rand() % 3);
			break;
		default:
			if (!idle(DEVICE) && rand() % 2)
				works(DEVICE);
			if (!idle(GUEST) && rand() % 2)
				works(GUEST);
		}
	}
	attach_fails = detach_fails = open_fails = false;
	for (int i = 0; i < 4; i++) {
		ends_work();
		pass_ms(CONTROL_ANSWER_MS);
	}
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_eq(answers[i].n, 1);
		ck_assert_uint_le(answers[i].took_ms, CONTROL_ANSWER_MS);
		ck_assert(answers[i].ok || answers[i].text[0] != '\0');
	}
	for (int device = 0; device < 3; device++) {
		remove_if(true, device, NULL, &answers[0]);
		ends_work();
		expect_ok(&answers[0]);
	}
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		expect_idle(i);
	ck_assert_uint_eq(n_attached + n_open, 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, the_same_addition_twice);
	tcase_add_test(tcase, whoever_still_waits_gets_it);
	tcase_add_test(tcase, added_again_while_it_is_given_up);
	tcase_add_test(tcase, removed_while_the_device_is_attached);
	tcase_add_test(tcase, removed_while_the_socket_is_opened);
	tcase_add_test(tcase, removed_while_it_opens_though_nobody_waits_any_more);
	tcase_add_test(tcase, removals_join_each_other);
	tcase_add_test(tcase, a_lost_device_is_removed_with_its_socket);
	tcase_add_test(tcase, a_lost_device_comes_back_to_its_socket);
	tcase_add_loop_test(tcase, anything_may_happen, 0, 8);
	return suite_main("relay_pair_races", tcase);
}
