/* The handler of packet pools: what is freed can be allocated again, by whom ever; workers' caches
 * are theirs, and bounded; and nothing is counted twice.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include <rte_lcore.h>

#include "base/log.h"
#include "dpdk/pool_ops.h"
#include "eal_rig.h"

#define BUFFERS 200U
#define WORKER  3U

static struct rte_mempool *pool;
static struct eal_rig_usage before;

/* The test's thread as one lcore or another; EAL has started those up to `WORKER` here. */
static void be(unsigned lcore)
{
	RTE_PER_LCORE(_lcore_id) = lcore;
}

static void set_up(void)
{
	be(0);
	before = eal_rig_usage();
	pool = rte_mempool_create_empty("pool", BUFFERS, 64, 0, 0, SOCKET_ID_ANY, 0);
	ck_assert_ptr_nonnull(pool);
	ck_assert_int_eq(rte_mempool_set_ops_byname(pool, pool_ops_name, NULL), 0);
	ck_assert_int_eq(rte_mempool_populate_default(pool), BUFFERS);
}

static void tear_down(void)
{
	be(0);
	ck_assert(rte_mempool_full(pool));
	rte_mempool_free(pool);
	eal_rig_expect_usage(&before);
}

START_TEST(gives_each_buffer_once)
{
	const unsigned lcores[] = {0, WORKER, LCORE_ID_ANY};
	const unsigned sizes[] = {1, 2, 21, 22, 32, 63, 64, 65, 100};

	for (unsigned i = 0; i < RTE_DIM(lcores); i++) {
		for (unsigned k = 0; k < RTE_DIM(sizes); k++) {
			const unsigned n = sizes[k];
			void *got[BUFFERS], *more[100];
			unsigned total = 0;

			be(lcores[i]);
			for (; total + n <= BUFFERS; total += n) {
				ck_assert_int_eq(rte_mempool_get_bulk(pool, got + total, n), 0);
				ck_assert_uint_eq(rte_mempool_in_use_count(pool), total + n);
			}
			/* all or none */
			ck_assert_int_lt(rte_mempool_get_bulk(pool, more, n), 0);
			ck_assert_uint_eq(rte_mempool_in_use_count(pool), total);
			for (unsigned a = 0; a < total; a++)
				for (unsigned b = 0; b < a; b++)
					ck_assert_ptr_ne(got[a], got[b]);
			for (unsigned a = 0; a < total; a += n)
				rte_mempool_put_bulk(pool, got + a, n);
			ck_assert(rte_mempool_full(pool));
			pool_ops_flush(pool, WORKER);
		}
	}
}
END_TEST

START_TEST(the_last_one_freed_comes_first)
{
	void *a, *b, *again;

	be(WORKER);
	ck_assert_int_eq(rte_mempool_get(pool, &a), 0);
	ck_assert_int_eq(rte_mempool_get(pool, &b), 0);
	rte_mempool_put(pool, b);
	rte_mempool_put(pool, a);
	ck_assert_int_eq(rte_mempool_get(pool, &again), 0);
	ck_assert_ptr_eq(again, a);
	rte_mempool_put(pool, a);
}
END_TEST

/* What one worker keeps another cannot have, so it is little; none that control frees is kept. */
START_TEST(caches_keep_little)
{
	void *got[BUFFERS];
	unsigned kept = POOL_CACHE_MAX;

	be(WORKER);
	ck_assert_int_eq(rte_mempool_get_bulk(pool, got, BUFFERS), 0);
	for (unsigned i = 0; i < BUFFERS; i++)
		rte_mempool_put(pool, got[i]);
	ck_assert(rte_mempool_full(pool));
	be(0);
	ck_assert_int_eq(rte_mempool_get_bulk(pool, got, BUFFERS - kept), 0);
	for (unsigned i = 0; i < BUFFERS - kept; i++)
		rte_mempool_put(pool, got[i]);
	ck_assert_int_eq(rte_mempool_get_bulk(pool, got, BUFFERS - kept), 0);
	rte_mempool_put_bulk(pool, got, BUFFERS - kept);
	pool_ops_flush(pool, WORKER);
	pool_ops_flush(pool, LCORE_ID_ANY);
	ck_assert_int_eq(rte_mempool_get_bulk(pool, got, BUFFERS), 0);
	rte_mempool_put_bulk(pool, got, BUFFERS);
}
END_TEST

/* A worker takes all that there is and no cache holds, in bursts or singly. */
START_TEST(none_is_left_behind)
{
	void *got[BUFFERS];

	be(WORKER);
	for (unsigned i = 0; i < BUFFERS; i++)
		ck_assert_int_eq(rte_mempool_get(pool, &got[i]), 0);
	ck_assert_int_lt(rte_mempool_get(pool, &got[0]), 0);
	ck_assert_uint_eq(rte_mempool_avail_count(pool), 0);
	rte_mempool_put_bulk(pool, got, BUFFERS);
}
END_TEST

static void *churn(void *lcore)
{
	void *got[32];

	be((unsigned)(uintptr_t)lcore);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned n = 1 + i % 32;

		if (rte_mempool_get_bulk(pool, got, n) < 0)
			continue;
		for (unsigned j = 0; j < n; j++)
			*(unsigned *)got[j] = i; /* nobody else has it */
		rte_mempool_put_bulk(pool, got, n);
	}
	return NULL;
}

START_TEST(workers_and_others_at_once)
{
	const uintptr_t lcores[] = {1, 2, WORKER, LCORE_ID_ANY};
	pthread_t threads[RTE_DIM(lcores)];

	for (unsigned i = 0; i < RTE_DIM(lcores); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, churn, (void *)lcores[i]), 0);
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_uint_le(rte_mempool_avail_count(pool), BUFFERS);
	for (unsigned i = 0; i < RTE_DIM(lcores); i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");
	static char lcores[] = "0@0,1@0,2@0,3@0";
	bool netns;

	log_open(LOG_TO_STDOUT, LOG_ERR, "test_pool_ops");
	eal_rig_start_lcores(lcores, &netns);
	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, gives_each_buffer_once);
	tcase_add_test(tcase, the_last_one_freed_comes_first);
	tcase_add_test(tcase, caches_keep_little);
	tcase_add_test(tcase, none_is_left_behind);
	tcase_add_test(tcase, workers_and_others_at_once);
	return eal_rig_main("pool_ops", tcase);
}
