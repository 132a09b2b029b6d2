/* A guest's memory: regions of its address space that are mapped into ours. A table of them is
 * immutable once a ring has seen it; workers read it, whoever made it frees it after a grace
 * period.
 *
 * Addresses and lengths come from the guest, so nothing here overflows, whatever they are.
 */
#ifndef VIRTQUEUE_MEMORY_H
#define VIRTQUEUE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#define MEMORY_REGIONS_MAX 32 /* as many as are announced as memory slots */

/* size > 0, and neither address wraps around with it. */
struct memory_region {
	uint64_t guest_address;     /* guest physical */
	uint64_t size;              /* bytes */
	uint8_t *data;              /* [size], in our address space */
	uint64_t front_end_address; /* in the front end's; rings' places are given by it */
};

/* Regions do not overlap, in neither of the two address spaces. */
struct memory {
	uint32_t n_regions;
	struct memory_region regions[MEMORY_REGIONS_MAX]; /* [n_regions], by guest_address */
};

/* Adds a region to a table that nobody uses yet. false when there is no room, it is empty, wraps
 * around or overlaps another. */
bool memory_add(struct memory *memory, const struct memory_region *region);

/* The region that has guest_address, NULL = none. */
const struct memory_region *memory_find(const struct memory *memory, uint64_t guest_address);

/* Where in our memory `size` bytes lie that the front end calls front_end_address: all in one
 * region, and aligned to `alignment` (a power of two) in its address space and in ours. NULL = not
 * so. */
uint8_t *memory_of_front_end(const struct memory *memory, uint64_t front_end_address, uint64_t size,
                             uint64_t alignment, uint64_t *guest_address);

/* Whether the region has the first byte, and how many from there on; 0 = not one. */
static inline uint64_t memory_region_room(const struct memory_region *region,
                                          uint64_t guest_address)
{
	uint64_t offset = guest_address - region->guest_address;

	return offset < region->size ? region->size - offset : 0;
}

static inline uint8_t *memory_region_at(const struct memory_region *region, uint64_t guest_address)
{
	return region->data + (guest_address - region->guest_address);
}

/* The `size` bytes (some, and few) from guest_address on, which may lie across regions that are
 * neighbours. Returns false when not all of them are there. */
bool memory_read(const struct memory *memory, uint64_t guest_address, void *to, uint16_t size);

#endif
