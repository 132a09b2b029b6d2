/* Rules at their limits: indices that jump, addresses at the end of all addresses, and rings of
 * nothing but empty buffers.
 */
#include <check.h>

#include "faults_rig.h"
#include "suite.h"

/* --- the index of what is available -----------------------------------------------------------
 */

START_TEST(avail_index)
{
	static const struct {
		uint16_t ahead;
		bool legal;
	} cases[] = {{0, true},       {SIZE, true},    {SIZE + 1, false}, {60000, false},
	             {0xffff, false}, {0x7fff, false}, {0x8000, false}};

	for (unsigned i = 0; i < RTE_DIM(cases) * 4; i++) {
		struct rig_ring_config config = {
		        .to_guest = (i & 1) != 0, .size = SIZE, .begin = (i & 2) != 0 ? 65530 : 0};
		struct rig_driver *driver = rig_driver_open(&config);
		struct rig_pool *pool = rig_pool_open(64, 2048);
		bool legal = cases[i / 4].legal;

		for (uint32_t k = 0; k < SIZE; k++)
			rig_post_one(driver, RIG_DATA + k * GOOD, GOOD);
		driver->view.avail->idx = (uint16_t)(config.begin + cases[i / 4].ahead);
		rig_expect(walk(driver, pool) == (legal ? cases[i / 4].ahead : 0));
		rig_expect(rig_fault(driver) == (legal ? FAULT_NONE : FAULT_AVAIL_INDEX));
		rig_pool_close(pool);
		rig_driver_close(driver);
	}
}
END_TEST

/* --- the end of all addresses -----------------------------------------------------------------
 */

/* With memory at the end of the address space and at its beginning, a buffer or a table does not go
 * on from one to the other. */
START_TEST(last_address)
{
	for (unsigned i = 0; i < 8; i++) {
		bool in_table = (i & 4) != 0;
		struct rig_ring_config config = {
		        .packed = (i & 1) != 0, .to_guest = (i & 2) != 0, .size = SIZE};

		for (uint32_t over = 0; over < 2; over++) {
			struct rig_driver *driver = rig_driver_open(&config);
			struct rig_pool *pool = rig_pool_open(64, 2048);
			struct memory_region top = {-(uint64_t)RIG_PAGE, RIG_PAGE,
			                            rig_map(RIG_PAGE), RIG_PAGE};
			uint32_t length = in_table ? 16 * 2 : 72;

			rig_expect(memory_add(&driver->memory, &top));
			rig_region_add(&driver->memory, 0, RIG_PAGE);
			if (in_table)
				rig_post_mixed(driver,
				               (struct rig_piece[]){{PLACE, 72}, {PLACE + 72, 72}},
				               2, 0, over == 0 ? -(uint64_t)length : PLACE + 2048);
			else
				rig_post_one(driver, 0, 72);
			driver->view.split[driver->view.is_packed ? 0 : driver->posted[0].id].addr =
			        -(uint64_t)length + over;
			rig_expect(walk(driver, pool) == 1 - over);
			rig_expect(rig_fault(driver) == (over > 0 ? FAULT_ADDRESS : FAULT_NONE));
			rig_pool_close(pool);
			rig_driver_close(driver);
		}
	}
}
END_TEST

/* Tables of nothing but empty descriptors, in as many buffers as the ring has: that ends, and so do
 * the calls after it. */
START_TEST(nothing_but_zeros)
{
	for (unsigned packed = 0; packed < 2; packed++)
		for (uint32_t size = 1; size <= 32768; size *= 32) {
			struct rig_ring_config config = {.packed = packed != 0,
			                                 .to_guest = true,
			                                 .size = size,
			                                 .mergeable = true,
			                                 .data_size = 0x100000};
			struct rig_driver *driver = rig_driver_open(&config);
			struct rig_pool *pool = rig_pool_open(64, 2048);
			struct rig_piece *pieces = calloc(size, sizeof(*pieces));

			rig_expect(pieces != NULL);
			for (uint32_t i = 0; i < size; i++)
				pieces[i].address = RIG_DATA;
			pieces[0].length = 12;
			rig_post_mixed(driver, pieces, size, 0, RIG_DATA + 0x1000);
			/* All others are the same buffer. */
			for (uint32_t i = 1; i < size; i++)
				rig_post_mixed(driver, (struct rig_piece[]){{RIG_DATA, 0}}, 1, 0,
				               RIG_DATA + 0x1000 + 16UL * size);
			for (uint32_t i = 0; i < size; i++)
				if (i != (packed ? 0 : driver->posted[0].id)) {
					driver->view.split[i].addr = RIG_DATA + 0x1010;
					driver->view.split[i].len = 16 * RTE_MAX(size - 1, 1U);
				}
			rig_expect(walk(driver, pool) == 0);
			rig_expect(rig_fault(driver) == FAULT_NONE ||
			           (size > 128 && rig_fault(driver) != FAULT_NONE));
			rig_expect(driver->virtqueue.refused == (rig_fault(driver) == FAULT_NONE));
			free(pieces);
			rig_pool_close(pool);
			rig_driver_close(driver);
		}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("fault_limits");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, avail_index);
	tcase_add_test(tcase, last_address);
	tcase_add_test(tcase, nothing_but_zeros);
	return suite_main("fault_limits", tcase);
}
