/* The burst functions that read a VF: order, bounds, and where every packet and byte ends up. */
/* TSAN: also run under the thread sanitizer */
#include <check.h>

#include "burst_rig.h"
#include "suite.h"

static void set_up_to_vm(void)
{
	reset(LANE_VF_TO_VM);
	work.run = burst_vf_to_vm;
}

static uint32_t length_2000_third(uint32_t seq)
{
	return seq == 3 ? 2000 : 1514;
}

static uint32_t length_2000_after_a_burst(uint32_t seq)
{
	return seq == LANE_BURST ? 2000 : 100;
}

/* --- from the VF to the guest ---------------------------------------------------------------- */

START_TEST(to_vm_moves_all_in_order)
{
	vf_rx->waiting = 3 * LANE_BURST + 5;
	vf_rx->length = length_mixed;
	guest_rx->room = PLENTY;
	ck_assert_uint_eq(pass(), LANE_BURST);
	ck_assert_uint_eq(pass(), LANE_BURST);
	ck_assert_uint_eq(pass(), LANE_BURST);
	ck_assert_uint_eq(pass(), 5);
	ck_assert_uint_eq(pass(), 0);
	ck_assert_uint_eq(guest_rx->pkts, 3 * LANE_BURST + 5);
	ck_assert_uint_eq(guest_rx->bytes, vf_rx->bytes);
	ck_assert_uint_eq(lane.counters.rx_pkts, 3 * LANE_BURST + 5);
	ck_assert_uint_eq(lane.counters.rx_bytes, vf_rx->bytes);
	ck_assert_uint_eq(lane.counters.tx_bytes, vf_rx->bytes);
}
END_TEST

START_TEST(to_vm_holds_what_has_no_room)
{
	vf_rx->waiting = LANE_BURST;
	vf_rx->length = length_mixed;
	guest_rx->room = 10;
	ck_assert_uint_eq(pass(), LANE_BURST);
	ck_assert_uint_eq(lane.backlog.count, LANE_BURST - 10);
	ck_assert_uint_eq(lane.counters.tx_pkts, 10);

	/* What comes later waits behind, though there is room for some. */
	vf_rx->waiting = 4;
	guest_rx->room = 5;
	pass();
	ck_assert_uint_eq(guest_rx->pkts, 15);
	ck_assert_uint_eq(guest_rx->next_seq[0], 15);
	ck_assert_uint_eq(lane.backlog.count, LANE_BURST + 4 - 15);

	/* No packet need arrive for the backlog to go on. */
	guest_rx->room = PLENTY;
	ck_assert_uint_eq(pass(), LANE_BURST + 4 - 15);
	ck_assert_uint_eq(guest_rx->pkts, LANE_BURST + 4);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 0);
}
END_TEST

START_TEST(to_vm_drops_the_newest_beyond_the_bound)
{
	const unsigned bound = LANE_BACKLOG_VF_TO_VM;

	vf_rx->waiting = bound + 50;
	vf_rx->length = length_mixed;
	while (vf_rx->waiting > 0)
		pass(); /* the VF is read all the time */
	ck_assert_uint_eq(lane.backlog.count, bound);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 50);
	ck_assert_uint_eq(lane.counters.no_room.pkts, 50);
	ck_assert_uint_gt(lane.counters.dropped_full_bytes, 50 * 60);
	ck_assert_uint_eq(guest_rx->pkts, 0);

	guest_rx->room = PLENTY;
	pass();
	ck_assert_uint_eq(guest_rx->pkts, bound);
	ck_assert_uint_eq(guest_rx->next_seq[0], bound); /* the oldest were kept */
	vf_rx->waiting = 1;
	pass();
	ck_assert_uint_eq(guest_rx->next_seq[0], bound + 51);
}
END_TEST

/* The vhost library takes 32 packets at a time, however many it is offered. */
START_TEST(to_vm_catches_up_in_one_pass)
{
	vf_rx->waiting = 5 * LANE_BURST;
	while (vf_rx->waiting > 0)
		pass();
	ck_assert_uint_eq(lane.backlog.count, 5 * LANE_BURST);

	guest_rx->room = PLENTY;
	guest_rx->burst_max = 32;
	vf_rx->waiting = LANE_BURST;
	pass();
	ck_assert_uint_eq(lane.backlog.count, 0);
	ck_assert_uint_eq(guest_rx->pkts, 6 * LANE_BURST);
}
END_TEST

START_TEST(to_vm_drops_nothing_that_was_not_refused)
{
	vf_rx->waiting = 2 * LANE_BURST;
	vf_rx->length = length_2000_after_a_burst;
	while (vf_rx->waiting > 0)
		pass();
	guest_rx->room = PLENTY;
	guest_rx->burst_max = 32;
	for (int i = 0; i < 4; i++)
		pass();
	ck_assert_uint_eq(guest_rx->pkts, 2 * LANE_BURST);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 0);
}
END_TEST

START_TEST(to_vm_guest_gone)
{
	vf_rx->waiting = 2 * LANE_BURST;
	guest_rx->room = 3;
	pass();
	ck_assert_uint_eq(lane.backlog.count, LANE_BURST - 3);

	guest.absent = true;
	ck_assert_uint_eq(pass(), 2 * LANE_BURST - 3);
	ck_assert_uint_eq(lane.backlog.count, 0);
	ck_assert_uint_eq(lane.counters.dropped_absent_pkts, 2 * LANE_BURST - 3);
	ck_assert_uint_eq(lane.counters.dropped_absent_bytes, (2 * LANE_BURST - 3) * 100);
	ck_assert_uint_eq(lane.counters.absent[ABSENT_LEFT].pkts, 2 * LANE_BURST - 3);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 0);

	guest.absent = false;
	guest_rx->room = PLENTY;
	vf_rx->waiting = 1;
	pass();
	ck_assert_uint_eq(guest_rx->pkts, 4);
}
END_TEST

/* A queue that pauses has not gone: all is kept that a full queue's lane would keep, nothing counts
 * as not connected, and then it goes on with the oldest. */
START_TEST(to_vm_pause_loses_nothing)
{
	guest_rx->room = PLENTY;
	guest.paused = true;
	vf_rx->waiting = 5 * LANE_BURST;
	vf_rx->length = length_mixed;
	for (unsigned i = 1; i <= 5; i++) {
		ck_assert_uint_eq(pass(), LANE_BURST);
		ck_assert_uint_eq(lane.backlog.count, i * LANE_BURST);
	}
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(pass(), 0);
	ck_assert_uint_eq(lane.backlog.count, 5 * LANE_BURST);

	guest.paused = false;
	ck_assert_uint_eq(pass(), 5 * LANE_BURST);
	ck_assert_uint_eq(guest_rx->pkts, 5 * LANE_BURST);
	ck_assert_uint_eq(guest_rx->bytes, vf_rx->bytes);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts + lane.counters.dropped_absent_pkts, 0);
}
END_TEST

/* It is bounded, and the newest are lost: as if the queue were full. */
START_TEST(to_vm_long_pause)
{
	guest_rx->room = 10;
	vf_rx->waiting = LANE_BURST;
	pass();
	guest.paused = true;
	vf_rx->waiting = 20 * LANE_BURST;
	for (int i = 0; i < 20; i++)
		pass();
	ck_assert_uint_eq(lane.backlog.count, LANE_BACKLOG_VF_TO_VM);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts,
	                  21 * LANE_BURST - 10 - LANE_BACKLOG_VF_TO_VM);
	ck_assert_uint_eq(lane.counters.dropped_absent_pkts, 0);
	guest.paused = false;
	guest_rx->room = PLENTY;
	pass();
	ck_assert_uint_eq(guest_rx->next_seq[0], 10 + LANE_BACKLOG_VF_TO_VM);
}
END_TEST

/* A frame that will not fit is found out by a queue that refuses it, not by one that pauses. */
START_TEST(to_vm_pause_spares_long_frames)
{
	vf_rx->waiting = LANE_BURST;
	vf_rx->length = length_2000_third;
	guest.paused = true;
	pass();
	guest.paused = false;
	guest_rx->room = 3;
	ck_assert_uint_eq(pass(), 3); /* full: whether the long one fits is not known */
	guest_rx->room = 1;
	guest_rx->longest = 1514;
	ck_assert_uint_eq(pass(), 1 + 1); /* full, and the long one did not fit */
	guest_rx->longest = 0;
	guest.paused = true;
	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(pass(), 0);
	ck_assert_uint_eq(lane.backlog.count, LANE_BURST - 5);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 1);
	ck_assert_uint_eq(lane.counters.too_long.pkts, 1);

	/* At the front of what waits. */
	guest.absent = true;
	pass();
	guest.absent = false;
	vf_rx->next_seq = guest_rx->next_seq[0] = 3;
	vf_rx->waiting = 1;
	pass();
	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(pass(), 0);
	ck_assert_uint_eq(lane.backlog.count, 1);
	guest.paused = false;
	guest_rx->room = PLENTY;
	ck_assert_uint_eq(pass(), 1);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 1);
}
END_TEST

/* Nobody is left to wait for, whatever was before. */
START_TEST(to_vm_pause_ends_in_absence)
{
	guest.paused = true;
	vf_rx->waiting = LANE_BURST;
	pass();
	guest.absent = true;
	pass();
	ck_assert_uint_eq(lane.backlog.count, 0);
	ck_assert_uint_eq(lane.counters.dropped_absent_pkts, LANE_BURST);
}
END_TEST

START_TEST(to_vm_oversize_does_not_block)
{
	vf_rx->waiting = LANE_BURST;
	vf_rx->length = length_2000_third;
	guest_rx->room = PLENTY;
	guest_rx->longest = 1514;
	pass();
	ck_assert_uint_eq(guest_rx->pkts, 3);
	pass();
	ck_assert_uint_eq(guest_rx->pkts, LANE_BURST - 1);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 1);
	ck_assert_uint_eq(lane.counters.dropped_full_bytes, 2000);
	ck_assert_uint_eq(lane.counters.too_long.pkts, 1);
	ck_assert_uint_eq(lane.counters.too_long.bytes, 2000);
	ck_assert_uint_eq(lane.backlog.count, 0);
}
END_TEST

static uint32_t length_2014(uint32_t seq)
{
	(void)seq;
	return 2014;
}

/* A guest posts eight buffers at a time, which hold the frames: none is lost, however many come. */
START_TEST(to_vm_long_frames_wait_for_buffers)
{
	vf_rx->waiting = 100;
	vf_rx->length = length_2014;
	guest_rx->longest = 2100;
	for (int i = 0; i < 20; i++) {
		pass(); /* full … */
		pass();
		guest_rx->room = 8;
		pass();
	}
	ck_assert_uint_eq(guest_rx->pkts, 100);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 0);
}
END_TEST

static uint32_t length_1000_odd(uint32_t seq)
{
	return seq % 2 == 1 ? 1000 : 100;
}

/* Nor need a guest have buffers for the usual frames: what does not fit into those it has blocks
 * nothing. */
START_TEST(to_vm_small_buffers)
{
	vf_rx->waiting = LANE_BURST;
	vf_rx->length = length_1000_odd;
	guest_rx->longest = 600;
	guest_rx->room = PLENTY;
	pass();
	pass();
	ck_assert_uint_eq(guest_rx->pkts, LANE_BURST / 2);
	ck_assert_uint_eq(lane.counters.too_long.pkts, LANE_BURST / 2);
	ck_assert_uint_eq(lane.backlog.count, 0);
}
END_TEST

/* Nothing gets through a broken ring, so nothing waits for it. */
START_TEST(to_vm_broken_ring)
{
	vf_rx->waiting = LANE_BURST;
	pass();
	guest.broken = true;
	vf_rx->waiting = LANE_BURST;
	pass();
	pass();
	ck_assert_uint_eq(lane.counters.malformed.pkts, 2 * LANE_BURST);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 2 * LANE_BURST);
	ck_assert_uint_eq(lane.backlog.count, 0);
	guest.broken = false;
	guest_rx->room = PLENTY;
	vf_rx->waiting = 1;
	pass();
	ck_assert_uint_eq(guest_rx->pkts, 1);
}
END_TEST

START_TEST(to_vm_mergeable_guest_waits_for_buffers)
{
	guest_rx->more_to_come = true;
	vf_rx->waiting = LANE_BURST;
	vf_rx->length = length_2000_third;
	guest_rx->room = PLENTY;
	guest_rx->longest = 1514; /* there are too few buffers for the long one, for now */
	for (int i = 0; i < 10; i++)
		pass();
	ck_assert_uint_eq(guest_rx->pkts, 3);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 0);
	guest_rx->longest = 0;
	pass();
	ck_assert_uint_eq(guest_rx->pkts, LANE_BURST);
}
END_TEST

START_TEST(to_vm_small_frames_wait_however_long)
{
	vf_rx->waiting = LANE_BURST;
	for (int i = 0; i < 1000; i++)
		pass();
	ck_assert_uint_eq(lane.backlog.count, LANE_BURST);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 0);
}
END_TEST

START_TEST(to_nobody_reads_counts_and_drops)
{
	work.run = burst_vf_to_nobody;
	work.guest = NULL;
	vf_rx->waiting = LANE_BURST + 1;
	vf_rx->length = length_mixed;
	ck_assert_uint_eq(pass(), LANE_BURST);
	ck_assert_uint_eq(pass(), 1);
	ck_assert_uint_eq(pass(), 0);
	ck_assert_uint_eq(lane.counters.rx_pkts, LANE_BURST + 1);
	ck_assert_uint_eq(lane.counters.dropped_absent_pkts, LANE_BURST + 1);
	ck_assert_uint_eq(lane.counters.dropped_absent_bytes, vf_rx->bytes);
	ck_assert_uint_eq(lane.counters.absent[ABSENT_NOBODY].pkts, LANE_BURST + 1);
	work.loss = &lane.counters.absent[ABSENT_NOT_READY];
	vf_rx->waiting = 3;
	pass();
	ck_assert_uint_eq(lane.counters.absent[ABSENT_NOT_READY].pkts, 3);
	ck_assert_uint_eq(lane.counters.absent[ABSENT_NOBODY].pkts, LANE_BURST + 1);
}
END_TEST

/* Bursts of any size towards a guest that takes what it likes, leaves and comes back. */
START_TEST(to_vm_always_balances)
{
	uint64_t random = (uint64_t)_i;

	vf_rx->length = length_mixed;
	guest_rx->more_to_come = _i % 2;
	for (int i = 0; i < 5000; i++) {
		uint64_t sent = guest_rx->pkts, taken = vf_rx->next_seq;

		vf_rx->waiting += fake_random(&random) % 48;
		guest_rx->room = fake_random(&random) % 4 == 0 ? 0 : fake_random(&random) % 80;
		guest_rx->burst_max = fake_random(&random) % 3 == 0 ? 32 : 0;
		guest_rx->longest = fake_random(&random) % 3 == 0 ? 1514 : 0;
		guest.absent = fake_random(&random) % 50 == 0;
		guest.paused = fake_random(&random) % 20 == 0;
		guest.broken = fake_random(&random) % 60 == 0;
		uint64_t absent = lane.counters.dropped_absent_pkts;
		unsigned done = pass();

		fake_expect(lane.backlog.count <= LANE_BACKLOG_VF_TO_VM);
		fake_expect(lane.counters.rx_pkts == vf_rx->next_seq);
		fake_expect(lane.counters.rx_bytes == vf_rx->bytes);
		fake_expect(lane.counters.tx_pkts == guest_rx->pkts);
		fake_expect(lane.counters.tx_bytes == guest_rx->bytes);
		fake_expect(vf_rx->next_seq - taken <= LANE_BURST);
		fake_expect(guest.absent || lane.counters.dropped_absent_pkts == absent);
		if (guest_rx->pkts > sent)
			fake_expect(done > 0);
	}
	ck_assert_uint_gt(lane.counters.dropped_full_pkts, 0);
	ck_assert_uint_gt(lane.counters.dropped_absent_pkts, 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up_to_vm, tear_down);
	tcase_add_test(tcase, to_vm_moves_all_in_order);
	tcase_add_test(tcase, to_vm_holds_what_has_no_room);
	tcase_add_test(tcase, to_vm_drops_the_newest_beyond_the_bound);
	tcase_add_test(tcase, to_vm_catches_up_in_one_pass);
	tcase_add_test(tcase, to_vm_drops_nothing_that_was_not_refused);
	tcase_add_test(tcase, to_vm_guest_gone);
	tcase_add_test(tcase, to_vm_pause_loses_nothing);
	tcase_add_test(tcase, to_vm_long_pause);
	tcase_add_test(tcase, to_vm_pause_spares_long_frames);
	tcase_add_test(tcase, to_vm_pause_ends_in_absence);
	tcase_add_test(tcase, to_vm_oversize_does_not_block);
	tcase_add_test(tcase, to_vm_long_frames_wait_for_buffers);
	tcase_add_test(tcase, to_vm_small_buffers);
	tcase_add_test(tcase, to_vm_broken_ring);
	tcase_add_test(tcase, to_vm_mergeable_guest_waits_for_buffers);
	tcase_add_test(tcase, to_vm_small_frames_wait_however_long);
	tcase_add_test(tcase, to_nobody_reads_counts_and_drops);
	tcase_add_loop_test(tcase, to_vm_always_balances, 0, 20);
	return suite_main("burst_to_vm", tcase);
}
