/* See kicks.h. */
#include "virtqueue/kicks.h"

#include "virtqueue/guest_word.h"

/* What stands behind the entries of the used ring. */
static uint16_t *avail_event(const struct virtqueue_view *view)
{
	return (uint16_t *)&view->used->ring[view->size];
}

static void write_split(const struct virtqueue_view *view, uint16_t *word, uint16_t value)
{
	if (guest_load_16(word) == value)
		return;
	guest_store_16(word, value);
	dirty_log_mark(&view->log,
	               view->log_ring + (uint64_t)((uint8_t *)word - (uint8_t *)view->used),
	               sizeof(*word));
}

/* off_wrap is seen before the flags that refer to it. */
static void write_packed(const struct virtqueue_view *view, uint16_t off_wrap, uint16_t flags)
{
	struct vring_packed_desc_event *event = view->device_event;

	if (guest_load_16(&event->off_wrap) == off_wrap && guest_load_16(&event->flags) == flags)
		return;
	guest_store_16(&event->off_wrap, off_wrap);
	guest_store_16_release(&event->flags, flags);
	dirty_log_mark(&view->log, view->log_event, sizeof(*event));
}

void kicks_ask(const struct virtqueue_view *view, struct virtqueue_position at)
{
	uint16_t off_wrap = (uint16_t)(at.index | at.wrap << VRING_PACKED_EVENT_F_WRAP_CTR);

	if (view->is_packed)
		write_packed(view, off_wrap,
		             view->event_idx ? VRING_PACKED_EVENT_FLAG_DESC
		                             : VRING_PACKED_EVENT_FLAG_ENABLE);
	else if (view->event_idx)
		write_split(view, avail_event(view), at.index);
	else
		write_split(view, &view->used->flags, 0);
}

void kicks_spare(const struct virtqueue_view *view)
{
	if (view->is_packed)
		write_packed(view, guest_load_16(&view->device_event->off_wrap),
		             VRING_PACKED_EVENT_FLAG_DISABLE);
	else if (!view->event_idx)
		write_split(view, &view->used->flags, VRING_USED_F_NO_NOTIFY);
}
