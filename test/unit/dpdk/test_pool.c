/* Packet pools: their size, and that they go when their last buffer is back. */
#include <check.h>
#include <stdlib.h>

#include "base/log.h"
#include "dpdk/pool.h"
#include "eal_rig.h"

static const struct pool_params usual = {
        .relay_id = 3,
        .node = SOCKET_ID_ANY,
        .queues = 1,
        .ports = 1,
        .rxd = 512,
        .txd = 512,
        .backlog = 256,
        .frame_mbufs = 1,
        .data_room = SIZES_MBUF_DATA,
        .n_workers = 2,
};

#define FROM_GUEST (32 + 64 + 31) /* what a read from the guest may bring */

START_TEST(is_as_large_as_needed)
{
	struct pool_params params = usual;

	/* 64 of these in 256 MB: 1600 buffers each at most */
	ck_assert_uint_eq(pool_size(&params), 512 + 512 + 256 + 32 + FROM_GUEST + 32 + 2 * 64);
	ck_assert_uint_le(pool_size(&params), 1600);
	params.queues = 4;
	params.frame_mbufs = 5;
	ck_assert_uint_eq(pool_size(&params),
	                  4 * (512 + 512 + 5 * 288 + FROM_GUEST + 5 * 32) + 2 * 64);
	params.ports = 8; /* a bond: each member has its rings, the backlogs are shared */
	ck_assert_uint_eq(pool_size(&params),
	                  4 * (8 * 1024 + 5 * 288 + FROM_GUEST + 5 * 32) + 2 * 64);
	params.ports = 1;
	params.queues = 32;
	params.rxd = params.txd = 4096;
	ck_assert_uint_eq(pool_size(&params), 32 * (8192 + 5 * 288 + FROM_GUEST + 5 * 32) + 2 * 64);
}
END_TEST

START_TEST(a_frame_of_mtu_2100_fits_one_buffer)
{
	struct error err;
	struct eal_rig_usage before = eal_rig_usage();
	struct rte_mempool *pool = pool_create(&usual, true, &err);

	ck_assert_ptr_nonnull(pool);
	ck_assert_uint_eq(pool->size, pool_size(&usual));
	ck_assert_uint_ge(rte_pktmbuf_data_room_size(pool),
	                  2100 + RTE_ETHER_HDR_LEN + 8 + RTE_PKTMBUF_HEADROOM);
	ck_assert_uint_eq(pool->elt_size + pool->header_size + pool->trailer_size,
	                  sizes_mbuf_bytes(SIZES_MBUF_DATA));
	pool_retire(pool);
	eal_rig_expect_usage(&before);
}
END_TEST

/* The relay attaches anew while a guest still holds a buffer of the pool before. */
START_TEST(waits_for_its_buffers)
{
	struct error err;
	struct eal_rig_usage before = eal_rig_usage();
	struct rte_mbuf *held[3];

	for (int i = 0; i < 3; i++) {
		struct rte_mempool *pool = pool_create(&usual, true, &err);

		ck_assert_ptr_nonnull(pool);
		held[i] = rte_pktmbuf_alloc(pool);
		ck_assert_ptr_nonnull(held[i]);
		pool_retire(pool);
	}
	ck_assert_uint_eq(pool_reclaim(), 3);
	rte_pktmbuf_free(held[1]);
	ck_assert_uint_eq(pool_reclaim(), 2);
	ck_assert_uint_eq(pool_reclaim(), 2);
	rte_pktmbuf_free(held[0]);
	rte_pktmbuf_free(held[2]);
	ck_assert_uint_eq(pool_reclaim(), 0);
	eal_rig_expect_usage(&before);
}
END_TEST

START_TEST(tells_when_memory_runs_out)
{
	struct pool_params huge = usual;
	struct error err;
	struct eal_rig_usage before = eal_rig_usage();

	huge.queues = 32;
	huge.rxd = huge.txd = 32768;
	ck_assert_ptr_null(pool_create(&huge, true, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "--eal '-m 1024'"));
	huge.node = 0;
	ck_assert_ptr_null(pool_create(&huge, false, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "/sys/devices/system/node/node0/hugepages"));
	eal_rig_expect_usage(&before);
}
END_TEST

START_TEST(discards_without_caches)
{
	struct eal_rig_usage before = eal_rig_usage();
	struct rte_mempool *pool = pool_discard_create(SOCKET_ID_ANY);

	ck_assert_ptr_nonnull(pool);
	ck_assert_uint_eq(pool->cache_size, 0);
	ck_assert_uint_eq(rte_mempool_avail_count(pool), 1023);
	rte_mempool_free(pool);
	eal_rig_expect_usage(&before);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");
	bool netns;

	log_open(LOG_TO_STDOUT, LOG_ERR, "test_pool");
	eal_rig_start(&netns);
	tcase_add_test(tcase, is_as_large_as_needed);
	tcase_add_test(tcase, a_frame_of_mtu_2100_fits_one_buffer);
	tcase_add_test(tcase, waits_for_its_buffers);
	tcase_add_test(tcase, tells_when_memory_runs_out);
	tcase_add_test(tcase, discards_without_caches);
	return eal_rig_main("pool", tcase);
}
