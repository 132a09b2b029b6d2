/* The end of the relays' VFs: whatever has happened, in any order, each request is answered once
 * and in time, and all VFs are given back.
 */
#include <check.h>

#include "relay_vf_rig.h"
#include "suite.h"

/* --- the end ------------------------------------------------------------------------------------
 */

START_TEST(shut_down_with_work_under_way)
{
	struct answer queued, running, removing;

	have(0, 0);
	have(1, 1);
	remove_vf(1, 1, false, &removing);
	add(2, 2, true, &running);
	add(3, 3, true, &queued);
	device_works(); /* the removal */
	expect_ok(&removing);
	remove_vf(0, 0, false, &removing);
	device_runs(); /* device 2 is attached, and nobody knows yet */
	ck_assert_uint_eq(n_attached, 2);
	shut_down();
	ck_assert_uint_eq(n_attached, 0);
	ck_assert_uint_eq(n_attaches, 3); /* device 3 was spared */
	ck_assert_uint_eq(queued.n, 1);
	ck_assert_uint_eq(running.n, 1);
	expect_ok(&removing);
}
END_TEST

/* --- anything in any order ----------------------------------------------------------------------
 */

#define ASKS 400

static void expect_lawful(const struct answer *answer)
{
	static const int add_codes[] = {1, 2, 4, 5, 6, 8, -1}, remove_codes[] = {1, 2, 3, 4, 5};
	bool is_add;

	fake_expect(answer->n == 1);
	fake_expect(answer->took_ms <= CONTROL_ANSWER_MS);
	if (answer->ok)
		return;
	is_add = strcmp(answer->source, add_source) == 0;
	fake_expect(is_add || strcmp(answer->source, remove_source) == 0);
	for (size_t i = 0; i < RTE_DIM(add_codes); i++)
		if (is_add && add_codes[i] == answer->code)
			return;
	for (size_t i = 0; i < RTE_DIM(remove_codes); i++)
		if (!is_add && remove_codes[i] == answer->code)
			return;
	ck_abort_msg("%s: code %d", answer->source, answer->code);
}

static void something_happens(uint64_t *random, struct answer *answer)
{
	unsigned relay = fake_random(random) % 3;
	int device = (int)(fake_random(random) % 3);
	bool conditional = fake_random(random) % 2;

	*answer = (struct answer){.n = 1, .ok = true};
	switch (fake_random(random) % 7) {
	case 0:
	case 1:
		add(relay, device, conditional, answer);
		break;
	case 2:
		remove_vf(relay, device - (int)(fake_random(random) % 4), conditional, answer);
		break;
	case 3:
		pass_ms(fake_random(random) % 900);
		break;
	case 4:
		rig_guest_set(&rig->relays.relay[relay], conditional, (uint32_t)device, 1);
		control_replan(rig);
		break;
	case 5:
		rig_lose(&rig->relays.relay[relay]);
		break;
	default:
		n_busy = fake_random(random) % 4 == 0 ? fake_random(random) % 8 : 0;
		attach_code = fake_random(random) % 4 == 0 ? VF_ERROR_CONFIGURE : 0;
		detach_fails = fake_random(random) % 8 == 0;
		out_of_memory = fake_random(random) % 8 == 0;
		if (under_way != NULL)
			device_delivers();
		else if (!device_idle())
			device_runs();
	}
}

START_TEST(every_request_is_answered_once_and_in_time)
{
	static struct answer answers[ASKS];
	uint64_t random = (uint64_t)_i;

	if (_i % 2 == 0) {
		have_static(0, 2);
		have_static(2, 1);
		relays_start_static(&rig->relays);
	}
	for (int i = 0; i < ASKS; i++)
		something_happens(&random, &answers[i]);
	out_of_memory = false;
	pass_ms(CONTROL_ANSWER_MS);
	for (int i = 0; i < ASKS; i++)
		expect_lawful(&answers[i]);
	shut_down();
	pass_ms(CONTROL_ANSWER_MS);
	fake_expect(n_attached == 0);
	for (int i = 0; i < ASKS; i++)
		fake_expect(answers[i].n == 1);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, shut_down_with_work_under_way);
	tcase_add_loop_test(tcase, every_request_is_answered_once_and_in_time, 0, 20);
	return suite_main("relay_vf_end", tcase);
}
