/* Packet memory's arithmetic, in numbers that were worked out by hand. */
#include <check.h>

#include "base/limits.h"
#include "base/sizes.h"
#include "suite.h"

static const struct sizes_pool usual = {.queues = 1,
                                        .ports = 1,
                                        .rxd = SIZES_RING,
                                        .txd = SIZES_RING,
                                        .backlog = SIZES_BACKLOG,
                                        .frame_mbufs = 1,
                                        .n_workers = 2};

START_TEST(a_pool_holds_rings_backlogs_and_caches)
{
	struct sizes_pool pool = usual;

	ck_assert_uint_eq(sizes_pool_mbufs(&pool), 512 + 512 + 256 + 256 + 2 * 192);
	pool.queues = 4;
	pool.frame_mbufs = 5;
	ck_assert_uint_eq(sizes_pool_mbufs(&pool), 4 * (512 + 512 + 5 * 256) + 256 + 2 * 192);
	pool.ports = 8; /* a bond: each member has its rings, the backlogs are shared */
	ck_assert_uint_eq(sizes_pool_mbufs(&pool), 4 * (8 * 1024 + 5 * 256) + 256 + 2 * 192);
}
END_TEST

START_TEST(no_more_workers_have_caches_than_there_are_lanes)
{
	struct sizes_pool pool = usual;
	unsigned two = sizes_pool_mbufs(&pool);

	pool.n_workers = 64;
	ck_assert_uint_eq(sizes_pool_mbufs(&pool), two);
	pool.n_workers = 1;
	ck_assert_uint_eq(sizes_pool_mbufs(&pool), two - 192);
	pool.queues = 2;
	pool.n_workers = 64;
	ck_assert_uint_eq(sizes_pool_mbufs(&pool), 2 * (1024 + 256) + 256 + 4 * 192);
}
END_TEST

START_TEST(the_largest_pool_is_no_overflow)
{
	const struct sizes_pool pool = {.queues = VF_QUEUES_MAX,
	                                .ports = 8,
	                                .rxd = 32768,
	                                .txd = 32768,
	                                .backlog = SIZES_BACKLOG,
	                                .frame_mbufs = 5,
	                                .n_workers = LCORES_MAX};

	ck_assert_uint_eq(sizes_pool_mbufs(&pool), 32 * (8 * 65536 + 5 * 256) + 256 + 64 * 192);
	ck_assert_uint_eq(sizes_pool_bytes(sizes_pool_mbufs(&pool)),
	                  UINT64_C(16830720) * 2496 + (1 << 20));
}
END_TEST

START_TEST(frames_take_as_many_mbufs_as_they_need)
{
	ck_assert_uint_eq(sizes_frame_mbufs(MTU_USUAL, SIZES_MBUF_DATA), 1);
	ck_assert_uint_eq(sizes_frame_mbufs(2150, SIZES_MBUF_DATA), 1);
	ck_assert_uint_eq(sizes_frame_mbufs(2151, SIZES_MBUF_DATA), 2);
	ck_assert_uint_eq(sizes_frame_mbufs(MTU_JUMBO, SIZES_MBUF_DATA), 5);
	ck_assert_uint_eq(sizes_frame_mbufs(MTU_JUMBO, 2048), 5);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, a_pool_holds_rings_backlogs_and_caches);
	tcase_add_test(tcase, no_more_workers_have_caches_than_there_are_lanes);
	tcase_add_test(tcase, the_largest_pool_is_no_overflow);
	tcase_add_test(tcase, frames_take_as_many_mbufs_as_they_need);
	return suite_main("sizes", tcase);
}
