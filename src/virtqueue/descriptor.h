/* Descriptors of both kinds of rings, read from a guest's memory in one go.
 */
#ifndef VIRTQUEUE_DESCRIPTOR_H
#define VIRTQUEUE_DESCRIPTOR_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtqueue/guest_word.h"

/* Of packed descriptors; the kernel's header numbers the bits. */
#define DESCRIPTOR_AVAIL (1U << VRING_PACKED_DESC_F_AVAIL)
#define DESCRIPTOR_USED  (1U << VRING_PACKED_DESC_F_USED)

struct descriptor {
	uint64_t address; /* guest physical */
	uint32_t length;  /* bytes */
	uint16_t flags;   /* VRING_DESC_F_…, and DESCRIPTOR_… of a packed one */
	uint16_t id; /* split, and in its indirect tables: the next one; packed: the buffer's */
};

/* Both kinds are two words of 64 bits, the second of which differs. */
_Static_assert(sizeof(struct vring_desc) == 16 && sizeof(struct vring_packed_desc) == 16,
               "descriptors are so long");
_Static_assert(offsetof(struct vring_desc, flags) == 12 && offsetof(struct vring_desc, next) == 14,
               "virtio 1.2, 2.7.5");
_Static_assert(offsetof(struct vring_packed_desc, id) == 12 &&
                       offsetof(struct vring_packed_desc, flags) == 14,
               "virtio 1.2, 2.8.13");

/* Where the flags of a ring's packed descriptor are, in words of 16 bits. */
static inline uint32_t descriptor_flags_at(uint16_t index)
{
	return (uint32_t)((index * sizeof(struct vring_packed_desc) +
	                   offsetof(struct vring_packed_desc, flags)) /
	                  sizeof(uint16_t));
}

static inline struct descriptor descriptor_of_words(uint64_t address, uint64_t rest, bool packed)
{
	uint16_t low = (uint16_t)(rest >> 32), high = (uint16_t)(rest >> 48);

	return (struct descriptor){.address = address,
	                           .length = (uint32_t)rest,
	                           .flags = packed ? high : low,
	                           .id = packed ? low : high};
}

/* The second word of a packed descriptor. */
static inline uint64_t descriptor_packed_word(uint32_t length, uint16_t id, uint16_t flags)
{
	return (uint64_t)flags << 48 | (uint64_t)id << 32 | length;
}

static inline struct descriptor descriptor_read_split(const struct vring_desc *at)
{
	const uint64_t *words = (const uint64_t *)at;

	return descriptor_of_words(guest_load_64(&words[0]), guest_load_64(&words[1]), false);
}

/* What the guest has written before the flags is seen after them. */
static inline struct descriptor descriptor_read_packed(const struct vring_packed_desc *at)
{
	const uint64_t *words = (const uint64_t *)at;
	uint64_t rest = guest_load_64_acquire(&words[1]);

	return descriptor_of_words(guest_load_64(&words[0]), rest, true);
}

/* Whether a packed descriptor has been made available in the round of that wrap counter and not
 * been used since (virtio 1.2, 2.8.1). */
static inline bool descriptor_is_available(const struct descriptor *descriptor, bool wrap)
{
	return (descriptor->flags & (DESCRIPTOR_AVAIL | DESCRIPTOR_USED)) ==
	       (wrap ? DESCRIPTOR_AVAIL : DESCRIPTOR_USED);
}

#endif
