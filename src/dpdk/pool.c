/* Packet memory. See pool.h. */
#include "dpdk/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <rte_errno.h>
#include <rte_ether.h>

#include "base/log.h"
#include "datapath/lane.h"
#include "sys/hugepages.h"
#include "sys/sysfs.h"

#define DISCARD_POOL_MBUFS 1023

/* What base/sizes.h says of DPDK's structs without knowing them: where cache lines are longer, it
 * is off by one. */
_Static_assert(RTE_CACHE_LINE_SIZE != 64 ||
                       RTE_CACHE_LINE_ROUNDUP(sizeof(struct rte_mempool_objhdr)) +
                                       RTE_CACHE_LINE_ROUNDUP(sizeof(struct rte_mbuf) +
                                                              POOL_MBUF_SIZE) ==
                               SIZES_MBUF_BYTES,
               "an mbuf takes so much in its pool");
_Static_assert(LANE_BACKLOG_VF_TO_VM == SIZES_BACKLOG, "a lane to a guest holds back so much");
_Static_assert(RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN == SIZES_FRAME_OVERHEAD,
               "a frame is so much longer than its MTU");

struct retired_pool {
	SLIST_ENTRY(retired_pool) link;
	struct rte_mempool *pool;
};

/* Pools outlive their relays' VFs, hence the one static of this file. Device thread, and
 * next_name also by the control thread before the device thread exists. */
static struct {
	SLIST_HEAD(retired_pools, retired_pool) retired;
	unsigned next_name; /* a relay's former pool may still be there under its own name */
} pools;

unsigned pool_size(const struct pool_params *params)
{
	const struct sizes_pool pool = {.queues = params->queues,
	                                .ports = params->ports,
	                                .rxd = params->rxd,
	                                .txd = params->txd,
	                                .backlog = params->backlog,
	                                .frame_mbufs = params->frame_mbufs,
	                                .n_workers = params->n_workers};

	return sizes_pool_mbufs(&pool);
}

struct rte_mempool *pool_create(const struct pool_params *params, bool no_huge, struct error *err)
{
	char name[RTE_MEMPOOL_NAMESIZE];
	unsigned n = pool_size(params);

	snprintf(name, sizeof(name), "relay%u.%u", params->relay_id, pools.next_name++);
	struct rte_mempool *pool =
	        rte_pktmbuf_pool_create(name, n, POOL_CACHE_SIZE, 0, POOL_MBUF_SIZE, params->node);
	if (pool != NULL)
		return pool;

	int code = rte_errno != 0 ? rte_errno : ENOMEM;
	if (code != ENOMEM) {
		error_set(err, code, "cannot make a pool of %u packet buffers: %s", n,
		          rte_strerror(code));
		return NULL;
	}
	pool_explain(no_huge, params->huge_dir, params->node, sizes_pool_bytes(n), err);
	error_prefix(err, "no memory left for %u packet buffers of %u bytes: ", n, POOL_MBUF_SIZE);
	return NULL;
}

void pool_explain(bool no_huge, const char *huge_dir, int node, uint64_t bytes, struct error *err)
{
	if (no_huge)
		error_set(err, ENOMEM, "give DPDK more, as in --eal '-m 1024'");
	else
		(void)hugepages_explain(SYSFS_ROOT, "/proc", huge_dir, node < 0 ? 0 : node, bytes,
		                        err);
}

struct rte_mempool *pool_discard_create(int node)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "discard.%u", pools.next_name++);
	return rte_pktmbuf_pool_create(name, DISCARD_POOL_MBUFS, 0, 0, POOL_MBUF_SIZE, node);
}

void pool_flush_cache(struct rte_mempool *pool, unsigned lcore)
{
	struct rte_mempool_cache *cache = rte_mempool_default_cache(pool, lcore);

	if (cache != NULL)
		rte_mempool_cache_flush(cache, pool);
}

void pool_retire(struct rte_mempool *pool)
{
	if (rte_mempool_full(pool)) {
		rte_mempool_free(pool);
		return;
	}
	struct retired_pool *entry = malloc(sizeof(*entry));
	if (entry == NULL) {
		log_err("no memory to remember the packet pool %s, whose buffers are in use: it is "
		        "lost",
		        pool->name);
		return;
	}
	entry->pool = pool;
	SLIST_INSERT_HEAD(&pools.retired, entry, link);
	log_debug("packet pool %s waits for %u of its %u buffers", pool->name,
	          rte_mempool_in_use_count(pool), pool->size);
}

unsigned pool_reclaim(void)
{
	struct retired_pool *entry = SLIST_FIRST(&pools.retired), *next;
	unsigned waiting = 0;

	for (; entry != NULL; entry = next) {
		next = SLIST_NEXT(entry, link);
		if (!rte_mempool_full(entry->pool)) {
			waiting++;
			continue;
		}
		SLIST_REMOVE(&pools.retired, entry, retired_pool, link);
		rte_mempool_free(entry->pool);
		free(entry);
	}
	return waiting;
}
