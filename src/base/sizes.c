/* Packet memory's arithmetic. See sizes.h.
 */
#include "base/sizes.h"

#define CACHE_BYTES  448 /* of a worker's cache, in each pool */
#define SLOT_BYTES   8   /* of the ring behind the caches, an entry */
#define HEADER_BYTES 1024

static unsigned per_queue(const struct sizes_pool *pool)
{
	unsigned rings = pool->ports * (pool->rxd + pool->txd);
	unsigned to_guest = pool->frame_mbufs * (pool->backlog + SIZES_BURST);
	unsigned long_frame = (SIZES_LONG_FRAME + pool->mbuf_data - 1) / pool->mbuf_data;
	unsigned from_guest = SIZES_BURST + SIZES_READ + long_frame;

	return rings + to_guest + from_guest + pool->frame_mbufs * SIZES_BURST;
}

unsigned sizes_pool_mbufs(const struct sizes_pool *pool)
{
	/* Lanes that send to one queue share a worker, so no more than these work at once. */
	unsigned lanes = 2 * pool->queues;
	unsigned caches = pool->n_workers < lanes ? pool->n_workers : lanes;

	return pool->queues * per_queue(pool) + caches * SIZES_CACHE_MBUFS;
}

unsigned sizes_mbuf_data(unsigned mtu, bool only_long)
{
	return !only_long && mtu + SIZES_FRAME_OVERHEAD <= SIZES_MBUF_DATA_SMALL
	               ? SIZES_MBUF_DATA_SMALL
	               : SIZES_MBUF_DATA;
}

unsigned sizes_mbuf_bytes(unsigned mbuf_data)
{
	return mbuf_data + SIZES_MBUF_EXTRA;
}

unsigned sizes_piece_mbufs(unsigned mbuf_data)
{
	return SIZES_PIECE_BYTES / sizes_mbuf_bytes(mbuf_data);
}

uint64_t sizes_pool_bytes(const struct sizes_pool *pool)
{
	unsigned mbufs = sizes_pool_mbufs(pool), slots = 1;
	unsigned each = sizes_mbuf_bytes(pool->mbuf_data);

	while (slots < mbufs + 1)
		slots *= 2;
	return (uint64_t)mbufs * each + (uint64_t)slots * SLOT_BYTES +
	       (uint64_t)pool->n_workers * CACHE_BYTES + HEADER_BYTES;
}

unsigned sizes_frame_mbufs(unsigned mtu, unsigned room)
{
	return (mtu + SIZES_FRAME_OVERHEAD + room - 1) / room;
}
