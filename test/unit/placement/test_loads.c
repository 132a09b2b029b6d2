/* What lanes and workers cost, as it is sampled and told.
 */
#include <check.h>

#include "control_rig.h"
#include "suite.h"

#define RELAY 5

static struct relay *relay;

static void set_up(void)
{
	rig_create(3);
	rig->workers->cycles_per_s = 1000000;
	relay = &rig->relays.relay[RELAY];
	relay->vf_end.vf = rig_vf(RELAY, 2, 2);
	relay->vf_end.phase = VF_ATTACHED;
	relay->lanes.vf_to_vm_pin = 1;
	relay->lanes.vm_to_vf_pin = 2;
	rig_guest_set(relay, true, 0x1b, 0x3);
	ck_assert_int_eq(planner_apply(rig->planner), 0);
}

static void tear_down(void)
{
	rig_destroy();
}

START_TEST(lanes_are_told)
{
	struct control_lane lanes[CONTROL_LANES_MAX];

	relay->lanes.vf_to_vm[1].counters.rx_pkts = 77;
	relay->lanes.vm_to_vf[1].busy_cycles = 5000;
	ck_assert_uint_eq(control_lanes_read(rig, RELAY, lanes), 4);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert(lanes[i].to_vm == (i < 2));
		ck_assert_uint_eq(lanes[i].queue, i % 2);
		ck_assert_int_eq(lanes[i].cpu, i < 2 ? 2 : 3);
	}
	ck_assert_uint_eq(lanes[0].targets, 0x9); /* the guest's first and third */
	ck_assert_uint_eq(lanes[1].targets, 0x12);
	ck_assert_uint_eq(lanes[2].targets, 0x1); /* VF queues */
	ck_assert_uint_eq(lanes[3].targets, 0x2);
	ck_assert_uint_eq(lanes[1].pkts, 77);
	ck_assert_uint_eq(lanes[3].busy_cycles, 5000);
	ck_assert_uint_eq(control_lanes_read(rig, RELAY - 1, lanes), 0);

	rig_guest_set(relay, false, 0, 0);
	ck_assert_int_eq(planner_apply(rig->planner), 0);
	ck_assert_uint_eq(control_lanes_read(rig, RELAY, lanes), 2);
	ck_assert_uint_eq(lanes[0].targets, 0); /* to nobody */
}
END_TEST

START_TEST(a_second_is_a_sample)
{
	struct control_lane lanes[CONTROL_LANES_MAX];
	struct control_worker worker;

	for (int i = 0; i < 40; i++) { /* smoothed: until it has settled */
		relay->lanes.vf_to_vm[0].busy_cycles += 500000;
		rig->workers->worker[1].busy_cycles += 750000;
		rig->workers->worker[1].slept_cycles += 1000000;
		rig->workers->worker[1].sleeps += 3;
		loads_sample(&rig->loads, &rig->relays, 2.0);
	}
	control_lanes_read(rig, RELAY, lanes);
	ck_assert_float_eq_tol(lanes[0].load, 0.25f, 0.01f);
	ck_assert_float_eq(lanes[1].load, 0.0f);
	control_worker_read(rig, 1, &worker);
	ck_assert_float_eq_tol(worker.busy, 0.375f, 0.001f);
	ck_assert_uint_eq(worker.busy_cycles, 40 * 750000);
	ck_assert_float_eq_tol(worker.asleep, 0.5f, 0.001f);
	ck_assert_uint_eq(worker.sleeps, 120);
	ck_assert_uint_eq(worker.n_lanes, 2);
	ck_assert_uint_eq(worker.cpu, 2);
	ck_assert(worker.shares_cpu);

	/* The last second alone counts for a worker; and no more than all of it. */
	loads_sample(&rig->loads, &rig->relays, 1.0);
	control_worker_read(rig, 1, &worker);
	ck_assert_float_eq(worker.busy, 0.0f);
	rig->workers->worker[1].busy_cycles += 9000000;
	loads_sample(&rig->loads, &rig->relays, 1.0);
	control_worker_read(rig, 1, &worker);
	ck_assert_float_eq(worker.busy, 1.0f);
	ck_assert_uint_eq(control_cycles_per_s(rig), 1000000);
}
END_TEST

/* It tells of a sleep only when it wakes up; what it polls costs nothing meanwhile. */
START_TEST(a_worker_that_sleeps_on)
{
	struct worker *sleeper = &rig->workers->worker[1];
	struct control_worker worker;

	loads_sample(&rig->loads, &rig->relays, 1.0);
	atomic_store(&sleeper->asleep, true);
	loads_sample(&rig->loads, &rig->relays, 1.0); /* since when, is not known yet */
	for (int i = 0; i < 5; i++) {
		loads_sample(&rig->loads, &rig->relays, 1.0);
		control_worker_read(rig, 1, &worker);
		ck_assert_float_eq(worker.asleep, 1.0f);
		ck_assert_float_eq(worker.busy, 0.0f);
	}
	ck_assert_uint_eq(loads_of_lane(&rig->loads, RELAY, LANE_VF_TO_VM, 0)->load, 0);

	/* After 5.25 s of 1,000,000 cycles; the rest of the second it has been awake. */
	atomic_store(&sleeper->asleep, false);
	sleeper->slept_cycles += 5250000;
	sleeper->sleeps++;
	loads_sample(&rig->loads, &rig->relays, 1.0);
	control_worker_read(rig, 1, &worker);
	ck_assert_float_eq_tol(worker.asleep, 0.25f, 0.001f);
	loads_sample(&rig->loads, &rig->relays, 1.0);
	control_worker_read(rig, 1, &worker);
	ck_assert_float_eq(worker.asleep, 0.0f);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, lanes_are_told);
	tcase_add_test(tcase, a_second_is_a_sample);
	tcase_add_test(tcase, a_worker_that_sleeps_on);
	return suite_main("loads", tcase);
}
