/* The burst operations of a guest that we serve ourselves: what they answer when a ring is there,
 * pauses, is broken or not enabled, or nobody is there; interrupts; and the announcement that a
 * front end asks for after a migration.
 */
#include <check.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_arp.h>
#include <rte_ether.h>

#include "guest/guest_own_queues.h"
#include "guest_ring_rig.h"
#include "suite.h"

#define QUEUE           3
#define RING_TO_GUEST   (2 * QUEUE)
#define RING_FROM_GUEST (2 * QUEUE + 1)
#define LENGTH          60

static struct own_guest slot;
static struct rig_driver *driver;
static struct rig_pool *pool;
static unsigned ring;
static struct rte_mbuf *pkts[4];

static void open_ring(bool to_guest)
{
	const struct rig_ring_config config = {.packed = true, .to_guest = to_guest, .size = 4};

	memset(&slot, 0, sizeof(slot));
	slot.guest.ops = &guest_own_ops;
	driver = rig_driver_open(&config);
	driver->view.call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ck_assert_int_ge(driver->view.call_fd, 0);
	pool = rig_pool_open(8, 256);
	ring = to_guest ? RING_TO_GUEST : RING_FROM_GUEST;
	slot.virtqueues[ring] = driver->virtqueue;
	virtqueue_publish(&slot.virtqueues[ring], &driver->view);
	atomic_store(&slot.summary.sessions, 1);
	atomic_store(&slot.admitted, 1);
	atomic_store(&slot.summary.running, UINT64_C(1) << ring);
	atomic_store(&slot.summary.enabled, UINT64_C(1) << ring);
}

static void close_ring(void)
{
	close(driver->view.call_fd);
	rig_driver_close(driver);
	rig_pool_close(pool);
}

static uint64_t interrupts(void)
{
	uint64_t count = 0;

	return read(driver->view.call_fd, &count, sizeof(count)) < 0 ? 0 : count;
}

static int send_one(void)
{
	struct rte_mbuf *pkt = rig_frame_new(pool, 1, LENGTH, LENGTH, false);
	int sent = slot.guest.ops->send(&slot.guest, QUEUE, &pkt, 1);

	if (sent != 1)
		rte_pktmbuf_free(pkt);
	return sent;
}

static int receive(uint16_t queue)
{
	int n = slot.guest.ops->receive(&slot.guest, queue, pool->pool, pkts, 4);

	for (int i = 0; i < n; i++)
		rte_pktmbuf_free(pkts[i]);
	return n;
}

/* --- rings ----------------------------------------------------------------------------------- */

START_TEST(a_frame_is_sent_and_the_driver_told)
{
	uint32_t written;

	open_ring(true);
	ck_assert_int_eq(send_one(), 0); /* nothing is posted */
	ck_assert_uint_eq(interrupts(), 0);
	rig_post_one(driver, RIG_DATA, 2048);
	ck_assert_int_eq(send_one(), 1);
	ck_assert_ptr_nonnull(rig_collect(driver, &written));
	ck_assert_uint_eq(written, VIRTQUEUE_HEADER_LONG + LENGTH);
	ck_assert_uint_eq(interrupts(), 1);
	ck_assert_uint_eq(slot.virtqueues[ring].calls, 1);
	close_ring();
}
END_TEST

/* A front end can fill the counter; it has its interrupt then. One without a descriptor polls. */
START_TEST(an_interrupt_that_cannot_be_sent_costs_nothing)
{
	uint64_t full = UINT64_MAX - 1;

	open_ring(true);
	ck_assert_int_eq(write(driver->view.call_fd, &full, sizeof(full)), sizeof(full));
	rig_post_one(driver, RIG_DATA, 2048);
	ck_assert_int_eq(send_one(), 1);
	ck_assert_uint_eq(interrupts(), full);
	close(driver->view.call_fd);
	driver->view.call_fd = -1;
	rig_post_one(driver, RIG_DATA, 2048);
	ck_assert_int_eq(send_one(), 1);
	close_ring();
}
END_TEST

START_TEST(what_is_not_there_pauses_or_is_gone)
{
	for (unsigned to_guest = 0; to_guest < 2; to_guest++) {
		open_ring(to_guest);
		virtqueue_publish(&slot.virtqueues[ring], NULL);
		ck_assert_int_eq(to_guest ? send_one() : receive(QUEUE), END_PAUSED);
		atomic_store(&slot.summary.running, ~(UINT64_C(1) << ring));
		ck_assert_int_eq(to_guest ? send_one() : receive(QUEUE), END_GONE);
		close_ring();
	}
}
END_TEST

START_TEST(a_session_that_control_does_not_know_is_not_served)
{
	const uint32_t admitted = 1;

	for (unsigned to_guest = 0; to_guest < 2; to_guest++) {
		open_ring(to_guest);
		rig_post_one(driver, RIG_DATA, to_guest ? 2048 : LENGTH + VIRTQUEUE_HEADER_LONG);
		atomic_store(&slot.admitted, admitted - 1);
		ck_assert_int_eq(to_guest ? send_one() : receive(QUEUE), END_GONE);
		atomic_store(&slot.admitted, admitted);
		ck_assert_int_eq(to_guest ? send_one() : receive(QUEUE), 1);
		close_ring();
	}
}
END_TEST

/* The ring is not walked again: what the guest repairs meanwhile does not count. */
START_TEST(a_broken_ring_stays_broken)
{
	for (unsigned to_guest = 0; to_guest < 2; to_guest++) {
		open_ring(to_guest);
		rig_post_one(driver, 0x40, 2048); /* no region has that */
		ck_assert_int_eq(to_guest ? send_one() : receive(QUEUE), 0);
		ck_assert_uint_eq(slot.virtqueues[ring].fault, FAULT_ADDRESS);
		rig_write(&driver->memory, driver->areas[0], &(uint64_t){RIG_DATA}, 8);
		ck_assert_int_eq(to_guest ? send_one() : receive(QUEUE), to_guest ? END_BROKEN : 0);
		ck_assert_uint_eq(interrupts(), 0);
		close_ring();
	}
}
END_TEST

START_TEST(a_ring_that_is_not_enabled_is_left_alone)
{
	uint32_t written;

	for (unsigned to_guest = 0; to_guest < 2; to_guest++) {
		open_ring(to_guest);
		rig_post_one(driver, RIG_DATA, to_guest ? 2048 : LENGTH + VIRTQUEUE_HEADER_LONG);
		atomic_store(&slot.summary.enabled, 0);
		ck_assert_int_eq(to_guest ? send_one() : receive(QUEUE), END_PAUSED);
		ck_assert_ptr_null(rig_collect(driver, &written));
		close_ring();
	}
}
END_TEST

/* As the lane asks after a refusal. */
START_TEST(a_frame_that_no_buffer_holds_is_known)
{
	open_ring(true);
	ck_assert_int_eq(send_one(), 0);
	ck_assert(!slot.guest.ops->offers(&slot.guest, QUEUE)); /* there may be a buffer yet */
	ck_assert_uint_eq(slot.shortages[QUEUE], 1);
	rig_post_one(driver, RIG_DATA, LENGTH);
	ck_assert_int_eq(send_one(), 0);
	ck_assert(slot.guest.ops->offers(&slot.guest, QUEUE));
	ck_assert_uint_eq(slot.shortages[QUEUE], 1);
	close_ring();
}
END_TEST

/* --- idle ones ------------------------------------------------------------------------------- */

static bool looks_idle(uint16_t queue)
{
	return idle_look_sees_nothing(slot.guest.ops->look(&slot.guest, queue));
}

/* By what is seen without asking: nothing before the ring was walked for the first time. */
START_TEST(an_idle_ring_is_seen_to_be_idle)
{
	open_ring(false);
	ck_assert(!looks_idle(QUEUE));
	for (unsigned i = 0; i < 10; i++) { /* more than once around */
		ck_assert_int_eq(receive(QUEUE), 0);
		ck_assert(looks_idle(QUEUE));
		rig_post_one(driver, RIG_DATA, LENGTH + VIRTQUEUE_HEADER_LONG);
		ck_assert(!looks_idle(QUEUE));
		ck_assert_int_eq(receive(QUEUE), 1);
		ck_assert_ptr_nonnull(rig_collect(driver, &(uint32_t){0}));
		ck_assert(looks_idle(QUEUE));
	}
	close_ring();
}
END_TEST

/* Its memory may be gone. */
START_TEST(a_ring_that_is_not_there_is_not_looked_at)
{
	open_ring(false);
	ck_assert_int_eq(receive(QUEUE), 0);
	virtqueue_publish(&slot.virtqueues[ring], NULL);
	ck_assert(!looks_idle(QUEUE));
	virtqueue_publish(&slot.virtqueues[ring], &driver->view);
	ck_assert(looks_idle(QUEUE));
	virtqueue_begin(&slot.virtqueues[ring], driver->virtqueue.at);
	ck_assert(!looks_idle(QUEUE));
	close_ring();
}
END_TEST

/* What could not be taken for want of packet memory is there still. */
START_TEST(a_ring_that_was_not_emptied_is_not_idle)
{
	struct rte_mbuf *taken[8];

	open_ring(false);
	ck_assert_int_eq(receive(QUEUE), 0);
	rig_post_one(driver, RIG_DATA, LENGTH + VIRTQUEUE_HEADER_LONG);
	ck_assert_int_eq(rte_pktmbuf_alloc_bulk(pool->pool, taken, 8), 0);
	ck_assert_int_eq(receive(QUEUE), 0);
	ck_assert(!looks_idle(QUEUE));
	rte_pktmbuf_free_bulk(taken, 8);
	close_ring();
}
END_TEST

/* --- announcements --------------------------------------------------------------------------- */

#define ADDRESS UINT64_C(0x060504030201) /* the first byte is the lowest */

static void expect_rarp(void)
{
	static const uint8_t address[] = {1, 2, 3, 4, 5, 6};
	const struct rte_ether_hdr *header;

	ck_assert_int_eq(slot.guest.ops->receive(&slot.guest, 0, pool->pool, pkts, 4), 1);
	header = rte_pktmbuf_mtod(pkts[0], const struct rte_ether_hdr *);
	ck_assert_uint_eq(header->ether_type, RTE_BE16(RTE_ETHER_TYPE_RARP));
	ck_assert(rte_is_broadcast_ether_addr(&header->dst_addr));
	ck_assert_mem_eq(&header->src_addr, address, sizeof(address));
	rte_pktmbuf_free(pkts[0]);
	ck_assert_uint_eq(atomic_load(&slot.summary.rarp), 0);
}

/* By the first pair, before and while its ring is there, and once. */
START_TEST(an_announcement_goes_out_once)
{
	open_ring(false);
	atomic_store(&slot.summary.rarp, SESSION_RARP_PENDING | ADDRESS);
	rig_post_one(driver, RIG_DATA, LENGTH + VIRTQUEUE_HEADER_LONG);
	ck_assert_int_eq(receive(QUEUE), 1); /* the other pair's own */
	expect_rarp();
	ck_assert_int_eq(receive(0), END_GONE);
	close_ring();
}
END_TEST

START_TEST(an_announcement_waits_for_memory)
{
	struct rte_mbuf *taken[8];

	open_ring(false);
	ck_assert_int_eq(rte_pktmbuf_alloc_bulk(pool->pool, taken, 8), 0);
	atomic_store(&slot.summary.rarp, SESSION_RARP_PENDING | ADDRESS);
	ck_assert_int_eq(receive(0), 0);
	ck_assert(atomic_load(&slot.virtqueues[1].look.wanted));
	rte_pktmbuf_free_bulk(taken, 8);
	expect_rarp();
	ck_assert(!atomic_load(&slot.virtqueues[1].look.wanted));
	close_ring();
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, a_frame_is_sent_and_the_driver_told);
	tcase_add_test(tcase, an_interrupt_that_cannot_be_sent_costs_nothing);
	tcase_add_test(tcase, what_is_not_there_pauses_or_is_gone);
	tcase_add_test(tcase, a_session_that_control_does_not_know_is_not_served);
	tcase_add_test(tcase, a_broken_ring_stays_broken);
	tcase_add_test(tcase, a_ring_that_is_not_enabled_is_left_alone);
	tcase_add_test(tcase, a_frame_that_no_buffer_holds_is_known);
	tcase_add_test(tcase, an_idle_ring_is_seen_to_be_idle);
	tcase_add_test(tcase, a_ring_that_is_not_there_is_not_looked_at);
	tcase_add_test(tcase, a_ring_that_was_not_emptied_is_not_idle);
	tcase_add_test(tcase, an_announcement_goes_out_once);
	tcase_add_test(tcase, an_announcement_waits_for_memory);
	return suite_main("guest_own_queues", tcase);
}
