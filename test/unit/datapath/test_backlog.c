/* The backlog's ring, and a lane's memory.
 */
/* TSAN: also run under the thread sanitizer */
#include <check.h>

#include "datapath/backlog.h"
#include "fake_path.h"
#include "suite.h"

static struct lane lane;

static void set_up(void)
{
	memset(&lane, 0, sizeof(lane));
	ck_assert_int_eq(lane_init(&lane, 63, LANE_VF_TO_VM, 31), 0);
}

static void tear_down(void)
{
	lane_free(&lane);
	ck_assert_int_eq(fake_packets_live, 0);
}

static void push_new(uint32_t n)
{
	static uint32_t seq;

	while (n-- > 0) {
		struct rte_mbuf *pkt = fake_packet_new(0, seq++, 60 + n % 100);

		fake_expect(backlog_push(&lane.backlog, &pkt, 1) == 1);
	}
}

START_TEST(knows_what_it_is)
{
	ck_assert_uint_eq(lane.relay_id, 63);
	ck_assert_uint_eq(lane.direction, LANE_VF_TO_VM);
	ck_assert_uint_eq(lane.index, 31);
	ck_assert_uint_eq(backlog_room(&lane.backlog), LANE_BACKLOG_VF_TO_VM);
	ck_assert_uint_eq((uintptr_t)&lane % RTE_CACHE_LINE_SIZE, 0);
}
END_TEST

START_TEST(one_burst_towards_the_vf)
{
	struct lane other = {0};

	ck_assert_int_eq(lane_init(&other, 0, LANE_VM_TO_VF, 0), 0);
	ck_assert_uint_eq(backlog_room(&other.backlog), LANE_BURST);
	lane_free(&other);
}
END_TEST

START_TEST(keeps_its_memory)
{
	struct rte_mbuf **slots = lane.backlog.slots;

	push_new(3);
	ck_assert_int_eq(lane_init(&lane, 63, LANE_VF_TO_VM, 31), 0);
	ck_assert_ptr_eq(lane.backlog.slots, slots);
	ck_assert_uint_eq(lane.backlog.count, 3);
}
END_TEST

START_TEST(freed_twice)
{
	push_new(5);
	lane_free(&lane);
	ck_assert_ptr_null(lane.backlog.slots);
	lane_free(&lane);
	ck_assert_int_eq(lane_init(&lane, 1, LANE_VM_TO_VF, 2), 0);
}
END_TEST

START_TEST(takes_no_more_than_fits)
{
	struct rte_mbuf *pkts[10];

	push_new(LANE_BACKLOG_VF_TO_VM - 4);
	for (uint32_t i = 0; i < 10; i++)
		pkts[i] = fake_packet_new(1, i, 60);
	ck_assert_uint_eq(backlog_push(&lane.backlog, pkts, 10), 4);
	ck_assert_uint_eq(backlog_room(&lane.backlog), 0);
	ck_assert_uint_eq(backlog_push(&lane.backlog, pkts + 4, 6), 0);
	rte_pktmbuf_free_bulk(pkts + 4, 6);
}
END_TEST

START_TEST(front_never_wraps)
{
	uint32_t n;

	push_new(LANE_BACKLOG_VF_TO_VM - 2);
	rte_pktmbuf_free_bulk(backlog_front(&lane.backlog, &n), LANE_BACKLOG_VF_TO_VM - 2);
	ck_assert_uint_eq(n, LANE_BACKLOG_VF_TO_VM - 2);
	backlog_pop(&lane.backlog, n);

	push_new(5); /* two at the end, three at the beginning */
	ck_assert_ptr_eq(backlog_front(&lane.backlog, &n),
	                 &lane.backlog.slots[LANE_BACKLOG_VF_TO_VM - 2]);
	ck_assert_uint_eq(n, 2);
	rte_pktmbuf_free_bulk(backlog_front(&lane.backlog, &n), n);
	backlog_pop(&lane.backlog, n);
	ck_assert_ptr_eq(backlog_front(&lane.backlog, &n), lane.backlog.slots);
	ck_assert_uint_eq(n, 3);
}
END_TEST

START_TEST(stays_in_order)
{
	uint32_t pushed = 0, popped = 0;
	uint64_t random = (uint64_t)_i;

	lane.backlog.head = UINT32_MAX - 1000; /* and over the end of the counter */
	for (int i = 0; i < 20000; i++) {
		struct rte_mbuf *pkts[LANE_BURST];
		uint32_t n = fake_random(&random) % (LANE_BURST + 1);

		for (uint32_t j = 0; j < n; j++)
			pkts[j] = fake_packet_new(0, pushed + j, 60);
		uint32_t held = backlog_push(&lane.backlog, pkts, n);
		rte_pktmbuf_free_bulk(pkts + held, n - held);
		pushed += held;
		fake_expect(lane.backlog.count == pushed - popped);
		fake_expect(held == n || backlog_room(&lane.backlog) == 0);
		if (lane.backlog.count == 0)
			continue;

		struct rte_mbuf **front = backlog_front(&lane.backlog, &n);
		fake_expect(n >= 1 && n <= lane.backlog.count);
		n = fake_random(&random) % (n + 1);
		for (uint32_t j = 0; j < n; j++)
			fake_expect(fake_packet_of(front[j])->seq == popped++);
		rte_pktmbuf_free_bulk(front, n);
		backlog_pop(&lane.backlog, n);
	}
	ck_assert_uint_gt(popped, 100000);
}
END_TEST

START_TEST(dropped_for_want_of_a_target)
{
	uint64_t bytes;

	lane.backlog.head = LANE_BACKLOG_VF_TO_VM - 7; /* so that it wraps */
	push_new(20);
	lane.stalled_since = 99;
	bytes = fake_held_bytes(&lane);
	lane_drop_backlog(&lane);
	ck_assert_uint_eq(lane.backlog.count, 0);
	ck_assert_uint_eq(lane.counters.dropped_absent_pkts, 20);
	ck_assert_uint_eq(lane.counters.dropped_absent_bytes, bytes);
	ck_assert_uint_eq(lane.stalled_since, 0);
	lane_drop_backlog(&lane);
	ck_assert_uint_eq(lane.counters.dropped_absent_pkts, 20);
}
END_TEST

START_TEST(counters_are_read_one_by_one)
{
	struct lane_counters out = {0};

	for (size_t i = 0; i < LANE_COUNTERS; i++)
		((uint64_t *)&lane.counters)[i] = i + 1;
	lane.counters.dropped_invalid_bytes = 10;
	lane_counters_add(&out, &lane.counters);
	ck_assert_mem_eq(&out, &lane.counters, sizeof(out));
	counter_add(&lane.counters.dropped_invalid_bytes, 100);
	ck_assert_uint_eq(counter_read(&lane.counters.dropped_invalid_bytes), 110);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, knows_what_it_is);
	tcase_add_test(tcase, one_burst_towards_the_vf);
	tcase_add_test(tcase, keeps_its_memory);
	tcase_add_test(tcase, freed_twice);
	tcase_add_test(tcase, takes_no_more_than_fits);
	tcase_add_test(tcase, front_never_wraps);
	tcase_add_loop_test(tcase, stays_in_order, 0, 5);
	tcase_add_test(tcase, dropped_for_want_of_a_target);
	tcase_add_test(tcase, counters_are_read_one_by_one);
	return suite_main("backlog", tcase);
}
