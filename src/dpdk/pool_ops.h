/* How packet pools keep their free buffers: a mempool handler of ours. DPDK's own keeps a cache of
 * 8 KB for each of its 128 lcores in every pool, 1 MB of hugepages, whether those lcores run or
 * not; this one has caches as small as they may be, for the workers alone. What DPDK's functions
 * and drivers allocate and free goes through it, and they need not know.
 *
 * A cache is touched by its worker alone; the buffers behind are in a ring that any thread may use.
 */
#ifndef DPDK_POOL_OPS_H
#define DPDK_POOL_OPS_H

#include "base/sizes.h"

struct rte_mempool;

/* For rte_mempool_set_ops_byname. The lcores that EAL has started have caches, but for the main
 * one: whatever control gives back is for the workers. No macro: who uses it links the handler. */
extern const char pool_ops_name[];

/* Buffers that a cache holds at most. */
#define POOL_CACHE_MAX SIZES_CACHE_MBUFS

/* Gives back what a worker's cache keeps. That worker may not use the pool meanwhile. */
void pool_ops_flush(struct rte_mempool *pool, unsigned lcore);

#endif
