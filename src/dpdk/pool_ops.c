/* The handler of packet pools. See pool_ops.h. */
#include "dpdk/pool_ops.h"

#include <errno.h>
#include <string.h>

#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <rte_ring.h>

/* As many go to or from the ring at least, so that few packets at a time do not go there each. */
#define RING_LEAST (POOL_CACHE_MAX / 3U)

/* The last one freed is the first one allocated again: the CPU's cache has it still. */
struct pool_cache {
	/* Buffers in it; its worker: rw, others: ro (relaxed). max is 0 for lcores without one. */
	uint32_t n, max;
	void *objs[POOL_CACHE_MAX];
} __rte_cache_aligned;

/* pool_data of such a pool. */
struct pool_store {
	struct rte_ring *ring; /* behind the caches; has room for all buffers */
	unsigned n_caches;
	struct pool_cache caches[]; /* [n_caches], by lcore */
};

static unsigned lcores_end(void)
{
	unsigned end = RTE_MAX_LCORE;

	while (end > 0 && !rte_lcore_is_enabled(end - 1))
		end--;
	return end;
}

static int store_alloc(struct rte_mempool *pool)
{
	unsigned n_caches = lcores_end(), entries = rte_align32pow2(pool->size + 1);
	size_t caches = sizeof(struct pool_store) + n_caches * sizeof(struct pool_cache);
	ssize_t ring = rte_ring_get_memsize(entries);

	if (ring < 0)
		return (int)ring;
	struct pool_store *store = rte_zmalloc_socket("pool", caches + (size_t)ring,
	                                              RTE_CACHE_LINE_SIZE, pool->socket_id);
	if (store == NULL)
		return -ENOMEM;
	store->n_caches = n_caches;
	store->ring = (struct rte_ring *)((char *)store + caches);
	int rc = rte_ring_init(store->ring, pool->name, entries, 0);
	if (rc < 0) {
		rte_free(store);
		return rc;
	}
	for (unsigned i = 0; i < n_caches; i++)
		if (rte_lcore_is_enabled(i) && i != rte_get_main_lcore())
			store->caches[i].max = POOL_CACHE_MAX;
	pool->pool_data = store;
	return 0;
}

static void store_free(struct rte_mempool *pool)
{
	rte_free(pool->pool_data);
}

static inline uint32_t cache_n(const struct pool_cache *cache)
{
	return __atomic_load_n(&cache->n, __ATOMIC_RELAXED);
}

static inline void cache_set(struct pool_cache *cache, uint32_t n)
{
	__atomic_store_n(&cache->n, n, __ATOMIC_RELAXED);
}

/* NULL for a thread that is no lcore. */
static inline struct pool_cache *cache_of_thread(struct pool_store *store)
{
	unsigned lcore = rte_lcore_id();

	return lcore < store->n_caches ? &store->caches[lcore] : NULL;
}

/* Fewer than asked for: then the others stay where they are. */
static bool ring_take(struct pool_store *store, void **objs, unsigned n)
{
	return rte_ring_mc_dequeue_bulk(store->ring, objs, n, NULL) == n;
}

static __rte_noinline int take(struct pool_store *store, struct pool_cache *cache, void **objs,
                               unsigned n)
{
	if (unlikely(cache == NULL || n > cache->max))
		return ring_take(store, objs, n) ? 0 : -ENOBUFS;

	uint32_t have = cache_n(cache);
	if (have < n) {
		have += rte_ring_mc_dequeue_burst(store->ring, cache->objs + have,
		                                  RTE_MAX(n, RING_LEAST) - have, NULL);
		cache_set(cache, have);
	}
	if (unlikely(have < n))
		return -ENOBUFS;
	memcpy(objs, cache->objs + have - n, n * sizeof(*objs));
	cache_set(cache, have - n);
	return 0;
}

/* Many a driver takes and frees them one by one: hence the shortest way for a single one. */
static int store_take(struct rte_mempool *pool, void **objs, unsigned n)
{
	struct pool_store *store = pool->pool_data;
	struct pool_cache *cache = cache_of_thread(store);

	if (n != 1 || cache == NULL || cache_n(cache) == 0)
		return take(store, cache, objs, n);

	uint32_t left = cache_n(cache) - 1;
	*objs = cache->objs[left];
	cache_set(cache, left);
	return 0;
}

/* The ring has room for all buffers that there are: -ENOBUFS means one was freed twice. */
static int ring_give(struct pool_store *store, void *const *objs, unsigned n)
{
	return rte_ring_mp_enqueue_bulk(store->ring, objs, n, NULL) == n ? 0 : -ENOBUFS;
}

static __rte_noinline int give(struct pool_store *store, struct pool_cache *cache,
                               void *const *objs, unsigned n)
{
	if (unlikely(cache == NULL || n > cache->max))
		return ring_give(store, objs, n);

	uint32_t have = cache_n(cache);
	int rc = 0;
	if (have + n > cache->max) {
		uint32_t least = RTE_MIN(have, RING_LEAST);
		uint32_t excess = RTE_MAX(have + n - cache->max, least);

		have -= excess;
		cache_set(cache, have); /* before: see store_count */
		rc = ring_give(store, cache->objs + have, excess);
	}
	memcpy(cache->objs + have, objs, n * sizeof(*objs));
	cache_set(cache, have + n);
	return rc;
}

static int store_give(struct rte_mempool *pool, void *const *objs, unsigned n)
{
	struct pool_store *store = pool->pool_data;
	struct pool_cache *cache = cache_of_thread(store);

	if (n != 1 || cache == NULL || cache_n(cache) >= cache->max)
		return give(store, cache, objs, n);

	uint32_t have = cache_n(cache);
	cache->objs[have] = *objs;
	cache_set(cache, have + 1);
	return 0;
}

/* Of a pool that nobody takes buffers from any more, never too many: what goes from a cache to the
 * ring meanwhile is counted in neither, since the ring comes first. */
static unsigned store_count(const struct rte_mempool *pool)
{
	const struct pool_store *store = pool->pool_data;
	unsigned n = rte_ring_count(store->ring);

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	for (unsigned i = 0; i < store->n_caches; i++)
		n += cache_n(&store->caches[i]);
	return n;
}

void pool_ops_flush(struct rte_mempool *pool, unsigned lcore)
{
	struct pool_store *store = pool->pool_data;

	if (lcore >= store->n_caches || cache_n(&store->caches[lcore]) == 0)
		return;
	(void)ring_give(store, store->caches[lcore].objs, cache_n(&store->caches[lcore]));
	cache_set(&store->caches[lcore], 0);
}

#define NAME "vio4wd"
const char pool_ops_name[] = NAME;

static const struct rte_mempool_ops pool_ops = {
        .name = NAME,
        .alloc = store_alloc,
        .free = store_free,
        .enqueue = store_give,
        .dequeue = store_take,
        .get_count = store_count,
};
RTE_MEMPOOL_REGISTER_OPS(pool_ops)
