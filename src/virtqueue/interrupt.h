/* Whether the guest's driver wants an interrupt for what it has just been shown (virtio 1.2, 2.7.7
 * and 2.8.10). For workers, after a burst was published.
 *
 * The driver writes what it wants and then looks at the ring once more; we show what we have done
 * and then look at what it wants. A full fence between the two, on either side, has one of both see
 * the other's: no interrupt is lost.
 */
#ifndef VIRTQUEUE_INTERRUPT_H
#define VIRTQUEUE_INTERRUPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtqueue/guest_word.h"
#include "virtqueue/ring.h"

/* Whether `event` is one of the positions from `before` on and before `now`, which count modulo
 * 2^16. (virtio 1.2, 2.7.10) */
static inline bool interrupt_passes(uint16_t event, uint16_t now, uint16_t before)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

/* The same in a packed ring, where positions come around at its size: those of this round are
 * counted from its beginning, and of the round before from below that. */
static inline bool interrupt_passes_packed(uint16_t off_wrap, struct virtqueue_position now,
                                           uint16_t before, uint16_t size)
{
	uint16_t event = off_wrap & (uint16_t) ~(1U << VRING_PACKED_EVENT_F_WRAP_CTR);
	bool wrap = off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR;

	if (wrap != now.wrap)
		event = (uint16_t)(event - size);
	if (now.index <= before)
		before = (uint16_t)(before - size);
	return interrupt_passes(event, now.index, before);
}

/* Before the driver's wish is looked at, for all that was used so far. Returns whether this is the
 * first time: then it is called whatever it says, for who was here before may have owed it that. */
static inline bool interrupt_is_first(struct virtqueue *virtqueue, uint16_t *before)
{
	bool first = virtqueue->call_anyhow;

	*before = virtqueue->called_at;
	virtqueue->called_at = virtqueue->at.index;
	virtqueue->call_anyhow = false;
	atomic_thread_fence(memory_order_seq_cst);
	return first;
}

static inline bool interrupt_wanted_split(struct virtqueue *virtqueue,
                                          const struct virtqueue_view *view)
{
	uint16_t before;

	if (interrupt_is_first(virtqueue, &before))
		return true;
	if (!view->event_idx)
		return (guest_load_16(&view->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT) == 0;
	return interrupt_passes(guest_load_16(&view->avail->ring[view->size]), virtqueue->at.index,
	                        before);
}

/* The driver writes off_wrap before the flags that refer to it. */
static inline bool interrupt_wanted_packed(struct virtqueue *virtqueue,
                                           const struct virtqueue_view *view)
{
	uint16_t before;

	if (interrupt_is_first(virtqueue, &before))
		return true;
	uint16_t flags = guest_load_16_acquire(&view->driver_event->flags);
	if (flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !view->event_idx)
		return true;
	return interrupt_passes_packed(guest_load_16(&view->driver_event->off_wrap), virtqueue->at,
	                               before, view->size);
}

#endif
