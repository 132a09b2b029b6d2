/* Proves of src/vhost/ring_setup.c: the view of a ring that a session makes of what any front end
 * has said, with any features and two regions anywhere. Its areas are in the memory, as long as
 * any_view.h takes for granted, and a walk begins inside the ring.
 */
#define PACKED 0
#define RING   1
#include "prove.h"

#undef memcpy
#include "any_view.h"
#include "virtqueue/memory.c"

#include "vhost/ring_setup.c"

int error_set(struct error *err, int code, const char *format, ...)
{
	(void)format;
	err->code = code;
	return -code;
}

void walkers_choose(struct virtqueue_view *view)
{
	(void)view;
}

static void any_setup(struct ring_setup *ring)
{
	__CPROVER_havoc_object(ring);
	assume(ring->num <= VIRTQUEUE_SIZE_MAX); /* ring_messages.c's */
}

static void prove_areas(const struct virtqueue_view *view)
{
	size_t size = view->size, behind = view->event_idx ? sizeof(uint16_t) : 0;

	prove(size >= 1 && size <= VIRTQUEUE_SIZE_MAX, "a ring has entries");
	if (view->is_packed) {
		prove(__CPROVER_w_ok(view->packed, size * sizeof(*view->packed)), "the ring");
		prove(__CPROVER_w_ok(view->driver_event, sizeof(*view->driver_event)), "events");
		prove(__CPROVER_w_ok(view->device_event, sizeof(*view->device_event)), "events");
		prove(view->header_size == VIRTQUEUE_HEADER_LONG, "its header is long");
		return;
	}
	prove((size & (size - 1)) == 0, "a split ring's size is a power of two");
	prove(__CPROVER_w_ok(view->split, size * sizeof(*view->split)), "descriptors");
	prove(__CPROVER_w_ok(view->avail, sizeof(*view->avail) + 2 * size + behind), "avail");
	prove(__CPROVER_w_ok(view->used,
	                     sizeof(*view->used) + size * sizeof(struct vring_used_elem) + behind),
	      "used");
}

int main(void)
{
	struct ring_terms terms = {.features = nondet_uint64_t()};
	struct virtqueue_position at;
	struct virtqueue_view view;
	struct ring_setup ring;
	struct error err;

	any_memory_make();
	if (nondet_bool())
		terms.memory = &any_memory;
	any_setup(&ring);
	if (ring_view_make(&view, 0, &ring, &terms, -1, &err) < 0)
		return 0;
	prove_areas(&view);
	if (ring_base_at_start(&at, 0, &ring, &view, &err) == 0)
		prove(position_is_valid(&view, at), "a walk begins in its ring");
	return 0;
}
