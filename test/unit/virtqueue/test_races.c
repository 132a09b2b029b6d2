/* What two CPUs do at the same moment, where a store of the one may still be under way when the
 * other looks: pages that a front end copies while we write to them, and interrupts of a driver
 * that is about to sleep. Each is tried often, with the two as close as they come.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>

#include "guest_ring_rig.h"
#include "suite.h"

#define ROUNDS 50000U

/* In a loop that waits for the other thread, which may have no other CPU. */
static void give_way_at_times(void)
{
	static _Thread_local uint32_t times;

	if (++times % 256 == 0)
		sched_yield();
}

static void pause_for(uint32_t loops)
{
	for (volatile uint32_t i = 0; i < loops; i++)
		;
}

/* --- the log of dirty pages -------------------------------------------------------------------
 */

#define WORDS 256U /* of a page's, that a frame covers; one in each cache line is enough */
#define STEP  8U

static struct {
	_Alignas(RIG_PAGE) volatile uint64_t page[RIG_PAGE / 8];
	_Alignas(64) uint8_t bits[8];
	_Alignas(64) _Atomic uint32_t begun; /* round: the copier's turn to say */
	_Alignas(64) _Atomic uint32_t written;
} guest;

static void write_frame(const struct dirty_log *log, uint64_t number)
{
	for (uint32_t i = 0; i < WORDS; i += STEP)
		guest.page[i] = number;
	dirty_log_mark(log, 0, WORDS * 8);
}

/* A frame, and then another into the same page, whose bit may be there already. */
static void *write_frames(void *arg)
{
	const struct dirty_log log = {.bits = guest.bits, .size = sizeof(guest.bits)};

	(void)arg;
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		while (atomic_load(&guest.begun) != round)
			give_way_at_times();
		write_frame(&log, 2ULL * round);
		pause_for(round % 64);
		write_frame(&log, 2ULL * round + 1);
		atomic_store(&guest.written, round);
	}
	return NULL;
}

static void copy_if_dirty(uint64_t copy[WORDS])
{
	if (__atomic_exchange_n(guest.bits, 0, __ATOMIC_SEQ_CST) == 0)
		return;
	for (uint32_t i = 0; i < WORDS; i += STEP)
		copy[i] = guest.page[i];
}

/* Whatever the copier has seen of both under way, at the end it has all. */
START_TEST(pages_under_way)
{
	uint64_t copy[WORDS] = {0};
	uint32_t left_behind = 0;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, write_frames, NULL), 0);
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		atomic_store(&guest.begun, round);
		while (atomic_load(&guest.written) != round) {
			copy_if_dirty(copy);
			give_way_at_times();
		}
		copy_if_dirty(copy);
		for (uint32_t i = 0; i < WORDS; i += STEP)
			left_behind += copy[i] != guest.page[i];
	}
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(left_behind, 0);
}
END_TEST

/* --- interrupts -------------------------------------------------------------------------------
 */

#define SIZE 16U
#define MOST 4U    /* buffers that the driver has us use before it sleeps */
#define POOL 64U   /* mbufs */
#define SURE 1000U /* passes in which we have used whatever there is */

static struct {
	struct rig_driver *driver;
	_Alignas(64) _Atomic uint32_t called; /* as an eventfd counts */
	_Alignas(64) _Atomic uint32_t passes;
	_Atomic bool over;
} ring;

/* A worker: polls, and calls when the driver wants it. */
static void *use_buffers(void *arg)
{
	struct rig_pool *pool = rig_pool_open(POOL, 128);

	(void)arg;
	while (!atomic_load(&ring.over)) {
		struct rte_mbuf *pkts[VIRTQUEUE_BURST];
		bool call;
		uint16_t n = rig_receive(ring.driver, pool, pkts, VIRTQUEUE_BURST, &call);

		if (call)
			atomic_store(&ring.called, 1);
		rte_pktmbuf_free_bulk(pkts, n);
		atomic_fetch_add(&ring.passes, 1);
		give_way_at_times();
	}
	rig_pool_close(pool);
	return NULL;
}

/* An interrupt for the last of the buffers that are out; without event indices for each. */
static void ask(struct rig_driver *driver, bool wanted)
{
	struct virtqueue_view *view = &driver->view;
	uint16_t left = (uint16_t)(driver->n_posted - driver->n_collected - 1);
	uint16_t last = (uint16_t)(driver->next_used.index + left);
	bool wrap = driver->next_used.wrap;

	if (!view->is_packed) {
		if (view->event_idx && wanted)
			__atomic_store_n(&view->avail->ring[view->size], last, __ATOMIC_RELAXED);
		else if (!view->event_idx)
			__atomic_store_n(&view->avail->flags,
			                 wanted ? 0 : VRING_AVAIL_F_NO_INTERRUPT, __ATOMIC_RELAXED);
	} else {
		if (last >= view->size) {
			last = (uint16_t)(last - view->size);
			wrap = !wrap;
		}
		__atomic_store_n(&view->driver_event->off_wrap, (uint16_t)(last | wrap << 15),
		                 __ATOMIC_RELAXED);
		__atomic_store_n(&view->driver_event->flags,
		                 !wanted           ? VRING_PACKED_EVENT_FLAG_DISABLE
		                 : view->event_idx ? VRING_PACKED_EVENT_FLAG_DESC
		                                   : VRING_PACKED_EVENT_FLAG_ENABLE,
		                 __ATOMIC_RELEASE);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static bool all_are_back(struct rig_driver *driver)
{
	uint32_t written;

	while (rig_collect(driver, &written) != NULL)
		;
	return driver->n_collected == driver->n_posted;
}

/* Whether it is called: that is lost when we have used all long since. */
static bool sleep_until_called(void)
{
	uint32_t passes = atomic_load(&ring.passes);

	while (atomic_exchange(&ring.called, 0) == 0) {
		if (atomic_load(&ring.passes) - passes > SURE)
			return atomic_exchange(&ring.called, 0) != 0;
		give_way_at_times();
	}
	return true;
}

static uint32_t calls_lost(struct rig_driver *driver)
{
	uint32_t lost = 0;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		ask(driver, false);
		atomic_store(&ring.called, 0);
		for (uint32_t i = 0; i <= round % MOST; i++)
			rig_post_one(driver, RIG_DATA, 100);
		pause_for(round / MOST % 128);
		while (!all_are_back(driver)) {
			ask(driver, true);
			if (all_are_back(driver))
				break;
			lost += !sleep_until_called();
		}
	}
	return lost;
}

START_TEST(interrupts)
{
	bool packed = (_i & 1) != 0;
	struct rig_ring_config config = {.packed = packed,
	                                 .event_idx = (_i & 2) != 0,
	                                 .size = SIZE,
	                                 .begin = packed ? 0 : 65500,
	                                 .data_size = 0x1000};
	pthread_t thread;

	ring.driver = rig_driver_open(&config);
	ck_assert_int_eq(pthread_create(&thread, NULL, use_buffers, NULL), 0);
	uint32_t lost = calls_lost(ring.driver);
	atomic_store(&ring.over, true);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	rig_driver_close(ring.driver);
	ck_assert_uint_eq(lost, 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("races");

	tcase_set_timeout(tcase, 600);
	tcase_add_test(tcase, pages_under_way);
	tcase_add_loop_test(tcase, interrupts, 0, 4);
	return suite_main("races", tcase);
}
