/* Frames that nobody wants: they come back to the driver unread, in order, whatever their buffers
 * are made of; and the walk goes on where that has ended.
 */
#include <check.h>

#include "guest_ring_rig.h"
#include "suite.h"
#include "virtqueue/discard.h"
#include "virtqueue/journal.h"

#define SIZE  16U
#define TABLE (RIG_DATA + 0x8000U)

static struct rig_driver *driver_open(unsigned variant, uint32_t size)
{
	const struct rig_ring_config config = {.packed = (variant & 1) != 0,
	                                       .logged = (variant & 2) != 0,
	                                       .size = size,
	                                       .begin = (uint16_t)(size - 1)};

	return rig_driver_open(&config);
}

static uint16_t discard(struct rig_driver *driver, bool *call)
{
	return virtqueue_discard(&driver->virtqueue, &driver->view, call);
}

static void expect_collected(struct rig_driver *driver, unsigned n)
{
	uint32_t written;

	for (unsigned i = 0; i < n; i++) {
		rig_expect(rig_collect(driver, &written) != NULL);
		rig_expect(written == 0);
	}
	rig_expect(rig_collect(driver, &written) == NULL);
}

/* A frame of one descriptor, of three, and of a table. Returns how many. */
static unsigned post_some(struct rig_driver *driver)
{
	const struct rig_piece pieces[] = {{RIG_DATA, 12}, {RIG_DATA + 64, 100}, {RIG_DATA, 0}};

	rig_post(driver, pieces, 1);
	rig_post(driver, pieces, 3);
	rig_post_mixed(driver, pieces, 3, 0, TABLE);
	return 3;
}

START_TEST(all_come_back)
{
	struct rig_driver *driver = driver_open((unsigned)_i, SIZE);
	bool call;

	ck_assert_uint_eq(discard(driver, &call), 0);
	ck_assert(!call);
	for (unsigned round = 0; round < 20; round++) { /* around the ring, too */
		unsigned n = post_some(driver);

		ck_assert_uint_eq(discard(driver, &call), n);
		ck_assert(call);
		ck_assert_uint_eq(rig_fault(driver), FAULT_NONE);
		expect_collected(driver, n);
	}
	ck_assert_uint_eq(discard(driver, &call), 0);
	rig_driver_close(driver);
}
END_TEST

START_TEST(a_full_ring)
{
	struct rig_driver *driver = driver_open((unsigned)_i, SIZE);
	bool call;

	for (unsigned i = 0; i < SIZE; i++)
		rig_post_one(driver, RIG_DATA, 60);
	ck_assert_uint_eq(discard(driver, &call), SIZE);
	expect_collected(driver, SIZE);
	ck_assert_uint_eq(discard(driver, &call), 0);
	rig_driver_close(driver);
}
END_TEST

/* Nothing of a frame is looked at: not where it lies, nor how long it is. */
START_TEST(frames_are_not_read)
{
	struct rig_driver *driver = driver_open((unsigned)_i, SIZE);
	bool call;

	rig_post_one(driver, UINT64_MAX - 5, UINT32_MAX);
	ck_assert_uint_eq(discard(driver, &call), 1);
	ck_assert_uint_eq(rig_fault(driver), FAULT_NONE);
	expect_collected(driver, 1);
	rig_driver_close(driver);
}
END_TEST

/* What came before is given back. */
START_TEST(rules_hold_here_too)
{
	struct rig_driver *driver = driver_open((unsigned)_i, SIZE);
	const struct rig_piece piece = {RIG_DATA, 60};
	bool call;

	rig_post_one(driver, RIG_DATA, 60);
	rig_post_mixed(driver, &piece, 1, 0, TABLE);
	driver->view.indirect = false; /* it has negotiated no tables */
	ck_assert_uint_eq(discard(driver, &call), 1);
	ck_assert_uint_eq(rig_fault(driver), FAULT_INDIRECT);
	expect_collected(driver, 1);
	rig_driver_close(driver);
}
END_TEST

START_TEST(a_walk_has_an_end)
{
	const unsigned size = 4096;
	struct rig_driver *driver = driver_open((unsigned)_i, size);
	unsigned n = 0;
	bool call;

	for (unsigned i = 0; i < size; i++)
		rig_post_one(driver, RIG_DATA, 60);
	for (unsigned walks = 1; n < size; walks++) {
		unsigned found = discard(driver, &call);

		ck_assert_uint_eq(found, VIRTQUEUE_BURST_DESCRIPTORS);
		n += found;
		ck_assert_uint_le(walks, size / VIRTQUEUE_BURST_DESCRIPTORS);
	}
	expect_collected(driver, size);
	rig_driver_close(driver);
}
END_TEST

/* A journal has room for as many, and can take back what it has noted. */
START_TEST(a_journal_bounds_the_walk)
{
	struct rig_driver *driver = driver_open(1, 256);
	struct journal journal;
	unsigned n = 0, found;
	bool call;

	journal_begin(&journal, 1, 0, driver->virtqueue.at);
	driver->view.journal = &journal;
	for (unsigned i = 0; i < 256; i++)
		rig_post_one(driver, RIG_DATA, 60);
	while ((found = discard(driver, &call)) > 0) {
		ck_assert_uint_le(found, JOURNAL_FULL + 1);
		ck_assert_uint_eq(journal.n, 0);
		n += found;
	}
	ck_assert_uint_eq(n, 256);
	expect_collected(driver, 256);
	rig_driver_close(driver);
}
END_TEST

/* A worker that has the ring next finds what was sent since, and looks for it anew. */
START_TEST(a_worker_goes_on)
{
	struct rig_driver *driver = driver_open((unsigned)_i, SIZE);
	struct rig_pool *pool = rig_pool_open(8, 256);
	struct rte_mbuf *pkts[4];
	bool call;

	ck_assert_uint_eq(rig_receive(driver, pool, pkts, 4, &call), 0);
	ck_assert(idle_look_sees_nothing(&driver->virtqueue.look));
	rig_post_one(driver, RIG_DATA, 60);
	ck_assert_uint_eq(discard(driver, &call), 1);
	expect_collected(driver, 1);
	ck_assert(!idle_look_sees_nothing(&driver->virtqueue.look));
	rig_post_one(driver, RIG_DATA, 60);
	ck_assert_uint_eq(rig_receive(driver, pool, pkts, 4, &call), 1);
	rte_pktmbuf_free(pkts[0]);
	expect_collected(driver, 1);
	ck_assert(idle_look_sees_nothing(&driver->virtqueue.look));
	rig_pool_close(pool);
	rig_driver_close(driver);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_loop_test(tcase, all_come_back, 0, 4);
	tcase_add_loop_test(tcase, a_full_ring, 0, 4);
	tcase_add_loop_test(tcase, frames_are_not_read, 0, 4);
	tcase_add_loop_test(tcase, rules_hold_here_too, 0, 4);
	tcase_add_loop_test(tcase, a_walk_has_an_end, 0, 2);
	tcase_add_test(tcase, a_journal_bounds_the_walk);
	tcase_add_loop_test(tcase, a_worker_goes_on, 0, 4);
	return suite_main("discard", tcase);
}
