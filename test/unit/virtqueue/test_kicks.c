/* What we write for a guest to kick or to spare itself that, seen as its driver sees it: it kicks
 * for the entry that we wait for, in every place of a ring, and for none before it.
 */
#include <check.h>

#include "guest_ring_rig.h"
#include "suite.h"
#include "virtqueue/interrupt.h"
#include "virtqueue/kicks.h"

#define SIZE 8U

static const uint32_t ALL = 8; /* kinds of rings: packed, event_idx, logged */

static struct rig_driver *open_kind(unsigned kind)
{
	struct rig_ring_config config = {.packed = (kind & 1) != 0,
	                                 .event_idx = (kind & 2) != 0,
	                                 .size = SIZE,
	                                 .logged = (kind & 4) != 0};

	return rig_driver_open(&config);
}

static uint16_t *avail_event(const struct virtqueue_view *view)
{
	return (uint16_t *)(void *)&view->used->ring[view->size];
}

/* A driver's decision, when its position goes from `before` to `now` (virtio 1.2, 2.7.13.4.1 and
 * 2.8.21.3.1). interrupt.h's arithmetic is tested against a naive one. */
static bool kicks(const struct virtqueue_view *view, struct virtqueue_position now, uint16_t before)
{
	const struct vring_packed_desc_event *event = view->device_event;

	if (!view->is_packed)
		return view->event_idx ? interrupt_passes(*avail_event(view), now.index, before)
		                       : (view->used->flags & VRING_USED_F_NO_NOTIFY) == 0;
	if (event->flags == VRING_PACKED_EVENT_FLAG_DESC && view->event_idx)
		return interrupt_passes_packed(event->off_wrap, now, before, view->size);
	return event->flags != VRING_PACKED_EVENT_FLAG_DISABLE;
}

static struct virtqueue_position place(const struct virtqueue_view *view, uint32_t count)
{
	if (!view->is_packed)
		return (struct virtqueue_position){.index = (uint16_t)count};
	return (struct virtqueue_position){(uint16_t)(count % SIZE), count / SIZE % 2 == 0};
}

START_TEST(asked_it_kicks_for_what_comes_next)
{
	struct rig_driver *driver = open_kind((unsigned)_i);
	const struct virtqueue_view *view = &driver->view;

	for (uint32_t count = 65530; count < 65536 + 4 * SIZE; count++) {
		kicks_ask(view, place(view, count));
		for (uint32_t n = 1; n < SIZE; n++)
			rig_expect(kicks(view, place(view, count + n), place(view, count).index));
		/* With an index nothing was asked for what we have seen already. */
		if (view->event_idx)
			rig_expect(!kicks(view, place(view, count), place(view, count - 1).index));
	}
	rig_driver_close(driver);
}
END_TEST

START_TEST(spared_it_does_not)
{
	struct rig_driver *driver = open_kind((unsigned)_i);
	const struct virtqueue_view *view = &driver->view;

	kicks_spare(view);
	/* One in 65,536, where nothing can be said but by an index. */
	if (view->is_packed || !view->event_idx)
		rig_expect(!kicks(view, place(view, 1), 0));
	kicks_ask(view, place(view, 0));
	rig_expect(kicks(view, place(view, 1), 0));
	kicks_spare(view);
	if (view->is_packed || !view->event_idx)
		rig_expect(!kicks(view, place(view, 1), 0));
	rig_driver_close(driver);
}
END_TEST

/* Whatever was there before: what we want, and nothing else, is written; and once. */
START_TEST(nothing_else_is_written_to)
{
	struct rig_driver *driver = open_kind((unsigned)_i);
	const struct virtqueue_view *view = &driver->view;
	struct memory before, after;

	rig_memory_copy(&before, &driver->memory);
	kicks_ask(view, place(view, 5));
	kicks_spare(view);
	kicks_ask(view, place(view, 6));
	if (view->log.bits != NULL)
		rig_log_expect_changes(&view->log, &driver->memory, &before);
	rig_memory_copy(&after, &driver->memory);
	kicks_ask(view, place(view, 6));
	rig_expect(rig_memory_equal(&driver->memory, &after));
	if (view->is_packed)
		*view->device_event = (struct vring_packed_desc_event){0};
	else if (view->event_idx)
		*avail_event(view) = 0;
	else
		view->used->flags = 0;
	rig_expect(rig_memory_equal(&driver->memory, &before));
	rig_memory_free(&before);
	rig_memory_free(&after);
	rig_driver_close(driver);
}
END_TEST

/* A guest that scribbles there harms itself. */
START_TEST(whatever_the_guest_has_written_there)
{
	struct rig_driver *driver = open_kind((unsigned)_i);
	const struct virtqueue_view *view = &driver->view;

	for (uint32_t word = 0; word < 0x10000; word += 7) {
		if (view->is_packed)
			*view->device_event = (struct vring_packed_desc_event){
			        (uint16_t)word, (uint16_t)(word * 3)};
		else
			view->used->flags = *avail_event(view) = (uint16_t)word;
		kicks_ask(view, place(view, 3));
		rig_expect(kicks(view, place(view, 4), 3));
	}
	rig_driver_close(driver);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("kicks");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, asked_it_kicks_for_what_comes_next, 0, (int)ALL);
	tcase_add_loop_test(tcase, spared_it_does_not, 0, (int)ALL);
	tcase_add_loop_test(tcase, nothing_else_is_written_to, 0, (int)ALL);
	tcase_add_loop_test(tcase, whatever_the_guest_has_written_there, 0, (int)ALL);
	return suite_main("kicks", tcase);
}
