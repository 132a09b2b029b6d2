/* Packet memory. See pool.h. */
#include "dpdk/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <rte_errno.h>
#include <rte_ether.h>
#include <rte_malloc.h>

#include "base/log.h"
#include "datapath/lane.h"
#include "dpdk/pool_ops.h"
#include "sys/hugepages.h"
#include "sys/sysfs.h"

#define DISCARD_POOL_MBUFS 1023

/* What base/sizes.h says of DPDK's structs without knowing them: where cache lines are longer, it
 * is off by one. */
_Static_assert(RTE_CACHE_LINE_SIZE != 64 ||
                       RTE_CACHE_LINE_ROUNDUP(sizeof(struct rte_mempool_objhdr)) +
                                       RTE_CACHE_LINE_ROUNDUP(sizeof(struct rte_mbuf) +
                                                              POOL_MBUF_SIZE(SIZES_MBUF_DATA)) ==
                               SIZES_MBUF_DATA + SIZES_MBUF_EXTRA,
               "an mbuf takes so much in its pool");
_Static_assert(LANE_BACKLOG_VF_TO_VM == SIZES_BACKLOG, "a lane to a guest holds back so much");
_Static_assert(LANE_BURST == SIZES_BURST, "a lane takes so much at once");
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
	const void *freed;  /* the piece of a pool's memory that was freed last */
} pools;

static struct sizes_pool sizes_of(const struct pool_params *params)
{
	return (struct sizes_pool){.queues = params->queues,
	                           .ports = params->ports,
	                           .rxd = params->rxd,
	                           .txd = params->txd,
	                           .backlog = params->backlog,
	                           .frame_mbufs = params->frame_mbufs,
	                           .n_workers = params->n_workers,
	                           .mbuf_data = params->data_room};
}

unsigned pool_size(const struct pool_params *params)
{
	const struct sizes_pool pool = sizes_of(params);

	return sizes_pool_mbufs(&pool);
}

static void piece_free(struct rte_mempool_memhdr *piece, void *memory)
{
	(void)piece;
	pools.freed = memory;
	rte_free(memory);
}

/* Makes mbufs in memory taken piece by piece: see SIZES_PIECE_BYTES. 0 or -errno. */
static int fill(struct rte_mempool *pool, uint16_t data_room)
{
	while (pool->populated_size < pool->size) {
		unsigned left = pool->size - pool->populated_size;
		/* None lies across the border of two pages: of two, one is good. */
		unsigned n = left == 1 ? 2 : RTE_MIN(left, sizes_piece_mbufs(data_room));
		size_t bytes =
		        n * (size_t)(pool->header_size + pool->elt_size + pool->trailer_size);
		void *memory =
		        rte_malloc_socket("mbufs", bytes, RTE_CACHE_LINE_SIZE, pool->socket_id);

		if (memory == NULL)
			return -ENOMEM;
		const struct rte_memseg_list *pages = rte_mem_virt2memseg_list(memory);
		pools.freed = NULL;
		int rc = rte_mempool_populate_virt(pool, memory, bytes, pages->page_sz, piece_free,
		                                   memory);
		if (rc > 0)
			continue;
		/* A failure frees all pieces, this one too if the pool has heard of it. */
		if (pools.freed != memory)
			rte_free(memory);
		return rc < 0 ? rc : -ENOMEM;
	}
	return 0;
}

/* As rte_pktmbuf_pool_create, but for the handler and where the memory comes from. */
static struct rte_mempool *make(const char *name, unsigned n, uint16_t data_room, int node)
{
	struct rte_pktmbuf_pool_private room = {.mbuf_data_room_size = POOL_MBUF_SIZE(data_room)};
	struct rte_mempool *pool = rte_mempool_create_empty(
	        name, n, sizeof(struct rte_mbuf) + POOL_MBUF_SIZE(data_room), 0, sizeof(room), node,
	        0);
	int rc;

	if (pool == NULL)
		return NULL;
	rc = rte_mempool_set_ops_byname(pool, pool_ops_name, NULL);
	if (rc == 0) {
		rte_pktmbuf_pool_init(pool, &room);
		/* A page without hugepages is as large as an mbuf or so. */
		if (!rte_eal_has_hugepages())
			rc = RTE_MIN(rte_mempool_populate_default(pool), 0);
		else
			rc = fill(pool, data_room);
	}
	if (rc == 0) {
		rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
		return pool;
	}
	rte_mempool_free(pool);
	rte_errno = -rc;
	return NULL;
}

struct rte_mempool *pool_create(const struct pool_params *params, bool no_huge, struct error *err)
{
	char name[RTE_MEMPOOL_NAMESIZE];
	const struct sizes_pool sizes = sizes_of(params);
	unsigned n = sizes_pool_mbufs(&sizes);

	snprintf(name, sizeof(name), "relay%u.%u", params->relay_id, pools.next_name++);
	struct rte_mempool *pool = make(name, n, params->data_room, params->node);
	if (pool != NULL)
		return pool;

	int code = rte_errno != 0 ? rte_errno : ENOMEM;
	if (code != ENOMEM) {
		error_set(err, code, "cannot make a pool of %u packet buffers: %s", n,
		          rte_strerror(code));
		return NULL;
	}
	pool_explain(no_huge, params->huge_dir, params->node, sizes_pool_bytes(&sizes), err);
	error_prefix(err, "no memory left for %u packet buffers of %u bytes: ", n,
	             POOL_MBUF_SIZE(params->data_room));
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
	return rte_pktmbuf_pool_create(name, DISCARD_POOL_MBUFS, 0, 0,
	                               POOL_MBUF_SIZE(SIZES_MBUF_DATA), node);
}

void pool_flush_cache(struct rte_mempool *pool, unsigned lcore)
{
	pool_ops_flush(pool, lcore);
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
