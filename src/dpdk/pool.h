/* Packet memory: one mbuf pool per relay, made at attach on the VF's node. A pool cannot grow, so
 * its size follows from what may be held at once: base/sizes.h has the arithmetic, pool_ops.h how
 * free buffers are kept. Device thread only, but for pool_discard_create (control thread, before
 * any worker runs).
 */
#ifndef DPDK_POOL_H
#define DPDK_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_config.h>

#include "base/error.h"
#include "base/sizes.h"

struct rte_mempool;

#define POOL_MBUF_SIZE(data_room) ((data_room) + RTE_PKTMBUF_HEADROOM) /* as DPDK counts it */

struct pool_params {
	unsigned relay_id;
	int node;             /* NUMA node, or SOCKET_ID_ANY */
	uint16_t queues;      /* rx and tx queues alike */
	uint16_t ports;       /* that have so many: a bond's members */
	uint16_t rxd, txd;    /* descriptors of each */
	uint16_t backlog;     /* packets that a lane may hold back */
	uint16_t frame_mbufs; /* mbufs of the longest frame */
	uint16_t data_room;   /* bytes of a frame in an mbuf: see sizes_mbuf_data */
	uint16_t n_workers;   /* that may keep mbufs in their caches */
	const char *huge_dir; /* of the hugepages, as config's eal_args_huge_dir has it */
};

/* How many mbufs such a pool has. */
unsigned pool_size(const struct pool_params *params);

/* NULL with err (its text alone; a code is the caller's business) when memory runs out. */
struct rte_mempool *pool_create(const struct pool_params *params, bool no_huge, struct error *err);

/* What it means that DPDK had no memory for so many bytes on that node, and what to do, as err's
 * text: looked into before there is a remedy. Device thread. */
void pool_explain(bool no_huge, const char *huge_dir, int node, uint64_t bytes, struct error *err);

/* A pool without caches, to read and drop what guests send while there is no VF. NULL when memory
 * runs out. */
struct rte_mempool *pool_discard_create(int node);

/* Gives back what a worker's cache keeps. Control thread, while no published plan has that worker
 * use the pool: else moved lanes would leave buffers behind on every worker they have been on. */
void pool_flush_cache(struct rte_mempool *pool, unsigned lcore);

/* Frees the pool now if all its mbufs are back, else when a later pool_reclaim finds them. */
void pool_retire(struct rte_mempool *pool);

/* Frees the retired pools that are whole again; returns how many still wait. */
unsigned pool_reclaim(void);

#endif
