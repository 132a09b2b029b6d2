/* Hugepages: where hugetlbfs is mounted, how many there are for this process, and what keeps it
 * from having more: a node's free pages, the mount's size, a cgroup, or the number of mappings. The
 * kernel and DPDK say ENOMEM to all of them. The roots of proc and sysfs are parameters, for tests.
 * No state, any thread.
 */
#ifndef SYS_HUGEPAGES_H
#define SYS_HUGEPAGES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define HUGEPAGES_UNLIMITED UINT64_MAX

/* --- mounts ----------------------------------------------------------------------------------- */

struct hugepages_mount {
	char directory[PATH_MAX];
	uint64_t page_bytes; /* 0: not known */
	bool read_only;
};

/* The hugetlbfs mounts, in their order; an array to be freed, NULL when there are none. */
struct hugepages_mount *hugepages_mounts(const char *proc, size_t *count);
/* The one that counts for a directory, which covers earlier ones at the same place; "": the last
 * one. NULL when there is none. */
const struct hugepages_mount *hugepages_mount_find(const struct hugepages_mount *mounts,
                                                   size_t count, const char *directory);
/* Of mounts that name none, and without mounts; 0: this kernel has no hugepages. */
uint64_t hugepages_default_bytes(const char *proc);

/* --- pages ------------------------------------------------------------------------------------ */

/* Pages by the name of sysfs ("free_hugepages"); node -1: the whole machine's. -1: nobody knows. */
int64_t hugepages_count(const char *sysfs, int node, uint64_t page_bytes, const char *name);
/* Bytes that are free on a node; 0 when nobody knows. */
uint64_t hugepages_free_bytes(const char *sysfs, int node, uint64_t page_bytes);

/* --- what is in the way ----------------------------------------------------------------------- */

/* What this process may still take, in bytes, by each of those who limit it. */
struct hugepages_room {
	uint64_t page_bytes;
	char directory[PATH_MAX]; /* of the mount; "": there is none */
	uint64_t mount_all, mount_left;
	char cgroup[PATH_MAX]; /* the narrowest one, a directory of sysfs; "": none limits */
	uint64_t cgroup_all, cgroup_left;
	uint64_t maps_all, maps_left; /* mappings; of this process, so not for --check */
};

/* mount: NULL with --in-memory. */
void hugepages_look(const char *sysfs, const char *proc, const struct hugepages_mount *mount,
                    uint64_t page_bytes, struct hugepages_room *out);

enum hugepages_lack { HUGEPAGES_ENOUGH, HUGEPAGES_MOUNT, HUGEPAGES_CGROUP, HUGEPAGES_MAPS };

/* What keeps the process from taking so many bytes more, other than a node without free pages. Then
 * *what says it, and *remedy what to do. */
enum hugepages_lack hugepages_judge(const struct hugepages_room *room, uint64_t wanted,
                                    struct error *what, struct error *remedy);

/* Why so many bytes were not to be had on that node, and what to do, in err. The code stays the
 * caller's to set: it is ENOMEM here. huge_dir: as eal_args_huge_dir has it. -ENOMEM. */
int hugepages_explain(const char *sysfs, const char *proc, const char *huge_dir, int node,
                      uint64_t wanted, struct error *err);

#endif
