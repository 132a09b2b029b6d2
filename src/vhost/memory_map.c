/* See memory_map.h. */
#include "vhost/memory_map.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "vhost/sigbus.h"

#ifndef HUGETLBFS_MAGIC
#define HUGETLBFS_MAGIC 0x958458f6
#endif

bool file_part_equal(const struct file_part *a, const struct file_part *b)
{
	return a->device == b->device && a->inode == b->inode && a->offset == b->offset &&
	       a->size == b->size;
}

/* Also *page: what the file consists of. */
static int part_look(struct file_part *part, uint64_t *page, int fd, uint64_t offset, uint64_t size,
                     struct error *err)
{
	struct statfs file_system;
	struct stat st;

	if (fstat(fd, &st) < 0 || fstatfs(fd, &file_system) < 0)
		return error_set(err, errno, "sent a file that cannot be looked at: %s",
		                 strerror(errno));
	if (!S_ISREG(st.st_mode) ||
	    (file_system.f_type != TMPFS_MAGIC &&
	     (unsigned long)file_system.f_type != (unsigned long)HUGETLBFS_MAGIC))
		return error_set(err, EINVAL,
		                 "sent memory that is no file of tmpfs or hugetlbfs; give the "
		                 "guest shared memory (QEMU: memory-backend-memfd, share=on)");
	if (size == 0 || offset + size < offset || offset + size > (uint64_t)st.st_size)
		return error_set(err, EINVAL,
		                 "sent a file of %" PRIu64 " bytes as memory from %" PRIu64
		                 " on, with %" PRIu64 " bytes",
		                 (uint64_t)st.st_size, offset, size);
	*part = (struct file_part){st.st_dev, st.st_ino, offset, size};
	*page = (uint64_t)st.st_blksize;
	return 0;
}

int file_part_find(struct file_part *part, int fd, uint64_t offset, uint64_t size,
                   struct error *err)
{
	uint64_t page;

	return part_look(part, &page, fd, offset, size, err);
}

int mapping_make(struct mapping *mapping, int fd, uint64_t offset, uint64_t size,
                 _Atomic bool *lost, struct error *err)
{
	struct file_part part = {0};
	uint64_t page = 1, from, length;
	void *start;

	if (part_look(&part, &page, fd, offset, size, err) < 0)
		return -err->code;
	from = offset - offset % page;
	length = offset + size - from + (page - 1);
	length -= length % page;
	start = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
	             (off_t)from);
	if (start == MAP_FAILED)
		return error_set(err, errno, "sent memory of %" PRIu64 " bytes, to be mapped: %s",
		                 size, strerror(errno));
	if (sigbus_add(start, length, lost) < 0) {
		munmap(start, length);
		return error_set(err, ENOSPC, "sent one region more than can be watched over");
	}
	/* Not into a core file: it may be all of a machine's memory, and is the guest's. */
	(void)madvise(start, length, MADV_DONTDUMP);
	*mapping = (struct mapping){part, start, length, (uint8_t *)start + (offset - from)};
	return 0;
}

void mapping_end(struct mapping *mapping)
{
	if (mapping->start != NULL) {
		sigbus_remove(mapping->start);
		munmap(mapping->start, mapping->length);
	}
	memset(mapping, 0, sizeof(*mapping));
}

static const struct mapping *mapping_find(const struct memory_map *map,
                                          const struct file_part *part)
{
	for (uint32_t i = 0; i < map->n_regions; i++)
		if (file_part_equal(&map->regions[i].mapping.part, part))
			return &map->regions[i].mapping;
	return NULL;
}

static bool has_mapping(const struct memory_map *map, const uint8_t *start)
{
	for (uint32_t i = 0; map != NULL && i < map->n_regions; i++)
		if (map->regions[i].mapping.start == start)
			return true;
	return false;
}

static int region_make(struct memory_map_region *region, const struct message_region *described,
                       int fd, const struct memory_map *current, const struct memory_map *made,
                       _Atomic bool *lost, struct error *err)
{
	const struct mapping *mapped;
	struct file_part part = {0};

	region->guest_address = described->guest_address;
	region->front_end_address = described->front_end_address;
	if (file_part_find(&part, fd, described->file_offset, described->size, err) < 0)
		return -err->code;
	mapped = mapping_find(current, &part);
	/* Each mapping has one region, also where two of these are the same part. */
	if (mapped != NULL && !has_mapping(made, mapped->start)) {
		region->mapping = *mapped;
		return 0;
	}
	return mapping_make(&region->mapping, fd, described->file_offset, described->size, lost,
	                    err);
}

int memory_map_make(struct memory_map *map, const struct message_region *regions, const int *fds,
                    uint32_t n, const struct memory_map *current, _Atomic bool *lost,
                    struct error *err)
{
	map->n_regions = 0;
	while (map->n_regions < n) {
		uint32_t i = map->n_regions;

		if (region_make(&map->regions[i], &regions[i], fds[i], current, map, lost, err) <
		    0) {
			memory_map_end(map, current);
			return -err->code;
		}
		map->n_regions++;
	}
	return 0;
}

int memory_map_add(struct memory_map *map, const struct message_region *region, int fd,
                   _Atomic bool *lost, struct error *err)
{
	struct memory_map_region *added = &map->regions[map->n_regions];

	if (map->n_regions == MEMORY_REGIONS_MAX)
		return error_set(err, ENOSPC, "sent more than %u memory regions",
		                 MEMORY_REGIONS_MAX);
	memset(added, 0, sizeof(*added));
	added->guest_address = region->guest_address;
	added->front_end_address = region->front_end_address;
	if (mapping_make(&added->mapping, fd, region->file_offset, region->size, lost, err) < 0)
		return -err->code;
	map->n_regions++;
	return 0;
}

void memory_map_end(struct memory_map *map, const struct memory_map *other)
{
	for (uint32_t i = 0; i < map->n_regions; i++)
		if (!has_mapping(other, map->regions[i].mapping.start))
			mapping_end(&map->regions[i].mapping);
	map->n_regions = 0;
}

static bool region_is(const struct memory_map_region *region,
                      const struct message_region *described)
{
	return region->guest_address == described->guest_address &&
	       region->front_end_address == described->front_end_address &&
	       region->mapping.part.size == described->size;
}

int memory_map_find(const struct memory_map *map, const struct message_region *region, int fd)
{
	struct file_part part = {0};
	struct error err;

	if (fd >= 0 && file_part_find(&part, fd, region->file_offset, region->size, &err) < 0)
		return -1;
	for (uint32_t i = 0; i < map->n_regions; i++)
		if (region_is(&map->regions[i], region) &&
		    (fd < 0 || file_part_equal(&map->regions[i].mapping.part, &part)))
			return (int)i;
	return -1;
}

/* Regions of a map do not overlap, so n different ones that are all found are all there are;
 * the same one twice is not. */
bool memory_map_is(const struct memory_map *map, const struct message_region *regions,
                   const int *fds, uint32_t n)
{
	uint32_t found = 0;

	if (map->n_regions != n)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		int at = memory_map_find(map, &regions[i], fds[i]);

		if (at < 0 || (found & UINT32_C(1) << at) != 0)
			return false;
		found |= UINT32_C(1) << at;
	}
	return true;
}

struct memory *memory_map_table(const struct memory_map *map, struct error *err)
{
	struct memory *memory = calloc(1, sizeof(*memory));

	if (memory == NULL) {
		error_set(err, ENOMEM, "needs a table of its memory, for which there is none left");
		return NULL;
	}
	for (uint32_t i = 0; i < map->n_regions; i++) {
		const struct memory_map_region *region = &map->regions[i];

		if (memory_add(memory, &(struct memory_region){
		                               .guest_address = region->guest_address,
		                               .size = region->mapping.part.size,
		                               .data = region->mapping.data,
		                               .front_end_address = region->front_end_address}))
			continue;
		error_set(err, EINVAL,
		          "sent memory regions that overlap or wrap around (that of %" PRIu64
		          " bytes at 0x%" PRIx64 ")",
		          region->mapping.part.size, region->guest_address);
		free(memory);
		return NULL;
	}
	return memory;
}
