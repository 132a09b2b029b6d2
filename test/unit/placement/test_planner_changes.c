/* From plans to other plans: who is disturbed when relays change, what becomes of the packets that
 * lanes hold, and changes in any order, under traffic too.
 */
/* TSAN: also run under the thread sanitizer */
#include <check.h>
#include <pthread.h>
#include <unistd.h>

#include "planner_rig.h"
#include "suite.h"

/* --- who is disturbed ---------------------------------------------------------------------------
 */

START_TEST(no_change_no_publishing)
{
	const struct plan *plans[3];

	attach(0, 4);
	guest_comes(0, 0xf, 0xf);
	guest_comes(1, 0x1, 0x1);
	apply();
	for (unsigned i = 0; i < 3; i++)
		plans[i] = rig_plan(i);
	n_published = 0;
	for (int i = 0; i < 5; i++)
		apply();
	rig->relays.relay[0].guest_end.guest.sessions++; /* nothing that a lane needs to know */
	apply();
	ck_assert_uint_eq(n_published, 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_ptr_eq(rig_plan(i), plans[i]);
}
END_TEST

START_TEST(the_others_are_not_paused)
{
	attach(0, 1);
	guest_comes(0, 1, 1);
	apply();
	watched = &rig->relays.relay[0].lanes.vf_to_vm[0];
	watched_worker = to_vm_worker(0, 0);
	for (unsigned i = 1; i < 8; i++) {
		attach(i, 4);
		guest_comes(i, 0xf, 0x3);
		apply();
	}
	for (unsigned i = 1; i < 8; i++) {
		guest_leaves(i);
		apply();
		detach(i);
		apply();
	}
	ck_assert_uint_eq(to_vm_worker(0, 0), watched_worker);
}
END_TEST

START_TEST(out_of_memory_changes_nothing)
{
	for (int fails = 0;; fails++) {
		const struct plan *plans[3];

		attach(0, 3);
		guest_comes(0, 0x7, 0x7);
		rig->relays.relay[1].vf_end.phase = VF_ABSENT;
		apply();
		for (unsigned i = 0; i < 3; i++)
			plans[i] = rig_plan(i);

		guest_leaves(0);
		attach(1, 6);
		n_published = 0;
		plans_until_failure = fails;
		int rc = planner_apply(rig->planner);
		plans_until_failure = -1;
		if (rc == 0) {
			ck_assert_int_ge(fails, 6);
			break;
		}
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_uint_eq(n_published, 0);
		for (unsigned i = 0; i < 3; i++)
			ck_assert_ptr_eq(rig_plan(i), plans[i]);
		apply(); /* and once there is some again */
	}
}
END_TEST

/* --- what lanes hold ----------------------------------------------------------------------------
 */

/* As the burst functions do: only lanes with two ends hold anything. */
static void hold(struct lane *lane, uint32_t n)
{
	unsigned worker;
	const struct lane_work *work = rig_find(lane, &worker);

	if (work == NULL || (work->run != burst_vf_to_vm && work->run != burst_vm_to_vf))
		return;
	fake_hold(lane, RTE_MIN(n, backlog_room(&lane->backlog)));
}

/* The same of a lane that spreads. */
static void hold_spread(struct lane *lane, uint32_t n)
{
	struct lane_spread *spread = lane->spread;
	unsigned worker;
	const struct lane_work *work = rig_find(lane, &worker);

	if (work == NULL || work->run != burst_vf_to_vm_spread)
		return;
	for (uint32_t i = 0; i < n && spread->held < LANE_BACKLOG_VF_TO_VM; i++) {
		struct rte_mbuf *pkt = fake_packet_of_flow(i, i, 100);
		uint8_t queue = spread->targets[flow_hash_pick(flow_hash(pkt), spread->n_targets)];

		fake_expect(work->guest_queues >> queue & 1);
		fake_expect(backlog_push(&spread->backlogs[queue], &pkt, 1) == 1);
		spread->waiting |= 1U << queue;
		spread->held++;
	}
}

START_TEST(a_vf_leaves_with_nothing_of_its_own_left)
{
	struct relay *relay = &rig->relays.relay[0];

	attach(0, 2);
	guest_comes(0, 0x3, 0x3);
	apply();
	hold(&relay->lanes.vf_to_vm[1], 7);
	hold(&relay->lanes.vm_to_vf[0], 3);
	detach(0);
	apply();
	ck_assert_int_eq(fake_packets_live, 0);
	ck_assert_uint_eq(relay->lanes.vf_to_vm[1].counters.dropped_absent_pkts, 7);
	ck_assert_uint_eq(relay->lanes.vf_to_vm[1].counters.dropped_absent_bytes, 700);
	ck_assert_uint_eq(relay->lanes.vm_to_vf[0].counters.dropped_absent_pkts, 3);
}
END_TEST

START_TEST(a_guest_leaves)
{
	struct relay *relay = &rig->relays.relay[0];

	attach(0, 2);
	guest_comes(0, 0x3, 0x3);
	apply();
	hold(&relay->lanes.vf_to_vm[0], 7);
	hold(&relay->lanes.vm_to_vf[1], 3);
	guest_leaves(0);
	apply();
	ck_assert_int_eq(fake_packets_live, 0);
	ck_assert_uint_eq(relay->lanes.vf_to_vm[0].counters.dropped_absent_pkts, 7);
	ck_assert_uint_eq(relay->lanes.vm_to_vf[1].counters.dropped_absent_pkts, 3);
}
END_TEST

START_TEST(held_packets_travel_with_their_lane)
{
	struct relay *relay = &rig->relays.relay[0];

	attach(0, 3);
	guest_comes(0, 0x7, 0x7);
	apply();
	hold(&relay->lanes.vf_to_vm[1], 7);
	hold(&relay->lanes.vm_to_vf[1], 3);
	relay->lanes.vf_to_vm_pin = relay->lanes.vm_to_vf_pin =
	        (int16_t)((relay->lanes.vf_to_vm_worker[1] + 1) % 3);
	apply();
	guest_comes(0, 0x3, 0x3);
	apply();
	guest_comes(0, 0x6, 0x2);
	apply();
	ck_assert_uint_eq(relay->lanes.vf_to_vm[1].backlog.count, 7);
	ck_assert_uint_eq(relay->lanes.vm_to_vf[1].backlog.count, 3);
	guest_comes(0, 0x0, 0x4); /* it receives no more */
	apply();
	ck_assert_int_eq(fake_packets_live, 0);
}
END_TEST

/* --- anything in any order ----------------------------------------------------------------------
 */

static void attach_any(uint64_t *random, unsigned id, uint16_t max_queues)
{
	struct vf *vf = &rig->relays.relay[id].vf_end.vf;

	attach(id, (uint16_t)(1 + fake_random(random) % max_queues));
	vf->one_rx_queue = vf->n_queues > 1 && fake_random(random) % 3 == 0;
}

static void change_something(uint64_t *random, uint16_t max_queues)
{
	unsigned id = fake_random(random) % 6;
	struct relay *relay = &rig->relays.relay[id];
	uint32_t queues = (1U << max_queues) - 1;

	switch (fake_random(random) % 8) {
	case 0:
		if (relay->vf_end.phase != VF_ATTACHED)
			attach_any(random, id, max_queues);
		break;
	case 1:
		if (relay->vf_end.phase == VF_ATTACHED)
			detach(id);
		break;
	case 2:
		relay->lanes.vf_to_vm_pin = (int16_t)(fake_random(random) % 4 - 1);
		break;
	case 3:
		relay->lanes.vm_to_vf_pin = (int16_t)(fake_random(random) % 4 - 1);
		break;
	case 4:
		guest_leaves(id);
		break;
	case 5:
		relay->guest_end.guest.front_end = !relay->guest_end.guest.front_end;
		break;
	default:
		guest_comes(id, fake_random(random) & queues, fake_random(random) & queues);
	}
}

START_TEST(every_lane_in_one_plan_always)
{
	uint64_t random = (uint64_t)_i;

	for (int i = 0; i < 600; i++) {
		for (unsigned n = fake_random(&random) % 3; n > 0; n--)
			change_something(&random, 8);
		hold(&rig->relays.relay[fake_random(&random) % 6]
		              .lanes.vf_to_vm[fake_random(&random) % 8],
		     3);
		hold(&rig->relays.relay[fake_random(&random) % 6]
		              .lanes.vm_to_vf[fake_random(&random) % 8],
		     3);
		hold_spread(&rig->relays.relay[fake_random(&random) % 6]
		                     .lanes.vf_to_vm[fake_random(&random) % 8],
		            40);
		plans_until_failure = (int)(fake_random(&random) % 40) - 10;
		if (plans_until_failure < 0)
			plans_until_failure = -1;
		int rc = planner_apply(rig->planner);
		plans_until_failure = -1;
		if (rc < 0)
			fake_expect(planner_apply(rig->planner) == 0);
		expect_plans_fit();
	}
}
END_TEST

/* The same with workers that run the real burst functions, so that a thread sanitizer sees who
 * touches what: lanes, VF queues and guest queues hold plain memory. */
static void *worker_thread(void *worker)
{
	worker_run(worker);
	return NULL;
}

static void make_traffic(void)
{
	for (unsigned i = 0; i < 6; i++)
		for (unsigned q = 0; q < 8; q++) {
			rig_vfs[i].rx[q].waiting = 1U << 30;
			rig_vfs[i].rx[q].flows = 8;
			rig_vfs[i].tx[q].room = 1U << 30;
			rig_vfs[i].tx[q].burst_max = 20; /* so that backlogs form */
			rig_guests[i].tx[q].waiting = 1U << 30;
			rig_guests[i].rx[q].room = 1U << 30;
			rig_guests[i].rx[q].burst_max = 20;
		}
}

static void expect_sums(const struct lane *lane, uint64_t *moved)
{
	struct lane_counters c = {0};

	lane_counters_add(&c, &lane->counters);
	fake_expect(c.rx_pkts == c.tx_pkts + c.dropped_full_pkts + c.dropped_absent_pkts +
	                                 c.dropped_invalid_pkts + lane_held(lane));
	*moved += c.tx_pkts;
}

START_TEST(plans_change_under_traffic)
{
	pthread_t threads[3];
	uint64_t random = 77, moved = 0;

	make_traffic();
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(
		        pthread_create(&threads[i], NULL, worker_thread, &rig->workers->worker[i]),
		        0);
	for (int i = 0; i < 300; i++) {
		change_something(&random, 8);
		rig_guests[fake_random(&random) % 6].absent = fake_random(&random) % 4 == 0;
		fake_expect(planner_apply(rig->planner) == 0);
		usleep(200);
	}
	workers_stop(rig->workers);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < 6; i++)
		for (unsigned q = 0; q < 8; q++) {
			expect_sums(&rig->relays.relay[i].lanes.vf_to_vm[q], &moved);
			expect_sums(&rig->relays.relay[i].lanes.vm_to_vf[q], &moved);
		}
	ck_assert_uint_gt(moved, 1000);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, no_change_no_publishing);
	tcase_add_test(tcase, the_others_are_not_paused);
	tcase_add_test(tcase, out_of_memory_changes_nothing);
	tcase_add_test(tcase, a_vf_leaves_with_nothing_of_its_own_left);
	tcase_add_test(tcase, a_guest_leaves);
	tcase_add_test(tcase, held_packets_travel_with_their_lane);
	tcase_add_loop_test(tcase, every_lane_in_one_plan_always, 0, 10);
	tcase_add_test(tcase, plans_change_under_traffic);
	return suite_main("planner_changes", tcase);
}
