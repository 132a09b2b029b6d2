/* A guest's memory as a table of regions: which ones are accepted, where addresses lead, and which
 * pages a log gets.
 */
#include <check.h>

#include "guest_memory_rig.h"
#include "suite.h"

#define LAST UINT64_MAX

static struct memory_region region_of(uint64_t guest_address, uint64_t size,
                                      uint64_t front_end_address)
{
	static uint8_t nothing;

	return (struct memory_region){guest_address, size, &nothing, front_end_address};
}

START_TEST(regions)
{
	static const struct {
		uint64_t guest_address, size, front_end_address;
		bool accepted;
	} cases[] = {
	        /* Beside one of 0x1000 bytes at 0x10000, which the front end has at 0x50000. */
	        {0x20000, 0x1000, 0x70000, true},
	        {0x20000, 0, 0x70000, false},
	        {0x11000, 0x1000, 0x70000, true},
	        {0x10fff, 0x1000, 0x70000, false},
	        {0xf000, 0x1000, 0x70000, true},
	        {0xf000, 0x1001, 0x70000, false},
	        {0x10000, 0x1000, 0x70000, false},
	        {0x10800, 1, 0x70000, false},
	        {0, 0x100000, 0x70000, false},
	        {0x20000, 0x1000, 0x51000, true},
	        {0x20000, 0x1000, 0x50fff, false},
	        {0x20000, 0x1000, 0x4f000, true},
	        {0x20000, 0x1001, 0x4f000, false},
	        {0x20000, 0x1000, 0x50000, false},
	        {LAST, 1, 0x70000, true},
	        {LAST, 2, 0x70000, false},
	        {LAST - 0xfff, 0x1000, 0x70000, true},
	        {LAST - 0xfff, 0x1001, 0x70000, false},
	        {0x20000, 1, LAST, true},
	        {0x20000, 2, LAST, false},
	        {0x20000, LAST, 0x70000, false},
	        {0x20000, LAST - 0x20000, 0, false},
	        {0, LAST, 0, false},
	};

	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		struct memory memory = {0};
		struct memory_region first = region_of(0x10000, 0x1000, 0x50000);
		struct memory_region second = region_of(cases[i].guest_address, cases[i].size,
		                                        cases[i].front_end_address);

		ck_assert(memory_add(&memory, &first));
		ck_assert_msg(memory_add(&memory, &second) == cases[i].accepted, "case %u", i);
		ck_assert_uint_eq(memory.n_regions, cases[i].accepted ? 2 : 1);
	}
}
END_TEST

/* As many as there is room for, in whatever order; they are kept by address. */
START_TEST(order)
{
	struct memory memory = {0};

	for (uint64_t i = 0; i <= MEMORY_REGIONS_MAX; i++) {
		uint64_t at = (i * 13 % (MEMORY_REGIONS_MAX + 1)) * 0x2000;
		struct memory_region region = region_of(at, 0x1000, at);

		ck_assert(memory_add(&memory, &region) == (i < MEMORY_REGIONS_MAX));
		for (uint32_t k = 1; k < memory.n_regions; k++)
			ck_assert(memory.regions[k - 1].guest_address <
			          memory.regions[k].guest_address);
	}
	for (uint32_t i = 0; i < MEMORY_REGIONS_MAX; i++) {
		const struct memory_region *region = &memory.regions[i];

		ck_assert_ptr_eq(memory_find(&memory, region->guest_address), region);
		ck_assert_ptr_eq(memory_find(&memory, region->guest_address + 0xfff), region);
		ck_assert_ptr_null(memory_find(&memory, region->guest_address + 0x1000));
		ck_assert_ptr_null(memory_find(&memory, region->guest_address - 1));
	}
	memory.n_regions = 0;
	ck_assert_ptr_null(memory_find(&memory, 0));
}
END_TEST

START_TEST(room)
{
	static const uint64_t bases[] = {0, 0x10000, LAST - 0xfff};

	for (unsigned i = 0; i < RTE_DIM(bases); i++) {
		struct memory_region region = region_of(bases[i], 0x1000, 0);

		ck_assert_uint_eq(memory_region_room(&region, bases[i]), 0x1000);
		ck_assert_uint_eq(memory_region_room(&region, bases[i] + 0xfff), 1);
		ck_assert_uint_eq(memory_region_room(&region, bases[i] + 0x1000), 0);
		ck_assert_uint_eq(memory_region_room(&region, bases[i] - 1), 0);
		ck_assert_uint_eq(memory_region_room(&region, bases[i] + (1ULL << 63)), 0);
	}
}
END_TEST

/* A ring's area lies in one region as a whole, aligned on both sides. */
START_TEST(areas)
{
	static const struct {
		uint64_t offset, size, alignment;
		bool found;
	} cases[] = {
	        {0, 1, 1, true},           {0, 0x1000, 16, true},    {0, 0x1001, 16, false},
	        {0xff0, 16, 16, true},     {0xff0, 17, 16, false},   {0xff8, 8, 16, false},
	        {0xffe, 2, 2, true},       {0xfff, 1, 1, true},      {0xfff, 1, 2, false},
	        {0x1000, 1, 1, true},      {0x1800, 0x800, 2, true}, {0x2000, 1, 1, false},
	        {LAST, 1, 1, false},       {0x1000, LAST, 1, false}, {0, LAST, 1, false},
	        {0x1000, 0x1000, 1, true}, {0xfff, 2, 1, false},     {8, 8, 8, true},
	        {4, 8, 8, false},          {0x1001, 1, 2, false},
	};
	struct memory memory = {0};
	uint64_t guest_address;

	rig_region_add(&memory, RIG_PAGE * 5, RIG_PAGE);
	rig_region_add(&memory, RIG_PAGE * 6, RIG_PAGE);
	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		uint64_t at = RIG_PAGE * 5 + cases[i].offset;
		uint8_t *found = memory_of_front_end(&memory, at + RIG_FRONT_END, cases[i].size,
		                                     cases[i].alignment, &guest_address);

		ck_assert_msg((found != NULL) == cases[i].found, "case %u", i);
		if (found == NULL)
			continue;
		ck_assert_ptr_eq(found, rig_at(&memory, at));
		ck_assert_uint_eq(guest_address, at);
	}
	/* In our address space, too. */
	memory.regions[1].data += 8;
	memory.regions[1].size -= 8;
	ck_assert_ptr_null(
	        memory_of_front_end(&memory, RIG_PAGE * 6 + RIG_FRONT_END, 16, 16, &guest_address));
	ck_assert_ptr_nonnull(
	        memory_of_front_end(&memory, RIG_PAGE * 6 + RIG_FRONT_END, 16, 8, &guest_address));
	memory.regions[1].data -= 8;
	memory.regions[1].size += 8;
	rig_memory_free(&memory);
}
END_TEST

START_TEST(reading)
{
	struct memory memory = {0};
	uint8_t bytes[64], expected[64];

	rig_region_add(&memory, RIG_PAGE * 6, RIG_PAGE);
	rig_region_add(&memory, RIG_PAGE * 5, RIG_PAGE);
	for (uint64_t i = 0; i < 2 * RIG_PAGE; i++)
		*rig_at(&memory, RIG_PAGE * 5 + i) = rig_frame_byte(1, (uint32_t)i);
	for (uint64_t at = RIG_PAGE * 5 - 70; at < RIG_PAGE * 7 + 3; at++)
		for (uint16_t n = 1; n <= 64; n += 3) {
			bool inside = at >= RIG_PAGE * 5 && at + n <= RIG_PAGE * 7;

			rig_expect(memory_read(&memory, at, bytes, n) == inside);
			if (!inside)
				continue;
			rig_read(&memory, at, expected, n);
			rig_expect(memcmp(bytes, expected, n) == 0);
		}
	rig_memory_free(&memory);
}
END_TEST

/* --- the log ----------------------------------------------------------------------------------
 */

/* Exactly the pages of which there is a byte; and those of a log that is shorter. */
START_TEST(log_pages)
{
	static const uint64_t sizes[] = {1, 2, 60, 4095, 4096, 4097, 40000, 70000};

	for (uint64_t log_size = 1; log_size <= 4; log_size++)
		for (uint64_t at = 0; at < 9 * RIG_PAGE; at += 409)
			for (unsigned i = 0; i < RTE_DIM(sizes); i++) {
				struct dirty_log log = rig_log_open(log_size);

				dirty_log_mark(&log, at, sizes[i]);
				for (uint64_t page = 0; page < log_size * 8; page++)
					rig_expect(rig_log_has(&log, page * RIG_PAGE) ==
					           (page >= at / RIG_PAGE &&
					            page <= (at + sizes[i] - 1) / RIG_PAGE));
				rig_log_close(&log);
			}
}
END_TEST

START_TEST(log_ends)
{
	struct dirty_log log = rig_log_open(3), none = {0};

	dirty_log_mark(&log, 24ULL * RIG_PAGE, 1);
	dirty_log_mark(&log, LAST, 1);
	dirty_log_mark(&log, LAST - RIG_PAGE, RIG_PAGE + 1ULL);
	dirty_log_mark(&none, 0, RIG_PAGE);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(log.bits[i], 0);
	/* What was set stays set. */
	dirty_log_mark(&log, 0, 1);
	dirty_log_mark(&log, RIG_PAGE, 1);
	dirty_log_mark(&log, 23ULL * RIG_PAGE, 100ULL * RIG_PAGE);
	dirty_log_mark(&log, 0, 1);
	ck_assert_uint_eq(log.bits[0], 3);
	ck_assert_uint_eq(log.bits[1], 0);
	ck_assert_uint_eq(log.bits[2], 0x80);
	rig_log_close(&log);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("memory");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, regions);
	tcase_add_test(tcase, order);
	tcase_add_test(tcase, room);
	tcase_add_test(tcase, areas);
	tcase_add_test(tcase, reading);
	tcase_add_test(tcase, log_pages);
	tcase_add_test(tcase, log_ends);
	return suite_main("memory", tcase);
}
