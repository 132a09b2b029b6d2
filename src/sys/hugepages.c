/* Hugepages and what limits them. See hugepages.h. */
#include "sys/hugepages.h"

#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/parse.h"
#include "sys/sysfs.h"

#define MB (UINT64_C(1) << 20)

#define MOUNTS_MAX 64
#define MAPS_SPARE 64 /* mappings: with no more than these left, they are what is missing */

/* --- mounts ----------------------------------------------------------------------------------- */

/* "2M", "1G", "2048K" or bytes; 0 when it is none of them. */
static uint64_t size_parse(const char *text, size_t len)
{
	char digits[24];
	uint64_t value;
	unsigned shift = 0;

	if (len > 0 && strchr("kKmMgG", text[len - 1]) != NULL)
		shift = strchr("kK", text[--len]) != NULL ? 10
		        : strchr("mM", text[len]) != NULL ? 20
		                                          : 30;
	snprintf(digits, sizeof(digits), "%.*s", (int)len, text);
	return parse_u64(digits, 0, UINT64_MAX >> shift, &value) == 0 ? value << shift : 0;
}

static FILE *proc_open(const char *proc, const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", proc, name);

	return n > 0 && (size_t)n < sizeof(path) ? fopen(path, "re") : NULL;
}

uint64_t hugepages_default_bytes(const char *proc)
{
	unsigned long long kb = 0;
	char line[128];
	FILE *file = proc_open(proc, "meminfo");

	while (file != NULL && kb == 0 && fgets(line, sizeof(line), file) != NULL)
		(void)sscanf(line, "Hugepagesize: %llu kB", &kb);
	if (file != NULL)
		fclose(file);
	return kb * 1024;
}

static void mount_fill(struct hugepages_mount *mount, const struct mntent *entry, const char *proc)
{
	const char *size = strstr(entry->mnt_opts, "pagesize=");

	(void)string_copy(mount->directory, sizeof(mount->directory), entry->mnt_dir);
	mount->read_only = hasmntopt(entry, "ro") != NULL;
	mount->page_bytes = 0;
	if (size != NULL) {
		size += strlen("pagesize=");
		mount->page_bytes = size_parse(size, strcspn(size, ","));
	}
	if (mount->page_bytes == 0)
		mount->page_bytes = hugepages_default_bytes(proc);
}

struct hugepages_mount *hugepages_mounts(const char *proc, size_t *count)
{
	FILE *file = proc_open(proc, "self/mounts");
	struct hugepages_mount *mounts = NULL;
	struct mntent entry;
	char text[4096];

	*count = 0;
	while (file != NULL && *count < MOUNTS_MAX &&
	       getmntent_r(file, &entry, text, sizeof(text)) != NULL) {
		struct hugepages_mount *more;

		if (strcmp(entry.mnt_type, "hugetlbfs") != 0)
			continue;
		more = reallocarray(mounts, *count + 1, sizeof(*mounts));
		if (more == NULL)
			break;
		mounts = more;
		mount_fill(&mounts[(*count)++], &entry, proc);
	}
	if (file != NULL)
		endmntent(file);
	return mounts;
}

const struct hugepages_mount *hugepages_mount_find(const struct hugepages_mount *mounts,
                                                   size_t count, const char *directory)
{
	for (size_t i = count; i-- > 0;) {
		size_t len = strlen(mounts[i].directory);

		if (directory[0] == '\0' || (strncmp(directory, mounts[i].directory, len) == 0 &&
		                             (directory[len] == '\0' || directory[len] == '/')))
			return &mounts[i];
	}
	return NULL;
}

/* --- pages ------------------------------------------------------------------------------------ */

int64_t hugepages_count(const char *sysfs, int node, uint64_t page_bytes, const char *name)
{
	unsigned long long kb = (unsigned long long)(page_bytes / 1024);
	int64_t value;
	int rc = node < 0 ? sysfs_read_number(&value, sysfs,
	                                      "kernel/mm/hugepages/hugepages-%llukB/%s", kb, name)
	                  : sysfs_read_number(
	                            &value, sysfs,
	                            "devices/system/node/node%d/hugepages/hugepages-%llukB/%s",
	                            node, kb, name);

	return rc < 0 ? -1 : value;
}

uint64_t hugepages_free_bytes(const char *sysfs, int node, uint64_t page_bytes)
{
	int64_t pages = hugepages_count(sysfs, node, page_bytes, "free_hugepages");

	/* A machine without NUMA in its sysfs. */
	if (pages < 0 && node == 0)
		pages = hugepages_count(sysfs, -1, page_bytes, "free_hugepages");
	return pages > 0 ? (uint64_t)pages * page_bytes : 0;
}

/* --- limits ----------------------------------------------------------------------------------- */

/* A mount without size= says 0 or all ones. */
static void look_at_mount(const struct hugepages_mount *mount, struct hugepages_room *out)
{
	struct statfs fs;

	if (mount == NULL)
		return;
	(void)string_copy(out->directory, sizeof(out->directory), mount->directory);
	if (statfs(mount->directory, &fs) < 0 || fs.f_blocks == 0 ||
	    fs.f_blocks > UINT64_MAX / 2 / (uint64_t)fs.f_bsize)
		return;
	out->mount_all = fs.f_blocks * (uint64_t)fs.f_bsize;
	out->mount_left = fs.f_bavail * (uint64_t)fs.f_bsize;
}

/* The names of the files in a cgroup's directory, in both versions: hugetlb.2MB.max. A limit may be
 * on what is reserved or on what is touched. */
static const struct {
	const char *limit, *used;
} cgroup_files[] = {
        {"max", "current"},
        {"rsvd.max", "rsvd.current"},
        {"limit_in_bytes", "usage_in_bytes"},
        {"rsvd.limit_in_bytes", "rsvd.usage_in_bytes"},
};

static void page_size_format(uint64_t page_bytes, char out[24])
{
	unsigned long long kb = (unsigned long long)(page_bytes / 1024);

	if (kb >= 1024 * 1024)
		snprintf(out, 24, "%lluGB", kb / 1024 / 1024);
	else if (kb >= 1024)
		snprintf(out, 24, "%lluMB", kb / 1024);
	else
		snprintf(out, 24, "%lluKB", kb);
}

/* One directory. "max" is no number, and no limit. */
static void look_at_cgroup(const char *sysfs, const char *directory, struct hugepages_room *out)
{
	char size[24];
	int64_t limit, used;

	page_size_format(out->page_bytes, size);
	for (size_t i = 0; i < sizeof(cgroup_files) / sizeof(cgroup_files[0]); i++) {
		if (sysfs_read_number(&limit, sysfs, "%s/hugetlb.%s.%s", directory, size,
		                      cgroup_files[i].limit) < 0 ||
		    sysfs_read_number(&used, sysfs, "%s/hugetlb.%s.%s", directory, size,
		                      cgroup_files[i].used) < 0 ||
		    limit < 0 || used < 0 || limit > INT64_MAX / 2)
			continue;
		uint64_t left = used < limit ? (uint64_t)(limit - used) : 0;
		if (left >= out->cgroup_left)
			continue;
		out->cgroup_all = (uint64_t)limit;
		out->cgroup_left = left;
		(void)string_copy(out->cgroup, sizeof(out->cgroup), directory);
	}
}

/* The cgroup and all above it, wherever its hierarchy is mounted. */
static void look_at_cgroups(const char *sysfs, char *cgroup, struct hugepages_room *out)
{
	static const char *const roots[] = {"fs/cgroup", "fs/cgroup/unified", "fs/cgroup/hugetlb"};
	char directory[PATH_MAX];

	for (;;) {
		for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
			int n = snprintf(directory, sizeof(directory), "%s%s", roots[i], cgroup);

			if (n > 0 && (size_t)n < sizeof(directory))
				look_at_cgroup(sysfs, directory, out);
		}
		char *slash = strrchr(cgroup, '/');
		if (slash == NULL || cgroup[1] == '\0')
			return;
		slash[slash == cgroup] = '\0';
	}
}

/* Lines are "0::/path", or "4:hugetlb:/path" in the older version. */
static void find_cgroups(const char *sysfs, const char *proc, struct hugepages_room *out)
{
	FILE *file = proc_open(proc, "self/cgroup");
	char line[PATH_MAX];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		char *controllers = strchr(line, ':');
		char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;

		line[strcspn(line, "\n")] = '\0';
		if (path == NULL || path[1] != '/')
			continue;
		*path = '\0';
		if (controllers[1] == '\0' || strstr(controllers, "hugetlb") != NULL)
			look_at_cgroups(sysfs, path + 1, out);
	}
	if (file != NULL)
		fclose(file);
}

static void count_maps(const char *proc, struct hugepages_room *out)
{
	int64_t limit;
	uint64_t used = 0;
	FILE *file = proc_open(proc, "self/maps");
	int c;

	if (file == NULL)
		return;
	while ((c = getc_unlocked(file)) != EOF)
		used += c == '\n';
	fclose(file);
	if (sysfs_read_number(&limit, proc, "sys/vm/max_map_count") < 0 || limit < 0)
		return;
	out->maps_all = (uint64_t)limit;
	out->maps_left = used < (uint64_t)limit ? (uint64_t)limit - used : 0;
}

void hugepages_look(const char *sysfs, const char *proc, const struct hugepages_mount *mount,
                    uint64_t page_bytes, struct hugepages_room *out)
{
	*out = (struct hugepages_room){.page_bytes = page_bytes,
	                               .mount_left = HUGEPAGES_UNLIMITED,
	                               .cgroup_left = HUGEPAGES_UNLIMITED,
	                               .maps_left = HUGEPAGES_UNLIMITED};
	look_at_mount(mount, out);
	if (page_bytes > 0)
		find_cgroups(sysfs, proc, out);
	count_maps(proc, out);
}

static unsigned long long mb(uint64_t bytes)
{
	return (unsigned long long)(bytes / MB);
}

enum hugepages_lack hugepages_judge(const struct hugepages_room *room, uint64_t wanted,
                                    struct error *what, struct error *remedy)
{
	unsigned long long wanted_mb = mb(wanted + MB - 1);

	if (room->mount_left < wanted && room->mount_left <= room->cgroup_left) {
		error_set(what, ENOMEM,
		          "the hugetlbfs at %.120s is mounted with a size of %llu MB, of which "
		          "%llu MB are left, and %llu MB are wanted",
		          room->directory, mb(room->mount_all), mb(room->mount_left), wanted_mb);
		error_set(remedy, ENOMEM,
		          "mount it with a larger size=, or without one (umount %.120s; its size "
		          "cannot be changed while it is mounted), or name another one with "
		          "--huge-dir",
		          room->directory);
		return HUGEPAGES_MOUNT;
	}
	if (room->cgroup_left < wanted) {
		error_set(what, ENOMEM,
		          "the cgroup at %.120s may have %llu MB of such hugepages, of which %llu "
		          "MB are left, and %llu MB are wanted",
		          room->cgroup, mb(room->cgroup_all), mb(room->cgroup_left), wanted_mb);
		error_set(remedy, ENOMEM,
		          "raise its hugetlb limit (the container's limit of hugepages-…, or the "
		          "files hugetlb.*.max there)");
		return HUGEPAGES_CGROUP;
	}
	if (room->maps_left < MAPS_SPARE) {
		error_set(what, ENOMEM,
		          "this process has all but %llu of the %llu mappings that it may have",
		          (unsigned long long)room->maps_left, (unsigned long long)room->maps_all);
		error_set(remedy, ENOMEM,
		          "sysctl -w vm.max_map_count=%llu, and the same in /etc/sysctl.d",
		          2 * (unsigned long long)room->maps_all);
		return HUGEPAGES_MAPS;
	}
	return HUGEPAGES_ENOUGH;
}

int hugepages_explain(const char *sysfs, const char *proc, const char *huge_dir, int node,
                      uint64_t wanted, struct error *err)
{
	size_t count;
	struct hugepages_mount *mounts = hugepages_mounts(proc, &count);
	char *real = huge_dir != NULL && huge_dir[0] != '\0' ? realpath(huge_dir, NULL) : NULL;
	const struct hugepages_mount *mount =
	        huge_dir == NULL
	                ? NULL
	                : hugepages_mount_find(mounts, count, real != NULL ? real : huge_dir);
	uint64_t page_bytes = mount != NULL ? mount->page_bytes : hugepages_default_bytes(proc);
	struct hugepages_room *room = malloc(sizeof(*room)); /* paths are long */
	struct error what, remedy;
	uint64_t left = page_bytes > 0 ? hugepages_free_bytes(sysfs, node, page_bytes) : 0;

	if (room != NULL)
		hugepages_look(sysfs, proc, mount, page_bytes, room);
	free(mounts);
	free(real);
	if (room != NULL && hugepages_judge(room, wanted, &what, &remedy) != HUGEPAGES_ENOUGH)
		error_set(err, ENOMEM, "%s: %s", what.text, remedy.text);
	else if (left < wanted)
		error_set(err, ENOMEM,
		          "NUMA node %d has %llu MB of free hugepages, and %llu MB are wanted: "
		          "reserve more (/sys/devices/system/node/node%d/hugepages), or set up "
		          "fewer VF queues (--max-queues)",
		          node, mb(left), mb(wanted + MB - 1), node);
	else
		error_set(err, ENOMEM,
		          "DPDK gets no more, though NUMA node %d has %llu MB of free hugepages: "
		          "its own lines in the log say why; what --eal says of memory may be in "
		          "the way",
		          node, mb(left));
	free(room);
	return -ENOMEM;
}
