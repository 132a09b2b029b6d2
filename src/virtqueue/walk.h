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
#include "virtqueue/journal.h"
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
	/* Packed: second word of the first buffer that was used; the guest sees none before it. */
	uint64_t first_used;
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
	walk->left = 0;
	walk->first_used = 0;
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

/* Buffers that are looked at without minding where the ring ends: of a packed one whose descriptors
 * stand alone; of a split one, whose index comes around by itself. All that does not change on the
 * way is here, where a compiler knows that what is written meanwhile is elsewhere. */
struct stretch {
	uint16_t n; /* buffers at most */
	/* Packed: */
	const struct vring_packed_desc *packed; /* [n] */
	uint16_t available;                     /* flags of what is */
	/* Split: */
	const struct vring_desc *split; /* [size] */
	const uint16_t *avail;          /* [size] */
	uint16_t size, index;
};

static __rte_always_inline struct stretch walk_stretch(const struct walk *walk, uint16_t n,
                                                       const bool packed)
{
	const struct virtqueue_view *view = walk->view;

	if (packed)
		return (struct stretch){.n = RTE_MIN(n, (uint16_t)(view->size - walk->at.index)),
		                        .packed = &view->packed[walk->at.index],
		                        .available =
		                                walk->at.wrap ? DESCRIPTOR_AVAIL : DESCRIPTOR_USED};
	return (struct stretch){.n = RTE_MIN(n, walk->left),
	                        .split = view->split,
	                        .avail = view->avail->ring,
	                        .size = view->size,
	                        .index = walk->at.index};
}

enum walk_found { FOUND_LONE, FOUND_OTHER, FOUND_NOTHING };

/* The stretch's i-th buffer. FOUND_LONE: it is one descriptor that is to be read or written
 * (direction_flag), and *head has all but its flags. FOUND_NOTHING: there is none, or it has a
 * *fault. */
static __rte_always_inline enum walk_found
stretch_find(const struct stretch *stretch, uint16_t i, uint16_t direction_flag,
             struct descriptor *head, enum virtqueue_fault *fault, const bool packed)
{
	const uint16_t kind = VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE;
	const uint16_t both = DESCRIPTOR_AVAIL | DESCRIPTOR_USED;

	if (packed) {
		*head = descriptor_read_packed(&stretch->packed[i]);
		if (likely((head->flags & (both | kind)) == (stretch->available | direction_flag)))
			return FOUND_LONE;
		return (head->flags & both) == stretch->available ? FOUND_OTHER : FOUND_NOTHING;
	}
	uint16_t at = (uint16_t)(stretch->index + i) & (uint16_t)(stretch->size - 1);
	uint16_t index = guest_load_16(&stretch->avail[at]);

	if (unlikely(index >= stretch->size)) {
		*fault = FAULT_HEAD;
		return FOUND_NOTHING;
	}
	*head = descriptor_read_split(&stretch->split[index]);
	head->id = index;
	return likely((head->flags & kind) == direction_flag) ? FOUND_LONE : FOUND_OTHER;
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

/* The region that has all of `length` bytes, NULL = none. */
static __rte_noinline const struct memory_region *
walk_find_region(const struct memory *memory, uint64_t guest_address, uint32_t length)
{
	const struct memory_region *region = memory_find(memory, guest_address);

	if (region == NULL || memory_region_room(region, guest_address) < length)
		return NULL;
	return region;
}

/* Where `length` bytes lie, if all in one region; else NULL, and the slow way finds out. *region is
 * the one that was hit last. */
static __rte_always_inline uint8_t *walk_resolve(const struct memory *memory,
                                                 const struct memory_region **region,
                                                 uint64_t guest_address, uint32_t length)
{
	uint64_t offset = guest_address - (*region)->guest_address;

	if (likely(offset < (*region)->size && (*region)->size - offset >= length))
		return (*region)->data + offset;

	const struct memory_region *other = walk_find_region(memory, guest_address, length);
	if (other == NULL)
		return NULL;
	*region = other;
	return memory_region_at(other, guest_address);
}

/* --- what is used ------------------------------------------------------------------------------
 */

static inline bool walk_has_used(const struct walk *walk)
{
	return walk->at.index != walk->begin.index || walk->at.wrap != walk->begin.wrap;
}

/* The flags of used buffers of this round; direction_flag says whether they were written to. */
static inline uint16_t walk_used_flags(const struct walk *walk, uint16_t direction_flag)
{
	return direction_flag | (walk->at.wrap ? DESCRIPTOR_AVAIL | DESCRIPTOR_USED : 0);
}

static inline uint64_t *walk_used_word(const struct walk *walk, uint16_t index)
{
	return (uint64_t *)(void *)&walk->view->packed[index] + 1;
}

/* Of descriptors behind the burst's first one. */
static inline void walk_note(const struct walk *walk, uint16_t index, uint16_t n)
{
	struct journal *journal = walk->view->journal;

	if (journal != NULL)
		journal_note(journal, walk->view->packed, index, n);
}

/* Whether another frame may follow in this burst. */
static __rte_always_inline bool walk_goes_on(const struct walk *walk, const bool packed)
{
	const struct journal *journal = walk->view->journal;

	return walk->descriptors < VIRTQUEUE_BURST_DESCRIPTORS &&
	       (!packed || journal == NULL || journal->n < JOURNAL_FULL);
}

static inline void walk_store_used_split(struct vring_used_elem *used, uint16_t id,
                                         uint32_t written)
{
	guest_store_32(&used->id, id);
	guest_store_32(&used->len, written);
}

/* Gives the buffer at the present position back, with so many bytes written, and goes on to the
 * next one. The guest learns of it by walk_end: behind the first one of a burst it does not look
 * before it has seen that. */
static __rte_always_inline void walk_use(struct walk *walk, uint16_t id, uint32_t written,
                                         uint16_t ring_entries, uint16_t direction_flag,
                                         const bool packed)
{
	if (packed) {
		uint64_t used =
		        descriptor_packed_word(written, id, walk_used_flags(walk, direction_flag));

		if (walk_has_used(walk)) {
			walk_note(walk, walk->at.index, 1);
			guest_store_64(walk_used_word(walk, walk->at.index), used);
		} else {
			walk->first_used = used;
		}
	} else {
		uint16_t at = walk->at.index & (uint16_t)(walk->view->size - 1);

		walk_store_used_split(&walk->view->used->ring[at], id, written);
	}
	walk_advance(walk, ring_entries, packed);
}

/* The same for the n buffers of a stretch, of one descriptor each. */
static __rte_always_inline void walk_use_stretch(struct walk *walk, const uint16_t *id,
                                                 const uint32_t *written, uint16_t n,
                                                 uint16_t direction_flag, const bool packed)
{
	uint16_t i = 0, index = walk->at.index, mask = (uint16_t)(walk->view->size - 1);

	if (n == 0)
		return;
	if (packed) {
		uint16_t flags = walk_used_flags(walk, direction_flag);
		uint64_t *used = walk_used_word(walk, index);

		if (!walk_has_used(walk)) {
			walk->first_used = descriptor_packed_word(written[0], id[0], flags);
			i = 1;
		}
		walk_note(walk, (uint16_t)(index + i), (uint16_t)(n - i));
		for (; i < n; i++)
			guest_store_64(&used[2 * i],
			               descriptor_packed_word(written[i], id[i], flags));
		walk_advance(walk, n, packed);
		return;
	}
	struct vring_used_elem *used = walk->view->used->ring;

	for (; i < n; i++)
		walk_store_used_split(&used[(index + i) & mask], id[i], written[i]);
	walk->at.index = (uint16_t)(index + n);
	walk->left = (uint16_t)(walk->left - n);
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

static __rte_always_inline void walk_show_packed(const struct walk *walk)
{
	struct journal *journal = walk->view->journal;

	if (journal != NULL)
		journal_show(journal, walk->at);
	guest_store_64_release(walk_used_word(walk, walk->begin.index), walk->first_used);
	if (journal != NULL)
		journal_shown(journal);
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
		walk_show_packed(walk);
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
