/* A lane that spreads flows over several guest queues: every flow by one queue and in order, and
 * a queue that stalls holds up nobody else.
 */
/* TSAN: also run under the thread sanitizer */
#include <check.h>

#include "burst_rig.h"
#include "suite.h"

#define FLOWS  60
#define QUEUES 0xb6U /* 1, 2, 4, 5, 7 */

static void set_up(void)
{
	reset(LANE_VF_TO_VM);
	vf_rx->flows = FLOWS;
	ck_assert_int_eq(lane_reserve(&lane, QUEUES), 0);
	lane_aim(&lane, QUEUES);
	work = (struct lane_work){.run = burst_vf_to_vm_spread,
	                          .lane = &lane,
	                          .guest = &guest.guest,
	                          .to_guest = fake_guest_send,
	                          .port_id = PORT,
	                          .vf_queue = 1,
	                          .guest_queues = QUEUES};
}

/* What the backlogs' sums and bits say must be so. */
static void expect_spread_in_order(void)
{
	uint32_t held = 0;

	for (unsigned q = 0; q < GUEST_QUEUES_MAX; q++) {
		uint32_t count = lane.spread->backlogs[q].count;

		held += count;
		fake_expect((count > 0) == (lane.spread->waiting >> q & 1));
		fake_expect(count == 0 || (QUEUES >> q & 1));
	}
	fake_expect(held == lane.spread->held);
	fake_expect(held <= LANE_BACKLOG_VF_TO_VM);
}

static unsigned pass_in_order(void)
{
	unsigned done = pass();

	expect_spread_in_order();
	return done;
}

static void give_room(uint32_t room)
{
	for (unsigned q = 0; q < FAKE_GUEST_QUEUES; q++)
		guest.rx[q].room = room;
}

/* The one queue that a flow's packets have come by. */
static unsigned queue_of(unsigned flow)
{
	unsigned queue = UINT32_MAX;

	for (unsigned q = 0; q < FAKE_GUEST_QUEUES; q++)
		if (guest.rx[q].next_seq[flow] > 0) {
			ck_assert_uint_eq(queue, UINT32_MAX);
			queue = q;
		}
	ck_assert_uint_ne(queue, UINT32_MAX);
	return queue;
}

START_TEST(each_flow_has_its_queue)
{
	unsigned flows_of[FAKE_GUEST_QUEUES] = {0};

	give_room(PLENTY);
	vf_rx->waiting = 100 * FLOWS;
	while (vf_rx->waiting > 0)
		ck_assert_uint_gt(pass_in_order(), 0);
	for (unsigned flow = 0; flow < FLOWS; flow++)
		flows_of[queue_of(flow)]++;
	for (unsigned q = 0; q < FAKE_GUEST_QUEUES; q++) {
		if (QUEUES >> q & 1)
			ck_assert_uint_ge(flows_of[q], FLOWS / 5 / 3);
		else
			ck_assert_uint_eq(guest.rx[q].pkts, 0);
	}
	ck_assert_uint_eq(lane.counters.tx_pkts, 100 * FLOWS);
	ck_assert_uint_eq(lane.counters.tx_bytes, vf_rx->bytes);
}
END_TEST

START_TEST(one_flow_fills_one_queue)
{
	give_room(PLENTY);
	vf_rx->flows = 1;
	vf_rx->waiting = 10 * LANE_BURST;
	while (vf_rx->waiting > 0)
		pass_in_order();
	ck_assert_uint_eq(guest.rx[queue_of(0)].pkts, 10 * LANE_BURST);
}
END_TEST

/* However long it lasts, the others lose nothing. */
START_TEST(a_stalled_queue_holds_up_nobody)
{
	uint64_t others = 0;

	give_room(PLENTY);
	vf_rx->waiting = FLOWS;
	while (vf_rx->waiting > 0)
		pass_in_order();
	unsigned stalled = queue_of(0);
	uint64_t before = guest.rx[stalled].pkts;

	guest.rx[stalled].room = 0;
	vf_rx->waiting = 99 * FLOWS;
	while (vf_rx->waiting > 0)
		pass_in_order();
	ck_assert_uint_eq(guest.rx[stalled].pkts, before);
	ck_assert_uint_eq(lane_held(&lane), LANE_BACKLOG_VF_TO_VM / 2);
	for (unsigned q = 0; q < FAKE_GUEST_QUEUES; q++)
		others += q == stalled ? 0 : guest.rx[q].pkts;
	ck_assert_uint_eq(others, 100 * (FLOWS - before)); /* one of each flow so far */
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 99 * before - lane_held(&lane));

	/* It goes on with the oldest that it has kept. */
	guest.rx[stalled].room = PLENTY;
	ck_assert_uint_eq(pass_in_order(), LANE_BACKLOG_VF_TO_VM / 2);
	ck_assert_uint_eq(guest.rx[stalled].pkts, before + LANE_BACKLOG_VF_TO_VM / 2);
	ck_assert_uint_eq(lane_held(&lane), 0);
}
END_TEST

START_TEST(all_but_one_stalled_leave_it_some)
{
	vf_rx->waiting = 100 * FLOWS;
	while (vf_rx->waiting > 0)
		pass_in_order();
	for (unsigned q = 0; q < FAKE_GUEST_QUEUES; q++)
		if (QUEUES >> q & 1)
			ck_assert_uint_gt(lane.spread->backlogs[q].count,
			                  LANE_BACKLOG_VF_TO_VM / 16);
	ck_assert_uint_lt(lane_held(&lane), LANE_BACKLOG_VF_TO_VM);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 100 * FLOWS - lane_held(&lane));
	guest.absent = true;
	pass_in_order();
	ck_assert_uint_eq(lane_held(&lane), 0);
	ck_assert_uint_gt(lane.counters.dropped_absent_pkts, 0);
}
END_TEST

/* All of its queues pause, and none counts as gone. */
START_TEST(a_guest_that_pauses)
{
	give_room(PLENTY);
	guest.paused = true;
	vf_rx->waiting = 2 * LANE_BURST;
	pass_in_order();
	pass_in_order();
	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(pass_in_order(), 0);
	ck_assert_uint_eq(lane_held(&lane), 2 * LANE_BURST);
	vf_rx->waiting = 100 * FLOWS;
	while (vf_rx->waiting > 0)
		pass_in_order();
	uint64_t dropped = 2 * LANE_BURST + 100 * FLOWS - lane_held(&lane);
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, dropped);
	guest.paused = false;
	pass_in_order();
	ck_assert_uint_eq(lane_held(&lane), 0);
	ck_assert_uint_eq(lane.counters.tx_pkts, 2 * LANE_BURST + 100 * FLOWS - dropped);
	ck_assert_uint_eq(lane.counters.dropped_absent_pkts, 0);
}
END_TEST

static uint32_t length_long_at_times(uint32_t seq)
{
	return seq % 11 == 0 ? 2000 : 1514;
}

START_TEST(oversize_blocks_no_queue)
{
	give_room(PLENTY);
	for (unsigned q = 0; q < FAKE_GUEST_QUEUES; q++)
		guest.rx[q].longest = 1514;
	vf_rx->length = length_long_at_times;
	vf_rx->waiting = 11 * 20;
	while (vf_rx->waiting > 0 || lane_held(&lane) > 0)
		pass_in_order();
	ck_assert_uint_eq(lane.counters.dropped_full_pkts, 20);
	ck_assert_uint_eq(lane.counters.tx_pkts, 10 * 20);
}
END_TEST

/* The queues change while packets wait: to one, to others, and back. */
START_TEST(aimed_anew)
{
	vf_rx->waiting = 64;
	pass_in_order();
	pass_in_order();
	ck_assert_uint_eq(lane_held(&lane), 64);
	ck_assert_int_eq(lane_reserve(&lane, 0x48), 0);
	lane_aim(&lane, 1U << 5);
	ck_assert_uint_eq(lane.backlog.count, 64);
	ck_assert_uint_eq(lane.spread->held, 0);
	lane_aim(&lane, 0x48);
	ck_assert_uint_eq(lane.spread->held, 64);
	ck_assert_uint_eq(lane.spread->waiting, 0x48);
	lane_aim(&lane, QUEUES);
	give_room(PLENTY);
	vf_rx->waiting = 1000;
	while (vf_rx->waiting > 0)
		pass_in_order(); /* the sinks look at each flow's order */
	ck_assert_uint_eq(lane.counters.tx_pkts, 1064);
}
END_TEST

START_TEST(always_balances)
{
	uint64_t random = (uint64_t)_i;

	for (int i = 0; i < 5000; i++) {
		vf_rx->waiting += fake_random(&random) % 48;
		for (unsigned q = 0; q < FAKE_GUEST_QUEUES; q++) {
			guest.rx[q].room =
			        fake_random(&random) % 3 == 0 ? 0 : fake_random(&random) % 12;
			guest.rx[q].burst_max = fake_random(&random) % 8;
		}
		guest.absent = fake_random(&random) % 50 == 0;
		guest.paused = fake_random(&random) % 20 == 0;
		pass_in_order();
		if (fake_random(&random) % 30 == 0)
			lane_aim(&lane, QUEUES);
	}
	ck_assert_uint_gt(lane.counters.tx_pkts, 1000);
	ck_assert_uint_gt(lane.counters.dropped_full_pkts, 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, each_flow_has_its_queue);
	tcase_add_test(tcase, one_flow_fills_one_queue);
	tcase_add_test(tcase, a_stalled_queue_holds_up_nobody);
	tcase_add_test(tcase, all_but_one_stalled_leave_it_some);
	tcase_add_test(tcase, a_guest_that_pauses);
	tcase_add_test(tcase, oversize_blocks_no_queue);
	tcase_add_test(tcase, aimed_anew);
	tcase_add_loop_test(tcase, always_balances, 0, 20);
	return suite_main("burst_spread", tcase);
}
