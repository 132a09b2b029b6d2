/* What outlives the daemon: which VFs and pins are restored, and what becomes of those that cannot
 * be.
 */
#include <check.h>
#include <stdio.h>
#include <unistd.h>

#include "saved_rig.h"
#include "suite.h"

/* --- what is restored ---------------------------------------------------------------------------
 */

START_TEST(restored)
{
	add(3, 1);
	add(63, 2);
	restart();
	expect_relays("3=net_null1? 63=net_null2?");
	settle();
	expect_relays("3=net_null1 63=net_null2");
	expect_saved("3=net_null1 63=net_null2");
	ck_assert_uint_eq(n_writes, 1);
}
END_TEST

START_TEST(an_identical_add_is_no_error_once)
{
	struct answer answer, conditional;

	add(3, 1);
	ask_add(&answer, VF_ORIGIN_CLIENT, 3, 1, false);
	expect_error(&answer, adding, 8);
	for (int early = 0; early < 2; early++) {
		restart();
		if (!early)
			settle();
		ask_add(&answer, VF_ORIGIN_CLIENT, 3, 2, false); /* something else */
		expect_error(&answer, adding, 8);
		ask_add(&answer, VF_ORIGIN_CLIENT, 4, 1, false);
		expect_error(&answer, adding, 2);
		ask_add(&answer, VF_ORIGIN_CLIENT, 3, 1, false);
		settle();
		expect_ok(&answer);
		ck_assert_uint_eq(n_attaches, 1);
		ask_add(&answer, VF_ORIGIN_CLIENT, 3, 1, false);
		expect_error(&answer, adding, 8);
		ask_add(&conditional, VF_ORIGIN_CLIENT, 3, 1, true);
		expect_ok(&conditional);
	}
	restart();
	settle();
	ask_add(&conditional, VF_ORIGIN_CLIENT, 3, 1, true); /* has asked, too */
	expect_ok(&conditional);
	ask_add(&answer, VF_ORIGIN_CLIENT, 3, 1, false);
	expect_error(&answer, adding, 8);
}
END_TEST

START_TEST(a_device_that_is_missing_is_waited_for)
{
	struct answer answer;

	add(3, 1);
	attach_fails = true;
	restart();
	settle();
	expect_relays("3=net_null1?");
	expect_saved("3=net_null1");
	pass_ms(300);
	ends_work();
	ck_assert_uint_ge(n_attaches, 2);
	/* who asks for it makes it look at once, and waits for the answer */
	ask_add(&answer, VF_ORIGIN_CLIENT, 3, 1, false);
	ends_work();
	expect_error(&answer, adding, 2);
	expect_relays("3=net_null1?");
	attach_fails = false;
	ask_add(&answer, VF_ORIGIN_CLIENT, 3, 1, true);
	settle();
	expect_ok(&answer);
	expect_relays("3=net_null1");
}
END_TEST

START_TEST(a_device_that_takes_long_is_not_given_up)
{
	struct answer answer;

	add(3, 1);
	restart();
	ask_add(&answer, VF_ORIGIN_CLIENT, 3, 1, false);
	pass_ms(CONTROL_ANSWER_MS);
	expect_error(&answer, adding, 2);
	ck_assert_ptr_null(strstr(answer.text, "given up"));
	settle();
	expect_relays("3=net_null1");
	expect_saved("3=net_null1");
}
END_TEST

START_TEST(a_missing_device_can_be_removed)
{
	struct answer answer;

	add(3, 1);
	attach_fails = true;
	restart();
	settle();
	ask_remove(&answer, VF_ORIGIN_CLIENT, 3, -1, false);
	ck_assert_uint_eq(answer.n, 0); /* until it is written */
	settle();
	expect_ok(&answer);
	expect_relays("");
	expect_saved("");
}
END_TEST

START_TEST(refused_for_its_node)
{
	add(3, 1);
	attach_node = 1;
	rig_config.same_numa = true;
	restart();
	settle();
	expect_relays("");
	expect_saved("");
}
END_TEST

/* A VF that was lost while the daemon ran is to be there again as well. */
START_TEST(lost_ones_are_kept)
{
	add(3, 1);
	attach_fails = true;
	rig_lose(&rig->relays.relay[3]);
	settle();
	saved_changed(rig->saved, &rig->relays.relay[4]); /* any change has the file written */
	n_writes = 0;
	settle();
	ck_assert_uint_eq(n_writes, 1);
	expect_saved("3=net_null1");
}
END_TEST

START_TEST(damaged)
{
	FILE *file;
	char name[80];

	add(3, 1);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs("{\"version\": 1", file);
	fclose(file);
	restart();
	settle();
	expect_relays("");
	expect_saved("");
	snprintf(name, sizeof(name), "%s.damaged", path);
	ck_assert_int_eq(access(name, F_OK), 0);
}
END_TEST

/* --- pins ---------------------------------------------------------------------------------------
 */

static void expect_pin(unsigned relay, int vf_to_vm, int vm_to_vf)
{
	struct cpu_pin pin;

	control_pin_read(rig, relay, &pin);
	ck_assert_int_eq(pin.vf_to_vm_cpu, vf_to_vm);
	ck_assert_int_eq(pin.vm_to_vf_cpu, vm_to_vf);
}

START_TEST(pins)
{
	static const struct cpu_pin wanted[] = {{1, 2, 1}, {2, -1, 1}, {4, 1, 1}, {4, -1, -1}};
	struct answer answer = {0};
	static struct state state;

	rig_config.n_pins = 2;
	rig_config.pins[0] = (struct cpu_pin){1, 1, 1};
	rig_config.pins[1] = (struct cpu_pin){3, 2, 2};
	restart();
	settle();
	expect_pin(3, 2, 2);
	control_pins_update(rig, wanted, 4, on_answer, &answer);
	ck_assert_uint_eq(answer.n, 0);
	settle();
	expect_ok(&answer);
	read_file(&state);
	ck_assert_uint_eq(state.n_pins, 2); /* what differs from the configuration */
	restart();
	expect_pin(1, 1, 1); /* which wins */
	expect_pin(2, -1, 1);
	expect_pin(3, 2, 2);
	settle();
	rig_config.n_pins = 1;
	restart();
	expect_pin(2, -1, 1);
	expect_pin(3, -1, -1); /* was never a client's */
}
END_TEST

START_TEST(a_pin_to_a_cpu_without_a_worker)
{
	static const struct cpu_pin wanted[] = {{1, 2, 1}};
	static struct state state;
	struct answer answer = {0};
	FILE *file;
	char text[512];
	size_t size;

	control_pins_update(rig, wanted, 1, on_answer, &answer);
	settle();
	expect_ok(&answer);
	file = fopen(path, "r+");
	ck_assert_ptr_nonnull(file);
	size = fread(text, 1, sizeof(text) - 1, file);
	text[size] = '\0';
	ck_assert_ptr_nonnull(strstr(text, "\"vf_to_vm_cpu\": 2"));
	strstr(text, "\"vf_to_vm_cpu\": 2")[16] = '9';
	rewind(file);
	ck_assert_uint_eq(fwrite(text, 1, size, file), size);
	fclose(file);
	restart();
	settle();
	expect_pin(1, -1, 1);
	read_file(&state);
	ck_assert_int_eq(state.pins[0].vf_to_vm_cpu, -1);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, restored);
	tcase_add_test(tcase, an_identical_add_is_no_error_once);
	tcase_add_test(tcase, a_device_that_is_missing_is_waited_for);
	tcase_add_test(tcase, a_device_that_takes_long_is_not_given_up);
	tcase_add_test(tcase, a_missing_device_can_be_removed);
	tcase_add_test(tcase, refused_for_its_node);
	tcase_add_test(tcase, lost_ones_are_kept);
	tcase_add_test(tcase, damaged);
	tcase_add_test(tcase, pins);
	tcase_add_test(tcase, a_pin_to_a_cpu_without_a_worker);
	return suite_main("saved_restore", tcase);
}
