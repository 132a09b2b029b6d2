/* What a front end may send as memory: kinds of files, sizes and offsets at their edges, regions
 * that overlap or wrap around; and that what is mapped is unmapped exactly.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "suite.h"
#include "vhost/memory_map.h"

#define SIZE UINT64_C(0x10000)

static int file;
static _Atomic bool lost;
static struct error err;
static unsigned mapped_before;

/* Lines of /proc/self/maps that are of our file. */
static unsigned count_maps(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	unsigned n = 0;

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps) != NULL)
		if (strstr(line, "/memfd:vhost-test") != NULL)
			n++;
	fclose(maps);
	return n;
}

static void set_up(void)
{
	file = memfd_create("vhost-test", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(file, SIZE), 0);
	lost = false;
	mapped_before = count_maps();
}

static void tear_down(void)
{
	ck_assert_uint_eq(count_maps(), mapped_before);
	close(file);
}

static bool can(int fd, uint64_t offset, uint64_t size)
{
	struct mapping mapping = {0};
	bool made = mapping_make(&mapping, fd, offset, size, &lost, &err) == 0;

	if (made) {
		ck_assert_uint_eq((uintptr_t)mapping.start % 4096, 0);
		ck_assert_uint_ge(mapping.length, size);
		mapping.data[0] = 1;
		mapping.data[size - 1] = 1;
	} else {
		ck_assert_str_ne(err.text, "");
		ck_assert_ptr_null(mapping.start);
	}
	mapping_end(&mapping);
	mapping_end(&mapping);
	return made;
}

START_TEST(edges)
{
	ck_assert(can(file, 0, SIZE));
	ck_assert(can(file, 0, 1));
	ck_assert(can(file, SIZE - 1, 1));
	ck_assert(can(file, 4096, SIZE - 4096));
	ck_assert(can(file, 4097, 100));
	ck_assert(can(file, 100, SIZE - 100));
	ck_assert(!can(file, 0, 0));
	ck_assert(!can(file, 0, SIZE + 1));
	ck_assert(!can(file, 1, SIZE));
	ck_assert(!can(file, SIZE, 1));
	ck_assert(!can(file, UINT64_MAX, 1));
	ck_assert(!can(file, 1, UINT64_MAX));
	ck_assert(!can(file, UINT64_MAX - 4095, 8192));
	ck_assert(!can(file, 0, UINT64_C(1) << 63));
	ck_assert(!can(file, UINT64_C(1) << 63, UINT64_C(1) << 63));
}
END_TEST

START_TEST(other_kinds_of_descriptors)
{
	int fds[8], pair[2], n = 0;

	fds[n++] = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_eq(pipe(pair), 0);
	fds[n++] = pair[0];
	fds[n++] = pair[1];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fds[n++] = pair[0];
	fds[n++] = pair[1];
	fds[n++] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	fds[n++] = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	fds[n++] = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < n; i++) {
		ck_assert(!can(fds[i], 0, 4096));
		close(fds[i]);
	}
	ck_assert(!can(-1, 0, 4096));
}
END_TEST

START_TEST(a_file_that_may_not_be_written)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert(!can(fd, 0, SIZE));
	close(fd);
}
END_TEST

static struct message_region region(uint64_t guest, uint64_t size, uint64_t front, uint64_t offset)
{
	return (struct message_region){guest, size, front, offset};
}

START_TEST(the_same_as_now)
{
	struct message_region regions[2] = {region(0, 0x4000, 0x10000, 0),
	                                    region(0x8000, 0x4000, 0x20000, 0x4000)};
	struct message_region other[2];
	struct memory_map map = {0}, none = {0};
	int fds[3] = {file, file, dup(file)};

	ck_assert_int_eq(memory_map_make(&map, regions, fds, 2, &none, &lost, &err), 0);
	ck_assert(memory_map_is(&map, regions, fds, 2));
	ck_assert(memory_map_is(&map, regions, fds + 1, 2)); /* by whatever descriptor */
	ck_assert(!memory_map_is(&map, regions, fds, 1));
	other[0] = regions[1];
	other[1] = regions[0];
	ck_assert(memory_map_is(&map, other, fds, 2));
	other[1] = regions[1];
	ck_assert(!memory_map_is(&map, other, fds, 2));
	for (unsigned field = 0; field < 4; field++) {
		memcpy(other, regions, sizeof(other));
		((uint64_t *)&other[1])[field] += field == 1 ? -1ULL : 1;
		ck_assert(!memory_map_is(&map, other, fds, 2));
		ck_assert_int_eq(memory_map_find(&map, &other[1], file), -1);
	}
	ck_assert_int_eq(memory_map_find(&map, &regions[1], file), 1);
	regions[1].file_offset = 0;
	ck_assert_int_eq(memory_map_find(&map, &regions[1], -1), 1);
	ck_assert_int_eq(memory_map_find(&map, &regions[1], file), -1);
	memory_map_end(&map, NULL);
	close(fds[2]);
}
END_TEST

/* What stays is not mapped again, and what goes is unmapped, whichever of the two is ended. */
START_TEST(one_map_after_another)
{
	struct message_region regions[3] = {region(0, 0x4000, 0x10000, 0),
	                                    region(0x8000, 0x4000, 0x20000, 0x4000),
	                                    region(0x10000, 0x4000, 0x30000, 0x8000)};
	int fds[3] = {file, file, file};
	struct memory_map map = {0}, next = {0};

	ck_assert_int_eq(memory_map_make(&map, regions, fds, 2, &next, &lost, &err), 0);
	ck_assert_int_eq(memory_map_make(&next, regions + 1, fds, 2, &map, &lost, &err), 0);
	ck_assert_ptr_eq(next.regions[0].mapping.start, map.regions[1].mapping.start);
	ck_assert_uint_eq(count_maps(), mapped_before + 3);
	memory_map_end(&next, &map);
	ck_assert_uint_eq(count_maps(), mapped_before + 2);
	ck_assert_int_eq(memory_map_make(&next, regions + 1, fds, 2, &map, &lost, &err), 0);
	memory_map_end(&map, &next);
	ck_assert_uint_eq(count_maps(), mapped_before + 2);
	next.regions[0].mapping.data[0x3fff] = 1;
	/* One that cannot be mapped, after one that can: nothing is left of either. */
	regions[0].file_offset = 0xc000;
	regions[1].size = SIZE;
	ck_assert_int_lt(memory_map_make(&map, regions, fds, 2, &next, &lost, &err), 0);
	ck_assert_uint_eq(count_maps(), mapped_before + 2);
	memory_map_end(&next, NULL);
}
END_TEST

/* The same part of a file twice, as nobody needs it: two mappings, each unmapped once. */
START_TEST(a_part_twice)
{
	struct message_region regions[2] = {region(0, 0x4000, 0x10000, 0),
	                                    region(0x8000, 0x4000, 0x20000, 0)};
	int fds[2] = {file, file};
	struct memory_map map = {0}, next = {0};

	ck_assert_int_eq(memory_map_make(&map, regions, fds, 2, &next, &lost, &err), 0);
	ck_assert_int_eq(memory_map_make(&next, regions, fds, 2, &map, &lost, &err), 0);
	ck_assert_ptr_ne(next.regions[0].mapping.start, next.regions[1].mapping.start);
	memory_map_end(&map, &next);
	memory_map_end(&next, NULL);
}
END_TEST

static bool can_be_a_table(struct message_region a, struct message_region b)
{
	struct message_region regions[2] = {a, b};
	struct memory_map map = {0}, none = {0};
	int fds[2] = {file, file};
	struct memory *memory;

	ck_assert_int_eq(memory_map_make(&map, regions, fds, 2, &none, &lost, &err), 0);
	err.text[0] = '\0';
	memory = memory_map_table(&map, &err);
	if (memory == NULL)
		ck_assert_str_ne(err.text, "");
	else
		ck_assert_uint_eq(memory->n_regions, 2);
	free(memory);
	memory_map_end(&map, NULL);
	return memory != NULL;
}

START_TEST(tables)
{
	struct message_region a = region(0x10000, 0x4000, 0x10000, 0);

	ck_assert(can_be_a_table(a, region(0x14000, 0x4000, 0x14000, 0)));
	ck_assert(can_be_a_table(a, region(0xc000, 0x4000, 0xc000, 0)));
	ck_assert(!can_be_a_table(a, a));
	ck_assert(!can_be_a_table(a, region(0x13fff, 0x4000, 0x14000, 0)));
	ck_assert(!can_be_a_table(a, region(0x14000, 0x4000, 0x13fff, 0)));
	ck_assert(!can_be_a_table(a, region(0xc001, 0x4000, 0, 0)));
	ck_assert(!can_be_a_table(a, region(0, 0x4000, 0xc001, 0)));
	ck_assert(!can_be_a_table(a, region(UINT64_MAX - 0x3ffe, 0x4000, 0, 0)));
	ck_assert(!can_be_a_table(a, region(0, 0x4000, UINT64_MAX - 0x3ffe, 0)));
	ck_assert(can_be_a_table(a, region(UINT64_MAX - 0x3fff, 0x4000, 0, 0)));
}
END_TEST

START_TEST(no_more_than_there_are_slots)
{
	struct memory_map map = {0};

	for (unsigned i = 0; i < MEMORY_REGIONS_MAX; i++) {
		struct message_region one = region(i * SIZE, 4096, i * SIZE, 0);

		ck_assert_int_eq(memory_map_add(&map, &one, file, &lost, &err), 0);
	}
	struct message_region one = region(SIZE << 8, 4096, SIZE << 8, 0);

	ck_assert_int_lt(memory_map_add(&map, &one, file, &lost, &err), 0);
	ck_assert_uint_eq(map.n_regions, MEMORY_REGIONS_MAX);
	memory_map_end(&map, NULL);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("memory_map");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, edges);
	tcase_add_test(tcase, other_kinds_of_descriptors);
	tcase_add_test(tcase, a_file_that_may_not_be_written);
	tcase_add_test(tcase, the_same_as_now);
	tcase_add_test(tcase, one_map_after_another);
	tcase_add_test(tcase, a_part_twice);
	tcase_add_test(tcase, tables);
	tcase_add_test(tcase, no_more_than_there_are_slots);
	return suite_main("memory_map", tcase);
}
