/* See ring.h. */
#include "virtqueue/ring.h"

#include "virtqueue/guest_word.h"

void virtqueue_hush(const struct virtqueue_view *view)
{
	if (view->is_packed) {
		guest_store_16(&view->device_event->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
		dirty_log_mark(&view->log, view->log_event, sizeof(*view->device_event));
		return;
	}
	if (view->event_idx)
		return;
	guest_store_16(&view->used->flags, VRING_USED_F_NO_NOTIFY);
	dirty_log_mark(&view->log, view->log_ring, sizeof(view->used->flags));
}

void virtqueue_begin(struct virtqueue *virtqueue, struct virtqueue_position at)
{
	virtqueue->at = at;
	virtqueue->called_at = at.index;
	virtqueue->call_anyhow = true;
	virtqueue->refused = false;
	virtqueue->last_region = 0;
	atomic_store_explicit(&virtqueue->blocked, false, memory_order_relaxed);
	atomic_store_explicit(&virtqueue->fault, FAULT_NONE, memory_order_relaxed);
}
