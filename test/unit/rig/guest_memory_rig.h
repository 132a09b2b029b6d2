/* What tests of virtqueues, and their fuzz targets, need around a ring, without EAL and without
 * libcheck: a guest's memory, in which each region lies between pages that nobody may touch; a
 * migration's log, likewise; and a pool of packet buffers, each of which is an allocation of its
 * own, so that address sanitizers see its ends.
 */
#ifndef GUEST_MEMORY_RIG_H
#define GUEST_MEMORY_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "virtqueue/dirty_log.h"
#include "virtqueue/memory.h"

/* An assertion for what runs a million times, and where there is no libcheck. */
#define rig_expect(condition)                                                           \
	do {                                                                            \
		if (__builtin_expect(!(condition), 0)) {                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

#define RIG_PAGE 4096U
/* What a front end adds to a guest's addresses. */
#define RIG_FRONT_END 0x7f0000000000U
/* What memory holds before anybody writes to it. */
#define RIG_FILL 0xee

/* Repeatable everywhere. */
static inline uint32_t rig_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33);
}

/* --- memory ---------------------------------------------------------------------------------- */

/* size: bytes, whole pages. A child of ours sees the same. */
static inline uint8_t *rig_map(uint64_t size)
{
	uint8_t *at =
	        mmap(NULL, size + 2UL * RIG_PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	rig_expect(at != MAP_FAILED);
	rig_expect(mprotect(at + RIG_PAGE, size, PROT_READ | PROT_WRITE) == 0);
	return at + RIG_PAGE;
}

static inline void rig_unmap(uint8_t *at, uint64_t size)
{
	rig_expect(munmap(at - RIG_PAGE, size + 2UL * RIG_PAGE) == 0);
}

/* size: whole pages; so that what lies at the region's end has nothing behind it. */
static inline void rig_region_add(struct memory *memory, uint64_t guest_address, uint64_t size)
{
	struct memory_region region = {.guest_address = guest_address,
	                               .size = size,
	                               .data = rig_map(size),
	                               .front_end_address = guest_address + RIG_FRONT_END};

	memset(region.data, RIG_FILL, size);
	rig_expect(memory_add(memory, &region));
}

static inline void rig_memory_free(struct memory *memory)
{
	for (uint32_t i = 0; i < memory->n_regions; i++)
		rig_unmap(memory->regions[i].data, memory->regions[i].size);
	memory->n_regions = 0;
}

/* The same bytes at the same guest addresses, elsewhere in ours. */
static inline void rig_memory_copy(struct memory *to, const struct memory *from)
{
	*to = *from;
	for (uint32_t i = 0; i < from->n_regions; i++) {
		to->regions[i].data = rig_map(from->regions[i].size);
		memcpy(to->regions[i].data, from->regions[i].data, from->regions[i].size);
	}
}

static inline bool rig_memory_equal(const struct memory *a, const struct memory *b)
{
	for (uint32_t i = 0; i < a->n_regions; i++)
		if (memcmp(a->regions[i].data, b->regions[i].data, a->regions[i].size) != 0)
			return false;
	return true;
}

/* Knows nothing of the functions under test. */
static inline uint8_t *rig_at(const struct memory *memory, uint64_t guest_address)
{
	for (uint32_t i = 0; i < memory->n_regions; i++) {
		const struct memory_region *region = &memory->regions[i];

		if (guest_address >= region->guest_address &&
		    guest_address - region->guest_address < region->size)
			return &region->data[guest_address - region->guest_address];
	}
	rig_expect(!"an address of the test's own is outside the guest's memory");
	return NULL;
}

static inline void rig_write(const struct memory *memory, uint64_t guest_address, const void *bytes,
                             uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		*rig_at(memory, guest_address + i) = ((const uint8_t *)bytes)[i];
}

static inline void rig_read(const struct memory *memory, uint64_t guest_address, void *bytes,
                            uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		((uint8_t *)bytes)[i] = *rig_at(memory, guest_address + i);
}

/* --- the log of written pages ---------------------------------------------------------------- */

/* bytes: any number > 0; the log ends where nobody may write. */
static inline struct dirty_log rig_log_open(uint64_t bytes)
{
	uint64_t whole = (bytes + RIG_PAGE - 1) / RIG_PAGE * RIG_PAGE;

	return (struct dirty_log){.bits = rig_map(whole) + (whole - bytes), .size = bytes};
}

static inline void rig_log_close(struct dirty_log *log)
{
	uint64_t whole = (log->size + RIG_PAGE - 1) / RIG_PAGE * RIG_PAGE;

	rig_unmap(log->bits - (whole - log->size), whole);
	*log = (struct dirty_log){0};
}

static inline bool rig_log_has(const struct dirty_log *log, uint64_t guest_address)
{
	uint64_t page = guest_address / RIG_PAGE;

	return page / 8 < log->size && (log->bits[page / 8] >> page % 8 & 1) != 0;
}

/* Whatever page has changed since `before` and has a bit, has it set. */
static inline void rig_log_expect_changes(const struct dirty_log *log, const struct memory *now,
                                          const struct memory *before)
{
	for (uint32_t i = 0; i < now->n_regions; i++) {
		const struct memory_region *region = &now->regions[i];

		for (uint64_t at = 0; at < region->size; at += RIG_PAGE) {
			uint64_t address = region->guest_address + at;

			if (memcmp(region->data + at, before->regions[i].data + at, RIG_PAGE) != 0)
				rig_expect(rig_log_has(log, address) ||
				           address / RIG_PAGE / 8 >= log->size);
		}
	}
}

/* --- packet buffers -------------------------------------------------------------------------- */

struct rig_pool {
	struct rte_mempool *pool; /* with what mbufs want to know behind it */
	struct rte_mbuf **free;   /* [n] */
	unsigned n, n_free;
};

static inline int rig_pool_enqueue(struct rte_mempool *mp, void *const *objects, unsigned n)
{
	struct rig_pool *pool = mp->pool_config;

	rig_expect(pool->n_free + n <= pool->n);
	for (unsigned i = 0; i < n; i++)
		pool->free[pool->n_free++] = objects[i];
	return 0;
}

static inline int rig_pool_dequeue(struct rte_mempool *mp, void **objects, unsigned n)
{
	struct rig_pool *pool = mp->pool_config;

	if (n > pool->n_free)
		return -ENOBUFS;
	for (unsigned i = 0; i < n; i++)
		objects[i] = pool->free[--pool->n_free];
	return 0;
}

static inline unsigned rig_pool_count(const struct rte_mempool *mp)
{
	return ((const struct rig_pool *)mp->pool_config)->n_free;
}

static inline int rig_pool_alloc(struct rte_mempool *mp)
{
	(void)mp;
	return 0;
}

/* DPDK knows pools by numbers in a table of its own. */
static inline int rig_pool_ops(void)
{
	static const struct rte_mempool_ops ops = {.name = "rig",
	                                           .alloc = rig_pool_alloc,
	                                           .enqueue = rig_pool_enqueue,
	                                           .dequeue = rig_pool_dequeue,
	                                           .get_count = rig_pool_count};
	static int index = -1;

	if (index < 0)
		index = rte_mempool_register_ops(&ops);
	rig_expect(index >= 0);
	return index;
}

static inline struct rte_mbuf *rig_mbuf_new(struct rte_mempool *mp, uint16_t data_room)
{
	uint32_t size = sizeof(struct rte_mbuf) + data_room;
	struct rte_mbuf *mbuf = aligned_alloc(RTE_CACHE_LINE_SIZE,
	                                      RTE_ALIGN_CEIL(size, (uint32_t)RTE_CACHE_LINE_SIZE));

	rig_expect(mbuf != NULL);
	memset(mbuf, 0, sizeof(*mbuf));
	mbuf->buf_addr = mbuf + 1;
	mbuf->buf_len = data_room;
	mbuf->pool = mp;
	mbuf->nb_segs = 1;
	rte_mbuf_refcnt_set(mbuf, 1);
	return mbuf;
}

/* n buffers, in each of which there is room for data_room bytes behind the headroom. */
static inline struct rig_pool *rig_pool_open(unsigned n, uint16_t data_room)
{
	struct rig_pool *pool = calloc(1, sizeof(*pool));
	uint32_t size = sizeof(struct rte_mempool) + sizeof(struct rte_pktmbuf_pool_private);
	struct rte_mempool *mp = aligned_alloc(RTE_CACHE_LINE_SIZE,
	                                       RTE_ALIGN_CEIL(size, (uint32_t)RTE_CACHE_LINE_SIZE));
	struct rte_pktmbuf_pool_private *private;

	rig_expect(pool != NULL && mp != NULL);
	memset(mp, 0, size);
	pool->free = calloc(n, sizeof(pool->free[0]));
	rig_expect(pool->free != NULL);
	pool->n = pool->n_free = n;
	pool->pool = mp;
	mp->pool_config = pool;
	mp->ops_index = rig_pool_ops();
	mp->private_data_size = sizeof(*private);
	private = rte_mempool_get_priv(mp);
	private->mbuf_data_room_size = (uint16_t)(data_room + RTE_PKTMBUF_HEADROOM);
	for (unsigned i = 0; i < n; i++)
		pool->free[i] = rig_mbuf_new(mp, private->mbuf_data_room_size);
	return pool;
}

/* All have to be back. */
static inline void rig_pool_close(struct rig_pool *pool)
{
	rig_expect(pool->n_free == pool->n);
	for (unsigned i = 0; i < pool->n; i++)
		free(pool->free[i]);
	free(pool->free);
	free(pool->pool);
	free(pool);
}

/* --- frames ---------------------------------------------------------------------------------- */

/* What stands in frames: none looks like another, or like itself from elsewhere. */
static inline uint8_t rig_frame_byte(uint32_t number, uint32_t at)
{
	return (uint8_t)((number * 31 + at * 7 + (at >> 8) * 13) % 251 + 1);
}

/* A frame in mbufs of at most `segment` bytes each (> 0), and as many as it takes. An empty
 * one before the last, if any, is part of it where `gap` says so. */
static inline struct rte_mbuf *rig_frame_new(struct rig_pool *pool, uint32_t number,
                                             uint32_t length, uint16_t segment, bool gap)
{
	struct rte_mbuf *first = rte_pktmbuf_alloc(pool->pool), *last = first;

	rig_expect(first != NULL);
	for (uint32_t at = 0; at < length;) {
		uint16_t n = (uint16_t)RTE_MIN(length - at, (uint32_t)segment);

		if (at > 0 || (gap && length > 1)) {
			last->next = rte_pktmbuf_alloc(pool->pool);
			rig_expect(last->next != NULL);
			last = last->next;
			first->nb_segs++;
		}
		rig_expect(n <= rte_pktmbuf_tailroom(last));
		for (uint16_t i = 0; i < n; i++)
			rte_pktmbuf_mtod(last, uint8_t *)[i] = rig_frame_byte(number, at + i);
		last->data_len = n;
		at += n;
	}
	first->pkt_len = length;
	return first;
}

#endif
