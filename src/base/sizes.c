/* Packet memory's arithmetic. See sizes.h.
 */
#include "base/sizes.h"

#define RESERVE 256 /* mbufs: bursts on their way, drains, a guest's packets being copied */

unsigned sizes_pool_mbufs(const struct sizes_pool *pool)
{
	unsigned per_queue =
	        pool->ports * (pool->rxd + pool->txd) + pool->backlog * pool->frame_mbufs;

	/* Lanes that send to one queue share a worker, so no more than these work at once. */
	unsigned lanes = 2 * pool->queues;
	unsigned caches = pool->n_workers < lanes ? pool->n_workers : lanes;

	/* DPDK lets a cache grow to 1.5 times its size before it gives back. */
	return pool->queues * per_queue + RESERVE +
	       caches * (SIZES_MBUF_CACHE + SIZES_MBUF_CACHE / 2);
}

uint64_t sizes_pool_bytes(unsigned mbufs)
{
	return mbufs * (uint64_t)SIZES_MBUF_BYTES + SIZES_POOL_FIXED_BYTES;
}

unsigned sizes_frame_mbufs(unsigned mtu, unsigned room)
{
	return (mtu + SIZES_FRAME_OVERHEAD + room - 1) / room;
}
