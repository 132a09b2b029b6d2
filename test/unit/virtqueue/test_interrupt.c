/* Whether a guest is interrupted, against what a naive driver would count: every position of what
 * it wants and of what was done, in small rings of both kinds.
 */
#include <check.h>

#include "guest_ring_rig.h"
#include "suite.h"
#include "virtqueue/interrupt.h"

/* --- split ------------------------------------------------------------------------------------
 */

/* Entries before..now-1 were used, and the driver wants to hear of the one at `event`. */
static bool naive(uint16_t event, uint16_t now, uint16_t before)
{
	for (uint16_t at = before; at != now; at++)
		if (at == event)
			return true;
	return false;
}

START_TEST(passes)
{
	/* Around where positions wrap, and far from what is near. */
	for (uint32_t before = 65520; before < 65536 + 16; before++)
		for (uint32_t n = 0; n <= 40; n++)
			for (uint32_t event = 65400; event < 65536 + 120; event++)
				rig_expect(interrupt_passes((uint16_t)event, (uint16_t)(before + n),
				                            (uint16_t)before) ==
				           naive((uint16_t)event, (uint16_t)(before + n),
				                 (uint16_t)before));
	for (uint32_t event = 0; event < 65536; event++)
		rig_expect(interrupt_passes((uint16_t)event, 32768, 0) == (event < 32768));
}
END_TEST

/* --- packed -----------------------------------------------------------------------------------
 */

/* Positions as they would be if they did not come around: of the round with wrap counter 1, and
 * then of the one with 0. */
static struct virtqueue_position position_of(uint32_t count, uint32_t size)
{
	return (struct virtqueue_position){(uint16_t)(count % size), count / size % 2 == 0};
}

START_TEST(passes_packed)
{
	for (uint32_t size = 1; size <= 8; size++)
		for (uint32_t before = 0; before < 4 * size; before++)
			for (uint32_t n = 1; n <= size; n++)
				for (uint16_t event = 0; event < size; event++)
					for (unsigned wrap = 0; wrap < 2; wrap++) {
						uint32_t now = before + n;
						bool wanted = false;

						for (uint32_t at = before; at < now; at++) {
							struct virtqueue_position p =
							        position_of(at, size);

							wanted |=
							        p.index == event && p.wrap == wrap;
						}
						rig_expect(interrupt_passes_packed(
						                   (uint16_t)(event | wrap << 15),
						                   position_of(now, size),
						                   (uint16_t)(before % size),
						                   (uint16_t)size) == wanted);
					}
}
END_TEST

/* --- rings ------------------------------------------------------------------------------------
 */

/* What the driver may write. */
struct wish {
	uint16_t flags, event; /* split: of avail and used_event; packed: of the event area */
};

static bool is_wanted(const struct rig_driver *driver, const struct wish *wish,
                      struct virtqueue_position before, uint32_t n)
{
	const struct virtqueue_view *view = &driver->view;

	if (!view->is_packed && !view->event_idx)
		return (wish->flags & VRING_AVAIL_F_NO_INTERRUPT) == 0;
	if (view->is_packed && wish->flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (view->is_packed && (wish->flags != VRING_PACKED_EVENT_FLAG_DESC || !view->event_idx))
		return true;
	for (uint32_t i = 0; i < n; i++) {
		uint16_t at = view->is_packed ? (uint16_t)(before.index | before.wrap << 15)
		                              : before.index;

		if (at == wish->event)
			return true;
		before.index++;
		if (view->is_packed && before.index == view->size) {
			before.index = 0;
			before.wrap = !before.wrap;
		}
	}
	return false;
}

static void say(struct rig_driver *driver, const struct wish *wish)
{
	struct virtqueue_view *view = &driver->view;

	if (view->is_packed) {
		view->driver_event->flags = wish->flags;
		view->driver_event->off_wrap = wish->event;
		return;
	}
	view->avail->flags = wish->flags;
	view->avail->ring[view->size] = wish->event;
}

/* One that is near, most often. */
static struct wish wish_make(const struct rig_driver *driver, uint64_t *state)
{
	uint16_t at = (uint16_t)(driver->virtqueue.at.index + rig_random(state) % 6 - 1);
	uint16_t flags = (uint16_t)(rig_random(state) % (driver->view.is_packed ? 4 : 2));

	if (driver->view.is_packed)
		at = (uint16_t)(at % driver->view.size | (rig_random(state) & 1) << 15);
	return (struct wish){flags, at};
}

/* Bursts of one direction; with nothing done there is nothing to tell, and what was done is told of
 * when it is next looked. */
static void run_ring(bool packed, bool to_guest, bool event_idx, uint32_t size)
{
	struct rig_ring_config config = {.packed = packed,
	                                 .to_guest = to_guest,
	                                 .size = size,
	                                 .event_idx = event_idx,
	                                 .begin = packed ? 0 : 65500,
	                                 .data_size = 0x1000};
	struct rig_driver *driver = rig_driver_open(&config);
	struct rig_pool *pool = rig_pool_open(64, 128);
	uint64_t state = size;
	bool first = true, call;
	uint32_t written;

	for (unsigned round = 0; round < 2000; round++) {
		struct wish wish = wish_make(driver, &state);
		struct virtqueue_position before = driver->virtqueue.at;
		uint32_t n = rig_random(&state) % RTE_MIN(size + 1, 33U);
		struct rte_mbuf *pkts[32];

		/* Whoever takes a ring over may owe the guest an interrupt. */
		if (round % 500 == 499) {
			virtqueue_begin(&driver->virtqueue, before);
			first = true;
		}
		for (uint32_t i = 0; i < n; i++) {
			rig_post_one(driver, RIG_DATA, 100);
			pkts[i] = rig_frame_new(pool, i, 20, 128, false);
		}
		say(driver, &wish);
		call = true;
		if (to_guest) {
			rig_expect(rig_send(driver, pkts, (uint16_t)n, &call) == n);
		} else {
			rte_pktmbuf_free_bulk(pkts, n);
			rig_expect(rig_receive(driver, pool, pkts, 32, &call) == n);
			rte_pktmbuf_free_bulk(pkts, n);
		}
		rig_expect(call == (n > 0 && (first || is_wanted(driver, &wish, before, n))));
		first = first && n == 0;
		while (rig_collect(driver, &written) != NULL)
			;
	}
	rig_pool_close(pool);
	rig_driver_close(driver);
}

START_TEST(rings)
{
	static const uint16_t sizes[] = {1, 2, 4, 8, 256, 3, 7, 1000};

	for (unsigned i = 0; i < 8; i++)
		for (unsigned k = 0; k < RTE_DIM(sizes); k++) {
			bool packed = (i & 1) != 0;

			if (packed || (sizes[k] & (sizes[k] - 1)) == 0)
				run_ring(packed, (i & 2) != 0, (i & 4) != 0, sizes[k]);
		}
}
END_TEST

/* Any bits in the event area, and offsets that the ring does not have: it is a hint, and no more.
 */
START_TEST(hostile_wishes)
{
	struct rig_ring_config config = {.packed = true, .size = 4, .event_idx = true};
	struct rig_driver *driver = rig_driver_open(&config);
	struct rig_pool *pool = rig_pool_open(64, 128);
	struct rte_mbuf *pkts[4];
	uint32_t written;
	bool call;

	for (uint32_t i = 0; i < 0x10000; i += 5) {
		driver->view.driver_event->flags = (uint16_t)(i % 3 == 0 ? 2 : i);
		driver->view.driver_event->off_wrap = (uint16_t)i;
		rig_post_one(driver, RIG_DATA, 100);
		rig_expect(rig_receive(driver, pool, pkts, 4, &call) == 1);
		rte_pktmbuf_free(pkts[0]);
		rig_expect(rig_collect(driver, &written) != NULL);
	}
	rig_pool_close(pool);
	rig_driver_close(driver);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("interrupt");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, passes);
	tcase_add_test(tcase, passes_packed);
	tcase_add_test(tcase, rings);
	tcase_add_test(tcase, hostile_wishes);
	return suite_main("interrupt", tcase);
}
