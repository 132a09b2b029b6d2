/* Files of a front end that are mapped into our memory: regions of a guest's, and the log of its
 * dirty pages. A file is mapped as long as somebody may touch it, so what is unmapped here has been
 * through a grace period; its descriptor is not kept. Protocol thread.
 */
#ifndef VHOST_MEMORY_MAP_H
#define VHOST_MEMORY_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vhost/message.h"
#include "virtqueue/memory.h"

/* Which bytes of which file: the same ones are the same memory, whatever descriptor brings them.
 * Plain data, which may be written down. */
struct file_part {
	uint64_t device, inode, offset, size;
};

/* A part of a file in our memory. All zeros: none. */
struct mapping {
	struct file_part part;
	uint8_t *start; /* what was mapped: whole pages of the file's kind, of `length` bytes */
	size_t length;
	uint8_t *data; /* [part.size], where the part begins */
};

/* A guest's memory: what its front end has said of a region, and where that is here. */
struct memory_map_region {
	uint64_t guest_address, front_end_address;
	struct mapping mapping;
};

struct memory_map {
	uint32_t n_regions;
	struct memory_map_region regions[MEMORY_REGIONS_MAX]; /* [n_regions] */
};

/* Maps a part of the file behind fd, which has to have it, and to lie in memory (tmpfs, hugetlbfs):
 * a page that another file system has to fetch may never come. *lost becomes true when pages of it
 * turn out to be gone. fd stays the caller's. 0 or -errno with err. */
int mapping_make(struct mapping *mapping, int fd, uint64_t offset, uint64_t size,
                 _Atomic bool *lost, struct error *err);
/* Harmless on one of all zeros, which it is then. */
void mapping_end(struct mapping *mapping);

/* Which part of a file fd and a message mean. 0 or -errno with err. */
int file_part_find(struct file_part *part, int fd, uint64_t offset, uint64_t size,
                   struct error *err);
bool file_part_equal(const struct file_part *a, const struct file_part *b);

/* Maps what n <= MEMORY_REGIONS_MAX regions with a descriptor each describe. What `current` has
 * mapped already is not mapped again: until one of the two is ended, with the other as `other`,
 * they have it in common. 0, or -errno with err; then nothing is mapped that was not before. */
int memory_map_make(struct memory_map *map, const struct message_region *regions, const int *fds,
                    uint32_t n, const struct memory_map *current, _Atomic bool *lost,
                    struct error *err);

/* Adds a region to a map, which others may share the mappings of. 0, or -errno with err. */
int memory_map_add(struct memory_map *map, const struct message_region *region, int fd,
                   _Atomic bool *lost, struct error *err);

/* Unmaps what is not used by `other` too, and forgets all. */
void memory_map_end(struct memory_map *map, const struct memory_map *other);

/* Whether regions with these descriptors are what `map` has, all of it and in whatever order. */
bool memory_map_is(const struct memory_map *map, const struct message_region *regions,
                   const int *fds, uint32_t n);

/* Index of the region that a message describes; by its file too if fd >= 0. -1 = none. */
int memory_map_find(const struct memory_map *map, const struct message_region *region, int fd);

/* The table that rings see, to be freed. NULL with err: regions overlap or wrap around, or there is
 * no memory. */
struct memory *memory_map_table(const struct memory_map *map, struct error *err);

#endif
