/* From relays to plans: which lanes there are, what each does, and which worker has it. */
/* TSAN: also run under the thread sanitizer */
#include <check.h>
#include <linux/virtio_net.h>

#include "planner_rig.h"
#include "suite.h"

/* --- what goes where ----------------------------------------------------------------------------
 */

/* To another NUMA node, before any lane is placed: a planner looks at its workers once. */
static void move_worker(unsigned worker, int node)
{
	rig->workers->worker[worker].numa_node = node;
	planner_destroy(rig->planner);
	rig->planner = planner_create(&rig->relays, &rig->loads, rig->discard_pool);
	ck_assert_ptr_nonnull(rig->planner);
}

START_TEST(nothing_at_all)
{
	apply();
	ck_assert_uint_eq(n_published, 0);
}
END_TEST

START_TEST(a_vf_alone)
{
	attach(5, 4);
	apply();
	for (unsigned q = 0; q < 4; q++)
		ck_assert_int_ne(rig->relays.relay[5].lanes.vf_to_vm_worker[q], LANE_UNPLACED);
}
END_TEST

START_TEST(a_guest_alone)
{
	guest_comes(5, 0xf, 0xf);
	apply();
}
END_TEST

/* Only a guest that may ask for something has its headers judged, by what it has negotiated. */
START_TEST(guests_that_may_ask_for_offloads)
{
	const uint64_t features =
	        UINT64_C(1) << VIRTIO_NET_F_CSUM | UINT64_C(1) << VIRTIO_NET_F_HOST_UFO;
	struct relay *relay = &rig->relays.relay[5];
	const struct lane_work *work;
	unsigned worker;

	attach(5, 1);
	relay->vf_end.vf.tx_offloads = RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	relay->vf_end.vf.max_frame = 1522;
	guest_comes(5, 1, 1);
	relay->guest_end.guest.features = UINT64_C(1) << VIRTIO_NET_F_HOST_UFO;
	apply();
	work = rig_find(&relay->lanes.vm_to_vf[0], &worker);
	ck_assert(work->run == burst_vm_to_vf);
	ck_assert_uint_eq(work->terms.features, 0);
	ck_assert_ptr_null(relay->lanes.vm_to_vf[0].cutting);

	relay->guest_end.guest.features = features;
	apply();
	work = rig_find(&relay->lanes.vm_to_vf[0], &worker);
	ck_assert(work->run == burst_vm_to_vf_offloads);
	ck_assert_uint_eq(work->terms.features, features);
	ck_assert_uint_eq(work->terms.capabilities, RTE_ETH_TX_OFFLOAD_TCP_CKSUM);
	ck_assert_uint_eq(work->terms.max_frame, 1522);
	ck_assert_ptr_nonnull(relay->lanes.vm_to_vf[0].cutting);

	relay->guest_end.guest.features = UINT64_C(1) << VIRTIO_NET_F_CSUM; /* another guest */
	apply();
	work = rig_find(&relay->lanes.vm_to_vf[0], &worker);
	ck_assert_uint_eq(work->terms.features, UINT64_C(1) << VIRTIO_NET_F_CSUM);

	relay->vf_end.vf.needs_tx_polls = true;
	apply();
	ck_assert(rig_find(&relay->lanes.vm_to_vf[0], &worker)->run == burst_vm_to_lacp);
}
END_TEST

/* What comes is joined if the configuration says so, for guests that may be sent such. */
START_TEST(guests_that_may_be_sent_joined_frames)
{
	const uint64_t csum = UINT64_C(1) << VIRTIO_NET_F_GUEST_CSUM;
	const uint64_t tso4 = UINT64_C(1) << VIRTIO_NET_F_GUEST_TSO4;
	struct relay *relay = &rig->relays.relay[5];
	unsigned worker;

	attach(5, 1);
	guest_comes(5, 1, 1);
	relay->guest_end.guest.features = csum | tso4;
	apply();
	ck_assert(rig_find(&relay->lanes.vf_to_vm[0], &worker)->run == burst_vf_to_vm);
	rig_config.gro = true;
	apply();
	ck_assert(rig_find(&relay->lanes.vf_to_vm[0], &worker)->run == burst_vf_to_vm_joined);
	ck_assert_uint_eq(rig_find(&relay->lanes.vf_to_vm[0], &worker)->join, COALESCE_IPV4);
	relay->guest_end.guest.rx_queues = 3;
	apply();
	ck_assert(rig_find(&relay->lanes.vf_to_vm[0], &worker)->run ==
	          burst_vf_to_vm_spread_joined);
	ck_assert_ptr_nonnull(relay->lanes.vf_to_vm[0].spread);
	relay->guest_end.guest.features = csum; /* another guest */
	apply();
	ck_assert(rig_find(&relay->lanes.vf_to_vm[0], &worker)->run == burst_vf_to_vm_spread);
}
END_TEST

START_TEST(as_many_vf_queues_as_guest_queues_or_more)
{
	unsigned worker;

	attach(0, 8);
	guest_comes(0, 0x7, 0x7);
	apply();
	for (unsigned q = 0; q < 8; q++) {
		const struct lane_work *work =
		        rig_find(&rig->relays.relay[0].lanes.vf_to_vm[q], &worker);

		ck_assert_uint_eq(work->guest_queue, q % 3);
		ck_assert_uint_eq(worker, to_vm_worker(0, q % 3)); /* the group is together */
	}
}
END_TEST

START_TEST(fewer_vf_queues_than_guest_queues)
{
	unsigned worker;

	attach(0, 2);
	guest_comes(0, 0x1f, 0x1f);
	apply();
	for (unsigned q = 0; q < 5; q++) {
		const struct lane_work *work =
		        rig_find(&rig->relays.relay[0].lanes.vm_to_vf[q], &worker);

		ck_assert_uint_eq(work->vf_queue, q % 2);
		ck_assert_uint_eq(worker, to_vf_worker(0, q % 2));
	}
	ck_assert_uint_ne(to_vf_worker(0, 0), to_vf_worker(0, 1)); /* two groups, two workers */
}
END_TEST

START_TEST(guest_queues_with_gaps)
{
	unsigned worker;

	attach(0, 2);
	guest_comes(0, 0x80000010, 0x80000010);
	apply();
	ck_assert_uint_eq(rig_find(&rig->relays.relay[0].lanes.vf_to_vm[0], &worker)->guest_queue,
	                  4);
	ck_assert_uint_eq(rig_find(&rig->relays.relay[0].lanes.vf_to_vm[1], &worker)->guest_queue,
	                  31);
	ck_assert_uint_eq(rig_find(&rig->relays.relay[0].lanes.vm_to_vf[31], &worker)->vf_queue, 1);
}
END_TEST

START_TEST(guest_queues_are_shared_out)
{
	attach(0, 2);
	guest_comes(0, 0x1f, 0x1f);
	apply();
	ck_assert_uint_eq(work_of(&rig->relays.relay[0].lanes.vf_to_vm[0])->guest_queues, 0x15);
	ck_assert_uint_eq(work_of(&rig->relays.relay[0].lanes.vf_to_vm[1])->guest_queues, 0xa);
	ck_assert_uint_ne(to_vm_worker(0, 0), to_vm_worker(0, 1));
}
END_TEST

/* Any of the VF's queues may then send to any of the guest's: so one worker polls them all. */
START_TEST(packets_by_one_queue_go_to_all)
{
	attach(0, 2);
	rig->relays.relay[0].vf_end.vf.one_rx_queue = true;
	guest_comes(0, 0x3, 0x3);
	apply();
	for (unsigned q = 0; q < 2; q++)
		ck_assert_uint_eq(work_of(&rig->relays.relay[0].lanes.vf_to_vm[q])->guest_queues,
		                  0x3);
	ck_assert_uint_eq(to_vm_worker(0, 0), to_vm_worker(0, 1));
	ck_assert_uint_ne(to_vf_worker(0, 0), to_vf_worker(0, 1)); /* the other direction's two */
}
END_TEST

/* The guest switches queues off and on: what waits stays in order within its flow, all of it. */
START_TEST(held_packets_follow_their_flows)
{
	struct lane *lane = &rig->relays.relay[0].lanes.vf_to_vm[0];
	static const uint32_t queues[] = {0xff, 0x0f, 0x01, 0xf0, 0x80, 0xff};

	attach(0, 1);
	rig_vfs[0].rx[0].flows = 24;
	for (unsigned i = 0; i < RTE_DIM(queues); i++) {
		guest_comes(0, queues[i], 0);
		apply();
		rig_vfs[0].rx[0].waiting = 32; /* nothing but this, and no room for it */
		work_of(lane)->run(work_of(lane));
		ck_assert_uint_eq(lane_held(lane) + lane->counters.dropped_full_pkts, 32 * (i + 1));
		fake_expect_balance(lane);
	}
	ck_assert_uint_gt(lane_held(lane), 100);
	for (unsigned q = 0; q < 8; q++)
		rig_guests[0].rx[q].room = 1000; /* whose sinks know the flows' order */
	work_of(lane)->run(work_of(lane));
	ck_assert_uint_eq(lane_held(lane), 0);
}
END_TEST

START_TEST(all_that_there_can_be)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		attach(i, VF_QUEUES_MAX);
		rig->relays.relay[i].vf_end.vf.port_id = (uint16_t)i; /* nobody runs these plans */
		guest_comes(i, UINT32_MAX, UINT32_MAX);
	}
	ck_assert_int_eq(planner_apply(rig->planner), 0);
	unsigned n = 0;
	for (unsigned i = 0; i < 3; i++) {
		n += rig_lanes_of_worker(i);
		ck_assert_uint_ge(rig_lanes_of_worker(i), RELAYS_MAX * 64 / 3);
	}
	ck_assert_uint_eq(n, RELAYS_MAX * 64);
}
END_TEST

/* --- where it is --------------------------------------------------------------------------------
 */

START_TEST(fewest_lanes_first)
{
	for (unsigned i = 0; i < 9; i++) {
		attach(i, 1);
		apply();
	}
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(rig_lanes_of_worker(i), 3);
	detach(0);
	detach(3);
	apply();
	attach(20, 1);
	apply();
	ck_assert_uint_eq(to_vm_worker(20, 0), 0); /* where two have left */
}
END_TEST

START_TEST(near_the_vf)
{
	move_worker(2, 1);
	for (unsigned i = 0; i < 4; i++) {
		attach(i, 2);
		rig->relays.relay[i].vf_end.vf.numa_node = 1;
		guest_comes(i, 1, 1);
	}
	attach(9, 2);
	apply();
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(to_vm_worker(i, 0), 2);
		ck_assert_uint_eq(to_vf_worker(i, 0), 2);
	}
	ck_assert_uint_lt(to_vm_worker(9, 0), 2);
	ck_assert_uint_lt(to_vm_worker(9, 1), 2);

	/* No worker there: any will do. */
	attach(30, 1);
	rig->relays.relay[30].vf_end.vf.numa_node = 7;
	apply();
	ck_assert_uint_lt(to_vm_worker(30, 0), 2);
}
END_TEST

START_TEST(a_guest_alone_is_near_its_memory)
{
	move_worker(1, 1);
	guest_comes(0, 1, 1);
	rig->relays.relay[0].guest_end.guest.numa_node = 1;
	apply();
	ck_assert_uint_eq(to_vf_worker(0, 0), 1);
}
END_TEST

START_TEST(pins_hold_and_are_given_up)
{
	move_worker(2, 1); /* a pin beats the node */
	rig->relays.relay[0].lanes.vf_to_vm_pin = 2;
	rig->relays.relay[0].lanes.vm_to_vf_pin = 1;
	attach(0, 4);
	guest_comes(0, 0xf, 0xf);
	apply();
	for (unsigned q = 0; q < 4; q++) {
		ck_assert_uint_eq(to_vm_worker(0, q), 2);
		ck_assert_uint_eq(to_vf_worker(0, q), 1);
	}
	rig->relays.relay[0].lanes.vf_to_vm_pin = 0;
	apply();
	ck_assert_uint_eq(to_vm_worker(0, 3), 0);
	rig->relays.relay[0].lanes.vf_to_vm_pin = LANE_UNPLACED;
	apply();
	ck_assert_uint_eq(to_vm_worker(0, 3), 0); /* no reason to move */
}
END_TEST

/* A guest comes with one pair and enables the others later. */
START_TEST(a_group_that_falls_apart_spreads)
{
	attach(0, 3);
	apply();
	guest_comes(0, 0x1, 0x1);
	apply();
	ck_assert_uint_eq(to_vm_worker(0, 0), to_vm_worker(0, 1));
	ck_assert_uint_eq(to_vm_worker(0, 0), to_vm_worker(0, 2));
	guest_comes(0, 0x7, 0x7);
	apply();
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(rig_lanes_of_worker(i), 2);
	guest_comes(0, 0x1, 0x1);
	apply();
	guest_comes(0, 0x7, 0x7);
	apply();
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(rig_lanes_of_worker(i), 2);
}
END_TEST

START_TEST(queues_in_any_order)
{
	static const uint32_t masks[] = {0x1, 0xf, 0x3, 0x8, 0x0, 0x5, 0xa, 0xf, 0x1, 0x2, 0xe};

	attach(0, 3);
	for (unsigned i = 0; i < RTE_DIM(masks); i++)
		for (unsigned j = 0; j < RTE_DIM(masks); j++) {
			guest_comes(0, masks[i], masks[j]);
			apply();
		}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, nothing_at_all);
	tcase_add_test(tcase, a_vf_alone);
	tcase_add_test(tcase, a_guest_alone);
	tcase_add_test(tcase, guests_that_may_ask_for_offloads);
	tcase_add_test(tcase, guests_that_may_be_sent_joined_frames);
	tcase_add_test(tcase, as_many_vf_queues_as_guest_queues_or_more);
	tcase_add_test(tcase, fewer_vf_queues_than_guest_queues);
	tcase_add_test(tcase, guest_queues_with_gaps);
	tcase_add_test(tcase, guest_queues_are_shared_out);
	tcase_add_test(tcase, packets_by_one_queue_go_to_all);
	tcase_add_test(tcase, held_packets_follow_their_flows);
	tcase_add_test(tcase, all_that_there_can_be);
	tcase_add_test(tcase, fewest_lanes_first);
	tcase_add_test(tcase, near_the_vf);
	tcase_add_test(tcase, a_guest_alone_is_near_its_memory);
	tcase_add_test(tcase, pins_hold_and_are_given_up);
	tcase_add_test(tcase, a_group_that_falls_apart_spreads);
	tcase_add_test(tcase, queues_in_any_order);
	return suite_main("planner", tcase);
}
