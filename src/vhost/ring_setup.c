/* See ring_setup.h. */
#include "vhost/ring_setup.h"

#include <errno.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "virtqueue/guest_word.h"
#include "virtqueue/walkers.h"

#define WRAP_BIT  0x8000U /* of half of a packed ring's base */
#define INDEX_OF  0x7fffU
#define HALF_BITS 16

static bool has(uint64_t features, unsigned bit)
{
	return (features >> bit & 1) != 0;
}

/* Places of a ring in the guest's memory, and in ours. */
struct area {
	uint8_t *data;
	uint64_t guest_address;
};

static bool area_find(struct area *area, const struct ring_terms *terms, uint64_t address,
                      uint64_t size, uint64_t alignment)
{
	area->data =
	        memory_of_front_end(terms->memory, address, size, alignment, &area->guest_address);
	return area->data != NULL;
}

/* Sizes and alignments: virtio 1.2, 2.7 (split) and 2.8.10.1 (packed). What comes behind the ring
 * of a split one's areas is there with event indices only. */
static bool areas_find(struct area areas[3], const struct ring_setup *ring,
                       const struct ring_terms *terms, const struct virtqueue_view *view)
{
	const struct message_ring_addresses *told = &ring->addresses;
	uint64_t num = ring->num, behind = view->event_idx ? sizeof(uint16_t) : 0;

	if (view->is_packed)
		return area_find(&areas[0], terms, told->descriptors,
		                 num * sizeof(struct vring_packed_desc), 16) &&
		       area_find(&areas[1], terms, told->avail,
		                 sizeof(struct vring_packed_desc_event), 4) &&
		       area_find(&areas[2], terms, told->used,
		                 sizeof(struct vring_packed_desc_event), 4);
	return area_find(&areas[0], terms, told->descriptors, num * sizeof(struct vring_desc),
	                 16) &&
	       area_find(&areas[1], terms, told->avail,
	                 sizeof(struct vring_avail) + num * sizeof(uint16_t) + behind, 2) &&
	       area_find(&areas[2], terms, told->used,
	                 sizeof(struct vring_used) + num * sizeof(struct vring_used_elem) + behind,
	                 4);
}

static void view_set_terms(struct virtqueue_view *view, const struct ring_terms *terms)
{
	uint64_t features = terms->features;

	view->is_packed = has(features, VIRTIO_F_RING_PACKED);
	view->mergeable = has(features, VIRTIO_NET_F_MRG_RXBUF);
	view->indirect = has(features, VIRTIO_RING_F_INDIRECT_DESC);
	view->event_idx = has(features, VIRTIO_RING_F_EVENT_IDX);
	view->headers = has(features, VIRTIO_NET_F_CSUM); /* whatever else they ask for needs it */
	view->vouched = has(features, VIRTIO_NET_F_GUEST_CSUM);
	view->features = features;
	view->header_size = view->is_packed || view->mergeable || has(features, VIRTIO_F_VERSION_1)
	                            ? VIRTQUEUE_HEADER_LONG
	                            : VIRTQUEUE_HEADER_SHORT;
	view->memory = terms->memory;
	if (has(features, VHOST_F_LOG_ALL))
		view->log = terms->log;
}

/* What is logged of a ring. The address that the front end gives is that of the used ring, and of a
 * packed one the event area's alone: the descriptors, which we write too, have their own. Without
 * one (flags), the place itself is the address: a page too many in the log harms nobody. */
static void view_set_logged(struct virtqueue_view *view, const struct ring_setup *ring,
                            const struct area areas[3])
{
	uint64_t used = (ring->addresses.flags & MESSAGE_RING_LOGGED) != 0 ? ring->addresses.log
	                                                                   : areas[2].guest_address;

	view->log_ring = view->is_packed ? areas[0].guest_address : used;
	view->log_event = used;
}

int ring_view_make(struct virtqueue_view *view, unsigned index, const struct ring_setup *ring,
                   const struct ring_terms *terms, int call_fd, struct error *err)
{
	struct area areas[3];

	memset(view, 0, sizeof(*view));
	if (ring->num == 0 || !ring->has_addresses || terms->memory == NULL)
		return error_set(err, EINVAL, "started the virtqueue %u without its %s", index,
		                 ring->num == 0         ? "size"
		                 : !ring->has_addresses ? "addresses"
		                                        : "memory");
	view_set_terms(view, terms);
	if (!view->is_packed && (ring->num & (ring->num - 1)) != 0)
		return error_set(err, EINVAL,
		                 "sent a split virtqueue %u of %u entries, which is no power of "
		                 "two",
		                 index, ring->num);
	if (!areas_find(areas, ring, terms, view))
		return error_set(err, EINVAL,
		                 "sent a virtqueue %u (of %u entries) that lies outside the "
		                 "guest's memory, or not aligned",
		                 index, ring->num);
	view->size = (uint16_t)ring->num;
	view->split = (struct vring_desc *)(void *)areas[0].data;
	view->avail = (struct vring_avail *)(void *)areas[1].data;
	view->used = (struct vring_used *)(void *)areas[2].data;
	view->call_fd = call_fd;
	view_set_logged(view, ring, areas);
	walkers_choose(view);
	return 0;
}

/* Of a packed ring both halves are the same in all that is served in order. Where they differ, what
 * lies between was never used, so the walk begins at the upper one. Several back ends fill in the
 * lower one only. */
static int packed_base(struct virtqueue_position *at, unsigned index, const struct ring_setup *ring,
                       struct error *err)
{
	uint32_t base = ring->has_base ? ring->base : WRAP_BIT;
	uint32_t avail = base & UINT16_MAX;
	uint32_t used = base >> HALF_BITS != 0 ? base >> HALF_BITS : avail;

	if ((avail & INDEX_OF) >= ring->num || (used & INDEX_OF) >= ring->num)
		return error_set(err, EINVAL,
		                 "sent 0x%x as the base of a virtqueue %u of %u entries", base,
		                 index, ring->num);
	at->index = (uint16_t)(used & INDEX_OF);
	at->wrap = (used & WRAP_BIT) != 0;
	return 0;
}

int ring_base_at_start(struct virtqueue_position *at, unsigned index, const struct ring_setup *ring,
                       const struct virtqueue_view *view, struct error *err)
{
	*at = (struct virtqueue_position){0};
	if (view->is_packed)
		return packed_base(at, index, ring, err);
	at->index = guest_load_16(&view->used->idx);
	return 0;
}

uint32_t ring_base_of(struct virtqueue_position at, bool is_packed)
{
	uint32_t half = at.index | (at.wrap ? WRAP_BIT : 0);

	return is_packed ? half | half << HALF_BITS : at.index;
}

bool ring_places_equal(const struct message_ring_addresses *a,
                       const struct message_ring_addresses *b)
{
	return a->descriptors == b->descriptors && a->used == b->used && a->avail == b->avail;
}
