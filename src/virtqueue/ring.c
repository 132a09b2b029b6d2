/* See ring.h. */
#include "virtqueue/ring.h"

/* What the guest writes when it sends: its index; or the flags of the next descriptor. */
static const uint16_t *looked_at(const struct virtqueue_view *view)
{
	return view->is_packed ? (const uint16_t *)view->packed : &view->avail->idx;
}

/* Who sees the new view sees its memory, too; who sees the old one and the new memory, or the other
 * way round, looks at a ring that is there all the same. */
void virtqueue_publish(struct virtqueue *virtqueue, const struct virtqueue_view *view)
{
	atomic_store_explicit(&virtqueue->look.base, view != NULL ? looked_at(view) : NULL,
	                      memory_order_release);
	atomic_store_explicit(&virtqueue->view, view, memory_order_release);
}

void virtqueue_begin(struct virtqueue *virtqueue, struct virtqueue_position at)
{
	virtqueue->at = at;
	virtqueue->called_at = at.index;
	virtqueue->call_anyhow = true;
	virtqueue->refused = false;
	virtqueue->last_region = 0;
	idle_look_begin(&virtqueue->look);
	atomic_store_explicit(&virtqueue->blocked, false, memory_order_relaxed);
	atomic_store_explicit(&virtqueue->fault, FAULT_NONE, memory_order_relaxed);
}
