/* A ring as a session makes it, of which places.c proves that its areas are in its memory: here
 * each is an object of its own, as long as it has to be and no longer. The memory is two regions
 * anywhere in the guest's address space, as memory.c proves that they are.
 *
 * The ring has up to RING entries, and regions are as long as they like. With SMALL, it has RING of
 * them, and regions have a few bytes: a walker's proof has no end otherwise.
 */
#ifndef ANY_VIEW_H
#define ANY_VIEW_H

#include "prove.h"
#include "virtqueue/ring.h"

#ifdef SMALL
#define LOW_BYTES   32
#define HIGH_BYTES  24
#define RING_OF(up) (up)
#else
#define REGION_BYTES_MAX (UINT64_C(1) << 44)
#define RING_OF(up)      ((uint16_t)(1 + any_up_to((up)-1)))
#endif

static struct memory any_memory;

static inline void any_region(struct memory_region *region)
{
	region->guest_address = nondet_uint64_t();
	region->front_end_address = nondet_uint64_t();
	assume(region->guest_address <= UINT64_MAX - (region->size - 1));
	assume(region->front_end_address <= UINT64_MAX - (region->size - 1));
}

#ifdef SMALL
static inline void any_sizes(struct memory_region *regions)
{
	static uint8_t low[LOW_BYTES], high[HIGH_BYTES];

	regions[0].size = sizeof(low);
	regions[0].data = low;
	regions[1].size = sizeof(high);
	regions[1].data = high;
}
#else
static inline void any_sizes(struct memory_region *regions)
{
	for (unsigned i = 0; i < 2; i++) {
		regions[i].size = nondet_uint64_t();
		assume(regions[i].size > 0 && regions[i].size <= REGION_BYTES_MAX);
		regions[i].data = any_bytes(regions[i].size);
	}
}
#endif

static inline void any_memory_make(void)
{
	struct memory_region *regions = any_memory.regions;

	any_sizes(regions);
	any_region(&regions[0]);
	any_region(&regions[1]);
	assume(regions[0].guest_address < regions[1].guest_address &&
	       regions[1].guest_address - regions[0].guest_address >= regions[0].size);
	any_memory.n_regions = 2;
}

static inline void any_areas(struct virtqueue_view *view)
{
	size_t size = view->size, behind = view->event_idx ? sizeof(uint16_t) : 0;

	if (PACKED) {
		view->packed = any_bytes(size * sizeof(*view->packed));
		view->driver_event = any_bytes(sizeof(*view->driver_event));
		view->device_event = any_bytes(sizeof(*view->device_event));
		return;
	}
	assume((size & (size - 1)) == 0);
	view->split = any_bytes(size * sizeof(*view->split));
	view->avail = any_bytes(sizeof(*view->avail) + size * sizeof(uint16_t) + behind);
	view->used =
	        any_bytes(sizeof(*view->used) + size * sizeof(struct vring_used_elem) + behind);
}

static inline void any_view(struct virtqueue_view *view)
{
	any_memory_make();
	*view = (struct virtqueue_view){.memory = &any_memory, .is_packed = PACKED};
	view->mergeable = nondet_bool();
	view->indirect = nondet_bool();
	view->event_idx = nondet_bool();
	view->header_size = view->is_packed || view->mergeable || nondet_bool()
	                            ? VIRTQUEUE_HEADER_LONG
	                            : VIRTQUEUE_HEADER_SHORT;
	view->size = RING_OF(RING);
	view->log_ring = nondet_uint64_t();
	view->log_event = nondet_uint64_t();
	any_areas(view);
}

static inline bool position_is_valid(const struct virtqueue_view *view,
                                     struct virtqueue_position at)
{
	return !view->is_packed || at.index < view->size;
}

static inline struct virtqueue_position any_position(const struct virtqueue_view *view)
{
	struct virtqueue_position at = {.index = nondet_uint16_t(), .wrap = nondet_bool()};

	assume(position_is_valid(view, at));
	return at;
}

#endif
