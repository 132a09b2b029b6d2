/* The test guest's own accounting: what it would overlook, no functional test could find. */
#include <check.h>

#include "suite.h"
#include "test/tools/seq_flow.h"

#define TIMEOUT 1000

static struct flow flow;

static void setup(void)
{
	memset(&flow, 0, sizeof(flow));
	for (unsigned i = 0; i < 8; i++)
		flow_sent(&flow, i, true);
}

static void back(uint32_t seq)
{
	ck_assert(flow_back(&flow, seq, 100));
}

static void expect(uint64_t lost, uint64_t late, uint64_t reordered, uint64_t duplicated)
{
	ck_assert_uint_eq(flow.count.lost, lost);
	ck_assert_uint_eq(flow.count.late, late);
	ck_assert_uint_eq(flow.count.reordered, reordered);
	ck_assert_uint_eq(flow.count.duplicated, duplicated);
}

START_TEST(all_back_in_order)
{
	for (uint32_t seq = 0; seq < 8; seq++)
		back(seq);
	expect(0, 0, 0, 0);
	ck_assert_uint_eq(flow.outstanding, 0);
	ck_assert_uint_eq(flow.count.received, 8);
	ck_assert_uint_eq(flow.rtt_max_us, 100);
	flow_expire(&flow, 10 * TIMEOUT, TIMEOUT);
	expect(0, 0, 0, 0);
}
END_TEST

START_TEST(skipped_is_lost_at_once)
{
	back(0);
	back(3);
	expect(2, 0, 0, 0);
	ck_assert_uint_eq(flow.outstanding, 4);
}
END_TEST

START_TEST(skipped_and_back_is_reordered)
{
	back(0);
	back(2);
	back(1);
	expect(0, 0, 1, 0);
	back(3);
	expect(0, 0, 1, 0);
}
END_TEST

START_TEST(silence_is_loss)
{
	flow_expire(&flow, TIMEOUT + 3, TIMEOUT);
	expect(4, 0, 0, 0);
	flow_expire(&flow, TIMEOUT + 8, TIMEOUT);
	expect(8, 0, 0, 0);
	ck_assert_uint_eq(flow.outstanding, 0);
	back(7);
	expect(7, 1, 0, 0);
}
END_TEST

START_TEST(twice_is_duplicated)
{
	back(0);
	back(0);
	back(1);
	expect(0, 0, 0, 1);
	ck_assert_uint_eq(flow.outstanding, 6);
}
END_TEST

START_TEST(strangers_are_not_ours)
{
	ck_assert(!flow_back(&flow, 8, 100));
	ck_assert(!flow_back(&flow, FLOW_SLOTS + 1, 100));
	ck_assert_uint_eq(flow.outstanding, 8);
}
END_TEST

START_TEST(forgiven_is_not_lost)
{
	back(0);
	ck_assert_uint_eq(flow_forgive(&flow), 7);
	flow_expire(&flow, 10 * TIMEOUT, TIMEOUT);
	expect(0, 0, 0, 0);
	flow_sent(&flow, 0, true);
	back(8);
	expect(0, 0, 0, 0);
}
END_TEST

START_TEST(window_and_memory_are_bounded)
{
	ck_assert(!flow_has_room(&flow, 8));
	ck_assert(flow_has_room(&flow, 9));
	while (flow.next_seq < FLOW_SLOTS)
		flow_sent(&flow, 0, true);
	ck_assert(!flow_has_room(&flow, 2 * FLOW_SLOTS));
}
END_TEST

START_TEST(numbers_wrap)
{
	memset(&flow, 0, sizeof(flow));
	flow.next_seq = flow.oldest = flow.next_rx = UINT32_MAX - 1;
	for (unsigned i = 0; i < 4; i++)
		flow_sent(&flow, 0, true);
	back(UINT32_MAX - 1);
	back(0);
	expect(1, 0, 0, 0);
	back(UINT32_MAX);
	expect(0, 0, 1, 0);
	back(1);
	flow_expire(&flow, 10 * TIMEOUT, TIMEOUT);
	expect(0, 0, 1, 0);
}
END_TEST

START_TEST(a_listener_counts_gaps)
{
	memset(&flow, 0, sizeof(flow));
	flow_heard(&flow, 5); /* it may begin anywhere */
	flow_heard(&flow, 6);
	flow_heard(&flow, 9);
	expect(2, 0, 0, 0);
	flow_heard(&flow, 7);
	expect(1, 0, 1, 0);
}
END_TEST

START_TEST(sums_over_flows)
{
	static struct flow flows[FLOWS_MAX];
	struct counters sum;

	flow_sent(&flows[0], 0, true);
	flow_sent(&flows[FLOWS_MAX - 1], 0, true);
	flow_back(&flows[0], 0, 70);
	ck_assert_uint_eq(flows_outstanding(flows), 1);
	ck_assert_uint_eq(flows_rtt_max(flows), 70);
	flows_expire(flows, 2 * TIMEOUT, TIMEOUT);
	sum = flows_count(flows);
	ck_assert_uint_eq(sum.sent, 2);
	ck_assert_uint_eq(sum.received, 1);
	ck_assert_uint_eq(sum.lost, 1);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, all_back_in_order);
	tcase_add_test(tcase, skipped_is_lost_at_once);
	tcase_add_test(tcase, skipped_and_back_is_reordered);
	tcase_add_test(tcase, silence_is_loss);
	tcase_add_test(tcase, twice_is_duplicated);
	tcase_add_test(tcase, strangers_are_not_ours);
	tcase_add_test(tcase, forgiven_is_not_lost);
	tcase_add_test(tcase, window_and_memory_are_bounded);
	tcase_add_test(tcase, numbers_wrap);
	tcase_add_test(tcase, a_listener_counts_gaps);
	tcase_add_test(tcase, sums_over_flows);
	return suite_main("seq_flow", tcase);
}
