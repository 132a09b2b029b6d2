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
                                        .n_workers = 2,
                                        .mbuf_data = SIZES_MBUF_DATA};

/* Of a VF queue: what one read from the guest may bring, of which the last frame has 65,600 bytes;
 * and with it the pieces that it is cut into. */
#define FROM_GUEST (32 + 64 + 31)

START_TEST(a_pool_holds_rings_backlogs_and_caches)
{
	struct sizes_pool pool = usual;

	ck_assert_uint_eq(sizes_pool_mbufs(&pool), 512 + 512 + 288 + FROM_GUEST + 32 + 2 * 64);
	pool.mbuf_data = SIZES_MBUF_DATA_SMALL; /* a frame of 65,600 bytes takes 9 more */
	ck_assert_uint_eq(sizes_pool_mbufs(&pool), 512 + 512 + 288 + FROM_GUEST + 9 + 32 + 2 * 64);
	pool.mbuf_data = SIZES_MBUF_DATA;
	pool.queues = 4;
	pool.frame_mbufs = 5;
	ck_assert_uint_eq(sizes_pool_mbufs(&pool),
	                  4 * (512 + 512 + 5 * 288 + FROM_GUEST + 5 * 32) + 2 * 64);
	pool.ports = 8; /* a bond: each member has its rings, the backlogs are shared */
	ck_assert_uint_eq(sizes_pool_mbufs(&pool),
	                  4 * (8 * 1024 + 5 * 288 + FROM_GUEST + 5 * 32) + 2 * 64);
}
END_TEST

START_TEST(no_more_workers_have_caches_than_there_are_lanes)
{
	struct sizes_pool pool = usual;
	unsigned two = sizes_pool_mbufs(&pool);

	pool.n_workers = 64;
	ck_assert_uint_eq(sizes_pool_mbufs(&pool), two);
	pool.n_workers = 1;
	ck_assert_uint_eq(sizes_pool_mbufs(&pool), two - 64);
	pool.queues = 2;
	pool.n_workers = 64;
	ck_assert_uint_eq(sizes_pool_mbufs(&pool), 2 * (1024 + 288 + FROM_GUEST + 32) + 4 * 64);
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
	                                .n_workers = LCORES_MAX,
	                                .mbuf_data = SIZES_MBUF_DATA};

	ck_assert_uint_eq(sizes_pool_mbufs(&pool),
	                  32 * (8 * 65536 + 5 * 288 + FROM_GUEST + 5 * 32) + 64 * 64);
	ck_assert_uint_gt(sizes_pool_bytes(&pool), UINT64_C(16777216) * 2496);
	ck_assert_uint_lt(sizes_pool_bytes(&pool), UINT64_C(16777216) * 2560);
}
END_TEST

START_TEST(short_frames_lie_in_small_mbufs)
{
	ck_assert_uint_eq(sizes_mbuf_data(MTU_USUAL, false), SIZES_MBUF_DATA);
	ck_assert_uint_eq(sizes_mbuf_data(1500, false), SIZES_MBUF_DATA_SMALL);
	ck_assert_uint_eq(sizes_mbuf_data(1500, true), SIZES_MBUF_DATA);
	ck_assert_uint_eq(sizes_mbuf_data(SIZES_MBUF_DATA_SMALL - 26, false),
	                  SIZES_MBUF_DATA_SMALL);
	ck_assert_uint_eq(sizes_mbuf_data(SIZES_MBUF_DATA_SMALL - 25, false), SIZES_MBUF_DATA);
	ck_assert_uint_eq(sizes_mbuf_data(MTU_JUMBO, false), SIZES_MBUF_DATA);
	ck_assert_uint_eq(sizes_mbuf_bytes(SIZES_MBUF_DATA), 2496);
	ck_assert_uint_eq(sizes_mbuf_bytes(SIZES_MBUF_DATA_SMALL), 1984);
}
END_TEST

START_TEST(sixty_four_relays_take_256_mb_at_most)
{
	uint64_t relay = sizes_pool_bytes(&usual);

	ck_assert_uint_ge(relay, sizes_pool_mbufs(&usual) * UINT64_C(2496));
	ck_assert_uint_le(RELAYS_MAX * relay, UINT64_C(248) << 20); /* and rings */
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
	tcase_add_test(tcase, short_frames_lie_in_small_mbufs);
	tcase_add_test(tcase, sixty_four_relays_take_256_mb_at_most);
	tcase_add_test(tcase, frames_take_as_many_mbufs_as_they_need);
	return suite_main("sizes", tcase);
}
