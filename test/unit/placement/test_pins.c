/* Pins: what an update refuses, that it then changes nothing, and that lanes are where they are
 * pinned when it returns.
 */
#include "control_rig.h"
#include "rpc/contract.h"
#include "suite.h"

#define N_WORKERS 3 /* lcores 1 to 3 */

static struct outcome result;
static unsigned n_answers;

static void setup(void)
{
	rig_create(N_WORKERS);
	memset(&result, 0xff, sizeof(result));
}

static void on_answer(void *context, const struct outcome *answer)
{
	(void)context;
	n_answers++;
	result = *answer;
}

static void update(size_t count, const struct cpu_pin *pins)
{
	n_answers = 0;
	control_pins_update(rig, pins, count, on_answer, NULL);
	rig_turn_ends();
	ck_assert_uint_eq(n_answers, 1);
}
#define UPDATE(...)                                                              \
	update(sizeof((struct cpu_pin[]){__VA_ARGS__}) / sizeof(struct cpu_pin), \
	       (struct cpu_pin[]){__VA_ARGS__})

static void expect_pin(unsigned relay_id, int vf_to_vm, int vm_to_vf)
{
	struct cpu_pin pin;

	ck_assert_int_eq(control_pin_read(rig, relay_id, &pin), vf_to_vm != -1 || vm_to_vf != -1);
	ck_assert_uint_eq(pin.relay_id, relay_id);
	ck_assert_int_eq(pin.vf_to_vm_cpu, vf_to_vm);
	ck_assert_int_eq(pin.vm_to_vf_cpu, vm_to_vf);
}

static void expect_refused(int code)
{
	struct contract_error error = contract_error(CONTRACT_UPDATE, &result);

	ck_assert_int_ne(result.reason, OUTCOME_OK);
	ck_assert_int_eq(error.code, code);
	ck_assert_str_eq(error.source, "migrate_relay_cpus()");
	ck_assert_str_ne(result.text, "");
}

static void expect_ok(void)
{
	ck_assert_int_eq(result.reason, OUTCOME_OK);
	ck_assert_str_eq(result.text, "");
}

/* A relay with queues on both ends. */
static void live_relay(unsigned id, uint16_t port)
{
	struct relay *relay = &rig->relays.relay[id];

	relay->vf_end.phase = VF_ATTACHED;
	relay->vf_end.vf = rig_vf(id, port, 3);
	rig_guest_set(relay, true, 0x7, 0x7);
	ck_assert_int_eq(planner_apply(rig->planner), 0);
}

static void expect_worker(const struct lane *lane, unsigned expected)
{
	unsigned worker = UINT32_MAX;

	ck_assert_ptr_nonnull(rig_find(lane, &worker));
	ck_assert_uint_eq(worker, expected);
}

START_TEST(workers_are_told)
{
	ck_assert_uint_eq(control_worker_count(rig), N_WORKERS);
	for (unsigned i = 0; i < N_WORKERS; i++) {
		struct control_worker worker;

		rig->workers->worker[i].numa_node = (int)i * 2;
		control_worker_read(rig, i, &worker);
		ck_assert_uint_eq(worker.cpu, i + 1);
		ck_assert_int_eq(worker.numa_node, (int)i * 2);
	}
}
END_TEST

START_TEST(the_configuration_pins)
{
	rig_config.pins[0] = (struct cpu_pin){5, 1, -1};
	rig_config.pins[1] = (struct cpu_pin){63, 2, 3};
	rig_config.n_pins = 2;
	pins_init(&rig->relays);
	expect_pin(5, 1, -1);
	expect_pin(63, 2, 3);
	expect_pin(0, -1, -1);
}
END_TEST

START_TEST(all_lanes_of_a_direction_move)
{
	live_relay(4, 0);
	live_relay(5, 1);
	for (int round = 0; round < 2; round++) {
		int to_vm = 1 + round, to_vf = 3 - round;

		UPDATE({4, to_vm, to_vf}, {5, to_vf, to_vm});
		expect_ok();
		expect_pin(4, to_vm, to_vf);
		for (unsigned q = 0; q < 3; q++) {
			expect_worker(&rig->relays.relay[4].lanes.vf_to_vm[q], (unsigned)to_vm - 1);
			expect_worker(&rig->relays.relay[4].lanes.vm_to_vf[q], (unsigned)to_vf - 1);
			expect_worker(&rig->relays.relay[5].lanes.vf_to_vm[q], (unsigned)to_vf - 1);
			expect_worker(&rig->relays.relay[5].lanes.vm_to_vf[q], (unsigned)to_vm - 1);
		}
	}
}
END_TEST

START_TEST(what_is_released_stays_where_it_is)
{
	live_relay(4, 0);
	UPDATE({4, 2, 3});
	UPDATE({4, -1, 3});
	expect_ok();
	expect_pin(4, -1, 3);
	for (unsigned q = 0; q < 3; q++)
		expect_worker(&rig->relays.relay[4].lanes.vf_to_vm[q], 1);
	UPDATE({4, -1, -1});
	expect_pin(4, -1, -1);
	for (unsigned q = 0; q < 3; q++)
		expect_worker(&rig->relays.relay[4].lanes.vm_to_vf[q], 2);
}
END_TEST

START_TEST(one_bad_entry_changes_nothing)
{
	live_relay(4, 0);
	UPDATE({4, 1, 1});
	UPDATE({4, 2, 2}, {RELAYS_MAX, 1, 1});
	expect_refused(1);
	ck_assert_ptr_nonnull(strstr(result.text, "relay 64"));
	UPDATE({UINT32_MAX, 1, 1}, {4, 2, 2});
	expect_refused(1);
	UPDATE({4, 2, 2}, {5, 1, 0}); /* the main lcore */
	expect_refused(2);
	UPDATE({4, 2, 2}, {5, 1, 4}, {6, 1, 1});
	expect_refused(2);
	ck_assert_ptr_nonnull(strstr(result.text, "CPU 4"));
	ck_assert_ptr_nonnull(strstr(result.text, "1-3"));
	UPDATE({4, -2, 2});
	expect_refused(2);
	UPDATE({4, INT32_MAX, INT32_MIN});
	expect_refused(2);
	expect_pin(4, 1, 1);
	expect_pin(5, -1, -1);
	expect_pin(6, -1, -1);
	expect_worker(&rig->relays.relay[4].lanes.vf_to_vm[0], 0);
}
END_TEST

START_TEST(the_last_entry_counts_and_none_is_fine)
{
	update(0, NULL);
	expect_ok();
	UPDATE({4, 1, 1}, {4, 3, -1});
	expect_ok();
	expect_pin(4, 3, -1);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, setup, rig_destroy);
	tcase_add_test(tcase, workers_are_told);
	tcase_add_test(tcase, the_configuration_pins);
	tcase_add_test(tcase, all_lanes_of_a_direction_move);
	tcase_add_test(tcase, what_is_released_stays_where_it_is);
	tcase_add_test(tcase, one_bad_entry_changes_nothing);
	tcase_add_test(tcase, the_last_entry_counts_and_none_is_fine);
	return suite_main("pins", tcase);
}
