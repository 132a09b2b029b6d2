/* A guest that we serve ourselves, made up: one queue pair whose ring lies in this process, with a
 * driver that makes buffers of one descriptor available again between two bursts. It wants no
 * interrupts. And a pool of packet buffers, whose handler is the daemon's.
 */
#ifndef FAKE_RING_H
#define FAKE_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "dpdk/pool_ops.h"
#include "guest/guest_own_queues.h"
#include "guest/offered.h"
#include "virtqueue/descriptor.h"
#include "virtqueue/journal.h"
#include "virtqueue/walkers.h"

#define FAKE_ENTRIES 256U
#define FAKE_BUFFER  2048U /* bytes */
#define FAKE_DATA    0x100000U
#define FAKE_MBUFS   128U

/* One region for all of it. */
struct fake_memory {
	uint8_t buffers[FAKE_ENTRIES][FAKE_BUFFER];
	struct vring_packed_desc descriptors[FAKE_ENTRIES]; /* or split ones */
	uint64_t driver[FAKE_ENTRIES], device[FAKE_ENTRIES];
};

static struct {
	struct own_guest guest;
	struct virtqueue_view view;
	struct memory table;
	struct journal journal;
	struct fake_memory memory;
	struct virtqueue_position next; /* that is made available */
	uint16_t direction;             /* VRING_DESC_F_WRITE or 0 */
	uint32_t length;                /* of a buffer */
} fake_ring __rte_cache_aligned;

static uint64_t fake_ring_address(unsigned entry)
{
	return FAKE_DATA + (uint64_t)entry * FAKE_BUFFER;
}

static void fake_ring_lay_out(void)
{
	struct virtqueue_view *view = &fake_ring.view;

	for (uint16_t i = 0; i < FAKE_ENTRIES; i++) {
		if (view->is_packed)
			continue;
		view->split[i] = (struct vring_desc){.addr = fake_ring_address(i),
		                                     .len = fake_ring.length,
		                                     .flags = fake_ring.direction};
		view->avail->ring[i] = i;
	}
	if (view->is_packed)
		view->driver_event->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
	else
		view->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
}

/* Pair 0's ring of one direction. A frame of `length` bytes is in each buffer that is sent. */
static struct guest *fake_ring_connect(bool packed, bool to_guest, uint32_t length)
{
	unsigned ring = to_guest ? virtqueue_to_guest(0) : virtqueue_from_guest(0);
	struct virtqueue_view *view = &fake_ring.view;
	const struct memory_region region = {.guest_address = FAKE_DATA,
	                                     .size = sizeof(fake_ring.memory),
	                                     .data = fake_ring.memory.buffers[0],
	                                     .front_end_address = FAKE_DATA};

	if (!memory_add(&fake_ring.table, &region))
		return NULL;
	*view = (struct virtqueue_view){.packed = fake_ring.memory.descriptors,
	                                .avail = (void *)fake_ring.memory.driver,
	                                .used = (void *)fake_ring.memory.device,
	                                .size = FAKE_ENTRIES,
	                                .header_size = VIRTQUEUE_HEADER_LONG,
	                                .is_packed = packed,
	                                .mergeable = true,
	                                .indirect = true,
	                                .call_fd = -1,
	                                .memory = &fake_ring.table};
	if (packed)
		view->journal = &fake_ring.journal;
	walkers_choose(view);
	fake_ring.next.wrap = true;
	fake_ring.direction = to_guest ? VRING_DESC_F_WRITE : 0;
	fake_ring.length = to_guest ? FAKE_BUFFER : VIRTQUEUE_HEADER_LONG + length;
	fake_ring_lay_out();
	virtqueue_begin(&fake_ring.guest.virtqueues[ring], fake_ring.next);
	virtqueue_publish(&fake_ring.guest.virtqueues[ring], view);
	atomic_store(&fake_ring.guest.summary.running, UINT64_C(1) << ring);
	atomic_store(&fake_ring.guest.summary.enabled, UINT64_C(1) << ring);
	fake_ring.guest.guest.ops = &guest_own_ops;
	return &fake_ring.guest.guest;
}

/* n buffers more, where those have been used that were made available before. */
static void fake_ring_post(unsigned n)
{
	struct virtqueue_view *view = &fake_ring.view;

	if (!view->is_packed) {
		view->avail->idx = (uint16_t)(view->avail->idx + n);
		return;
	}
	for (; n > 0; n--) {
		uint16_t index = fake_ring.next.index;
		uint16_t flags = fake_ring.next.wrap ? DESCRIPTOR_AVAIL : DESCRIPTOR_USED;

		view->packed[index] =
		        (struct vring_packed_desc){.addr = fake_ring_address(index),
		                                   .len = fake_ring.length,
		                                   .id = index,
		                                   .flags = flags | fake_ring.direction};
		fake_ring.next.index = (uint16_t)((index + 1U) % FAKE_ENTRIES);
		if (fake_ring.next.index == 0)
			fake_ring.next.wrap = !fake_ring.next.wrap;
	}
}

/* --- packet buffers -------------------------------------------------------------------------- */

static struct rte_mempool *fake_pool_new(void)
{
	size_t size = sizeof(struct rte_mempool) + sizeof(struct rte_pktmbuf_pool_private);
	struct rte_mempool *pool = calloc(1, RTE_ALIGN_CEIL(size, RTE_CACHE_LINE_SIZE));
	uint8_t *mbufs = calloc(FAKE_MBUFS, sizeof(struct rte_mbuf) + FAKE_BUFFER);

	if (pool == NULL || mbufs == NULL)
		return NULL;
	RTE_PER_LCORE(_lcore_id) = 1; /* not the main one, which has no cache */
	snprintf(pool->name, sizeof(pool->name), "fake");
	pool->size = FAKE_MBUFS;
	pool->private_data_size = sizeof(struct rte_pktmbuf_pool_private);
	((struct rte_pktmbuf_pool_private *)rte_mempool_get_priv(pool))->mbuf_data_room_size =
	        FAKE_BUFFER;
	if (rte_mempool_set_ops_byname(pool, pool_ops_name, NULL) < 0 ||
	    rte_mempool_get_ops(pool->ops_index)->alloc(pool) < 0)
		return NULL;
	for (unsigned i = 0; i < FAKE_MBUFS; i++) {
		struct rte_mbuf *mbuf =
		        (void *)(mbufs + i * (sizeof(struct rte_mbuf) + FAKE_BUFFER));

		mbuf->buf_addr = mbuf + 1;
		mbuf->buf_len = FAKE_BUFFER;
		mbuf->pool = pool;
		mbuf->nb_segs = 1;
		rte_mbuf_refcnt_set(mbuf, 1);
		rte_mempool_put(pool, mbuf);
	}
	return pool;
}

/* As one who frees them does, but not one of ours: not counted. */
static void fake_pool_take_back(struct rte_mbuf **pkts, unsigned n)
{
	if (n > 0 && pkts[0]->pool != NULL)
		rte_mempool_put_bulk(pkts[0]->pool, (void **)pkts, n);
}

/* DPDK's memory without EAL. */
void *__wrap_rte_zmalloc_socket(const char *type, size_t size, unsigned align, int node);
void *__wrap_rte_zmalloc_socket(const char *type, size_t size, unsigned align, int node)
{
	void *memory = aligned_alloc(align, RTE_ALIGN_CEIL(size, align));

	(void)type;
	(void)node;
	return memory != NULL ? memset(memory, 0, size) : NULL;
}

#endif
