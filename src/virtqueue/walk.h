/* What both directions of both kinds of rings have in common: the next buffer that the guest has
 * made available, where it lies, giving it back as used, and whether the guest wants to be told.
 *
 * `packed` and `logged` are constants wherever these functions are used, so each variant has only
 * its own instructions; what does not depend on them is not asked again for each packet. Workers
 * only, one at a time for each ring.
 */
#ifndef VIRTQUEUE_WALK_H
#define VIRTQUEUE_WALK_H

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_memcpy.h>

#include "virtqueue/chain.h"
#include "virtqueue/descriptor.h"
#include "virtqueue/interrupt.h"
#include "virtqueue/ring.h"

/* DPDK's copy is made for the machine that DPDK was built for, mostly an old one; libc's for the
 * one that it runs on, which pays for its call when there is more to copy than this. */
#define COPY_LONG 128U

static __rte_always_inline void copy_frame(void *to, const void *from, uint32_t length)
{
	if (length <= COPY_LONG)
		rte_memcpy(to, from, length);
	else
		memcpy(to, from, length);
}

struct walk {
	const struct virtqueue_view *view;
	struct virtqueue_position begin, at;
	uint16_t left;        /* split: entries that are available from `at` on */
	uint32_t descriptors; /* walked in this burst, by the slow way */
	enum virtqueue_fault fault;
	const struct memory_region *region; /* that was hit last */
	/* Packed: of the first buffer that was used; the guest sees none before these flags. */
	uint16_t first_flags;
};

static __rte_always_inline void walk_begin(struct walk *walk, const struct virtqueue *virtqueue,
                                           const struct virtqueue_view *view, const bool packed)
{
	const struct memory *memory = view->memory;
	uint32_t region = virtqueue->last_region;

	walk->view = view;
	walk->begin = walk->at = virtqueue->at;
	walk->descriptors = 0;
	walk->fault = FAULT_NONE;
	walk->region = &memory->regions[region < memory->n_regions ? region : 0];
	walk->left = walk->first_flags = 0;
	if (packed)
		return;
	/* Entries and descriptors that the index speaks of are seen after it. */
	walk->left = (uint16_t)(guest_load_16_acquire(&view->avail->idx) - walk->at.index);
	if (unlikely(walk->left > view->size)) {
		walk->left = 0;
		walk->fault = FAULT_AVAIL_INDEX;
	}
}

/* --- what is available -------------------------------------------------------------------------
 */

/* Reads the next buffer's head; *id is what it is given back by, a packed one's is its chain's last
 * descriptor's. false: there is none, or walk->fault. */
static __rte_always_inline bool walk_peek(struct walk *walk, struct descriptor *head, uint16_t *id,
                                          const bool packed)
{
	const struct virtqueue_view *view = walk->view;

	if (packed) {
		*head = descriptor_read_packed(&view->packed[walk->at.index]);
		*id = head->id;
		return descriptor_is_available(head, walk->at.wrap);
	}
	if (walk->left == 0)
		return false;
	uint16_t index =
	        guest_load_16(&view->avail->ring[walk->at.index & (uint16_t)(view->size - 1)]);
	if (unlikely(index >= view->size)) {
		walk->fault = FAULT_HEAD;
		return false;
	}
	*head = descriptor_read_split(&view->split[index]);
	*id = index;
	return true;
}

/* On to the next buffer: past one that has so many descriptors in a packed ring. */
static __rte_always_inline void walk_advance(struct walk *walk, uint16_t ring_entries,
                                             const bool packed)
{
	if (!packed) {
		walk->at.index++;
		walk->left--;
		return;
	}
	walk->at.index = (uint16_t)(walk->at.index + ring_entries);
	if (walk->at.index >= walk->view->size) {
		walk->at.index = (uint16_t)(walk->at.index - walk->view->size);
		walk->at.wrap = !walk->at.wrap;
	}
}

/* Where `length` bytes lie, if all in one region; else NULL, and the slow way finds out. */
static __rte_always_inline uint8_t *walk_resolve(struct walk *walk, uint64_t guest_address,
                                                 uint32_t length)
{
	if (likely(memory_region_room(walk->region, guest_address) >= length))
		return memory_region_at(walk->region, guest_address);

	const struct memory_region *region = memory_find(walk->view->memory, guest_address);
	if (region == NULL || memory_region_room(region, guest_address) < length)
		return NULL;
	walk->region = region;
	return memory_region_at(region, guest_address);
}

/* --- what is used ------------------------------------------------------------------------------
 */

/* Gives the buffer at the present position back, with so many bytes written, and goes on to the
 * next one. The guest learns of it by walk_end. */
static __rte_always_inline void walk_use(struct walk *walk, uint16_t id, uint32_t written,
                                         uint16_t ring_entries, uint16_t direction_flag,
                                         const bool packed)
{
	const struct virtqueue_view *view = walk->view;

	if (packed) {
		struct vring_packed_desc *used = &view->packed[walk->at.index];
		uint16_t flags = walk->at.wrap ? DESCRIPTOR_AVAIL | DESCRIPTOR_USED : 0;

		flags |= direction_flag;
		guest_store_32(&used->len, written);
		guest_store_16(&used->id, id);
		/* Behind the first one the guest does not look before it has seen that. */
		if (walk->at.index == walk->begin.index && walk->at.wrap == walk->begin.wrap)
			walk->first_flags = flags;
		else
			guest_store_16(&used->flags, flags);
	} else {
		struct vring_used_elem *used =
		        &view->used->ring[walk->at.index & (uint16_t)(view->size - 1)];

		guest_store_32(&used->id, id);
		guest_store_32(&used->len, written);
	}
	walk_advance(walk, ring_entries, packed);
}

/* The pages of what walk_end has written. Of a packed ring that is the descriptors themselves. */
static __rte_noinline void walk_log_ring(const struct walk *walk, const bool packed)
{
	const struct virtqueue_view *view = walk->view;
	uint16_t mask = (uint16_t)(view->size - 1);
	uint32_t from = packed ? walk->begin.index : walk->begin.index & mask;
	uint32_t to = packed ? walk->at.index : walk->at.index & mask;
	uint32_t entry = packed ? sizeof(struct vring_packed_desc) : sizeof(struct vring_used_elem);
	uint64_t ring = view->log_ring + (packed ? 0 : offsetof(struct vring_used, ring));

	if (!packed)
		dirty_log_mark(&view->log, view->log_ring, offsetof(struct vring_used, ring));
	if (from < to) {
		dirty_log_mark(&view->log, ring + from * entry, (uint64_t)(to - from) * entry);
		return;
	}
	dirty_log_mark(&view->log, ring + from * entry, (uint64_t)(view->size - from) * entry);
	if (to > 0)
		dirty_log_mark(&view->log, ring, (uint64_t)to * entry);
}

static inline bool walk_has_used(const struct walk *walk)
{
	return walk->at.index != walk->begin.index || walk->at.wrap != walk->begin.wrap;
}

/* Shows the guest all that was used, at once, and finds out whether it wants to be told. A rule
 * that was broken stops the ring, after what came before has been done. */
static __rte_always_inline bool walk_end(struct walk *walk, struct virtqueue *virtqueue,
                                         const bool packed, const bool logged)
{
	const struct virtqueue_view *view = walk->view;

	if (unlikely(walk->fault != FAULT_NONE))
		atomic_store_explicit(&virtqueue->fault, (uint8_t)walk->fault,
		                      memory_order_relaxed);
	if (!walk_has_used(walk))
		return false;
	if (packed)
		guest_store_16_release(&view->packed[walk->begin.index].flags, walk->first_flags);
	else
		guest_store_16_release(&view->used->idx, walk->at.index);
	if (logged)
		walk_log_ring(walk, packed);
	virtqueue->at = walk->at;
	virtqueue->last_region = (uint32_t)(walk->region - view->memory->regions);
	return packed ? interrupt_wanted_packed(virtqueue, view)
	              : interrupt_wanted_split(virtqueue, view);
}

#endif
