/* Hugepages: mounted, ours, enough of them on each node; and room for mappings.
 */
#include "preflight/checks.h"

#include <errno.h>
#include <limits.h>
#include <mntent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"
#include "config/eal_args.h"
#include "preflight/needs.h"
#include "sys/sysfs.h"
#include "sys/topology.h"

#define MB (UINT64_C(1) << 20)

#define EAL_BYTES  (8 * MB) /* DPDK's own, and the pool for guests without a VF */
#define MAPS_BASE  4096     /* mappings without hugepages: libraries, threads, guests' memory */
#define MOUNTS_MAX 64

/* --- mounts --------------------------------------------------------------------------------- */

struct mount {
	char directory[PATH_MAX];
	uint64_t page_bytes;
	bool read_only;
};

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

/* Of mounts that name none. */
static uint64_t default_page_bytes(const char *proc)
{
	char path[PATH_MAX], line[128];
	unsigned long long kb = 0;
	int n = snprintf(path, sizeof(path), "%s/meminfo", proc);
	FILE *file = n > 0 && (size_t)n < sizeof(path) ? fopen(path, "re") : NULL;

	while (file != NULL && kb == 0 && fgets(line, sizeof(line), file) != NULL)
		(void)sscanf(line, "Hugepagesize: %llu kB", &kb);
	if (file != NULL)
		fclose(file);
	return kb * 1024;
}

static void mount_fill(struct mount *mount, const struct mntent *entry, const char *proc)
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
		mount->page_bytes = default_page_bytes(proc);
}

/* The hugetlbfs mounts, in their order; an array to be freed, NULL when there are none. */
static struct mount *mounts_read(const char *proc, size_t *count)
{
	char path[PATH_MAX], text[4096];
	struct mntent entry;
	int n = snprintf(path, sizeof(path), "%s/self/mounts", proc);
	FILE *file = n > 0 && (size_t)n < sizeof(path) ? setmntent(path, "re") : NULL;
	struct mount *mounts = NULL;

	*count = 0;
	while (file != NULL && *count < MOUNTS_MAX &&
	       getmntent_r(file, &entry, text, sizeof(text)) != NULL) {
		struct mount *more;

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

/* The directory that the configuration names, links resolved; "" when DPDK is to choose. */
static void wanted_directory(const struct config *config, char out[PATH_MAX])
{
	char *real = config->huge_dir_given ? realpath(config->huge_dir, NULL) : NULL;

	out[0] = '\0';
	if (config->huge_dir_given)
		(void)string_copy(out, PATH_MAX, real != NULL ? real : config->huge_dir);
	free(real);
}

/* The last mount that counts: it covers earlier ones at the same place. */
static const struct mount *mount_find(const struct mount *mounts, size_t count, const char *wanted)
{
	for (size_t i = count; i-- > 0;) {
		size_t len = strlen(mounts[i].directory);

		if (wanted[0] == '\0' || (strncmp(wanted, mounts[i].directory, len) == 0 &&
		                          (wanted[len] == '\0' || wanted[len] == '/')))
			return &mounts[i];
	}
	return NULL;
}

static void report_not_mounted(struct picture *p, const char *wanted, const struct mount *other)
{
	struct finding *finding = report_add(p->report, FINDING_ERROR, "hugepages.not_mounted");
	const char *directory = wanted[0] != '\0' ? wanted : "/dev/hugepages";

	finding_what(finding, "no hugetlbfs is mounted%s%s", wanted[0] != '\0' ? " at " : "",
	             wanted);
	finding_why(finding,
	            "DPDK keeps packet buffers in hugepages, which it gets as files there");
	if (other != NULL)
		finding_remedy(finding,
		               "name the mount that is there (--huge-dir=%s, "
		               "VIRTIOFWD_HUGETLBFS_MOUNT_POINT), or mount -t hugetlbfs none %s",
		               other->directory, directory);
	else
		finding_remedy(finding,
		               "mkdir -p %s && mount -t hugetlbfs none %s, or --no-huge on "
		               "small hosts",
		               directory, directory);
}

/* DPDK locks the directory once for each page size that it finds mounted on it. */
static void check_twice(struct picture *p, const struct mount *mounts, size_t count,
                        const struct mount *used)
{
	size_t times = 0;
	bool sizes_differ = false;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(mounts[i].directory, used->directory) != 0)
			continue;
		times++;
		sizes_differ |= mounts[i].page_bytes != used->page_bytes;
	}
	if (times < 2)
		return;
	struct finding *finding =
	        report_add(p->report, sizes_differ ? FINDING_ERROR : FINDING_WARNING,
	                   "hugepages.mounted_twice");
	finding_what(finding, "hugetlbfs is mounted %zu times at %s%s", times, used->directory,
	             sizes_differ ? ", with different page sizes" : "");
	finding_why(finding, "%s",
	            sizes_differ ? "DPDK locks the directory for each size, and waits "
	                           "for itself for ever"
	                         : "the last mount hides the files of the others");
	finding_remedy(
	        finding,
	        "umount %s until one is left (boot options and fstab may each mount one), or "
	        "mount at another place and name it with --huge-dir",
	        used->directory);
}

static void check_mount_access(struct picture *p, const struct mount *mount)
{
	char culprit[FINDING_TEXT_MAX / 2];
	int rc = picture_self_access(p, mount->directory, W_OK | X_OK, culprit, sizeof(culprit));

	if (rc == 0 && !mount->read_only)
		return;
	struct finding *finding = report_add(p->report, FINDING_ERROR, "hugepages.not_writable");
	if (mount->read_only)
		finding_what(finding, "hugetlbfs is mounted read-only at %s", mount->directory);
	else
		finding_what(finding, "user %u may not make files in %s: %s is in the way",
		             (unsigned)p->place->self.uid, mount->directory, culprit);
	finding_why(finding, "DPDK makes a file there for each hugepage that it takes");
	finding_remedy(finding,
	               "mount -o remount,rw,uid=%u,mode=0770 %s, or mount one for the daemon at "
	               "another place and name it with --huge-dir",
	               (unsigned)p->place->self.uid, mount->directory);
}

/* --- pages ---------------------------------------------------------------------------------- */

/* -1: nobody knows. node -1: the whole machine. */
static int64_t pages_read(const struct picture *p, int node, uint64_t page_bytes, const char *name)
{
	unsigned long long kb = (unsigned long long)(page_bytes / 1024);
	int64_t value;
	int rc = node < 0 ? sysfs_read_number(&value, p->place->sysfs,
	                                      "kernel/mm/hugepages/hugepages-%llukB/%s", kb, name)
	                  : sysfs_read_number(&value, p->place->sysfs,
	                                      "devices/system/node/node%d/hugepages/"
	                                      "hugepages-%llukB/%s",
	                                      node, kb, name);

	return rc < 0 ? -1 : value;
}

static uint64_t free_bytes(const struct picture *p, int node, uint64_t page_bytes)
{
	int64_t pages = pages_read(p, node, page_bytes, "free_hugepages");

	/* A machine without NUMA in its sysfs. */
	if (pages < 0 && node == 0)
		pages = pages_read(p, -1, page_bytes, "free_hugepages");
	return pages > 0 ? (uint64_t)pages * page_bytes : 0;
}

/* Pages that hold so much. */
static uint64_t pages_for(uint64_t bytes, uint64_t page_bytes)
{
	return (bytes + page_bytes - 1) / page_bytes;
}

static void remedy_pages(struct finding *finding, int node, uint64_t pages, uint64_t page_bytes)
{
	unsigned long long kb = (unsigned long long)(page_bytes / 1024);

	if (page_bytes > 2 * MB)
		finding_remedy(
		        finding,
		        "boot with more hugepages (hugepagesz=%llum hugepages=N, or the node's "
		        "own number), or mount hugetlbfs with pages of 2 MB for the daemon",
		        (unsigned long long)(page_bytes / MB));
	else
		finding_remedy(
		        finding,
		        "reserve %llu more: echo N > /sys/devices/system/node/node%d/hugepages/"
		        "hugepages-%llukB/nr_hugepages, N being the number that is there plus "
		        "%llu; at boot: hugepages=N",
		        (unsigned long long)pages, node, kb, (unsigned long long)pages);
}

/* No memory for a single relay: nothing runs. */
static bool check_total(struct picture *p, uint64_t page_bytes)
{
	uint64_t total = 0, least = EAL_BYTES + needs_relay_bytes(p->config, 1);
	unsigned nodes = topology_node_count(p->place->sysfs);

	for (unsigned node = 0; node < nodes && node < CHECKED_NODE_MAX; node++)
		total += free_bytes(p, (int)node, page_bytes);
	if (total >= least)
		return true;
	struct finding *finding = report_add(p->report, FINDING_ERROR,
	                                     total == 0 ? "hugepages.none" : "hugepages.too_few");
	finding_what(finding,
	             "%llu MB of hugepages of %llu kB are free, and the first relay takes "
	             "%llu MB",
	             (unsigned long long)(total / MB), (unsigned long long)(page_bytes / 1024),
	             (unsigned long long)(least / MB));
	finding_why(finding,
	            "packet buffers are in hugepages, and guests with theirs take them too");
	remedy_pages(finding, 0, pages_for(least - total, page_bytes), page_bytes);
	return false;
}

/* Devices that take their memory on that node. */
static unsigned count_vfs(const struct picture *p, int node)
{
	unsigned n = node == 0 ? p->n_vdevs : 0;

	for (size_t i = 0; i < p->n_vfs; i++)
		n += p->vfs[i].verdict.state != PCI_ABSENT && p->vfs[i].relay >= 0 &&
		     p->vfs[i].function.numa_node == node;
	return n;
}

static void condemn_node(struct picture *p, int node)
{
	for (size_t i = 0; i < p->n_vfs; i++) {
		if (p->vfs[i].function.numa_node == node)
			(void)checked_vf_condemn(&p->vfs[i]);
	}
}

static void check_node(struct picture *p, int node, uint64_t page_bytes)
{
	unsigned n = count_vfs(p, node);
	uint64_t each = needs_relay_bytes(p->config, needs_queues(p->config));
	uint64_t wanted = n * each + EAL_BYTES, have = free_bytes(p, node, page_bytes);
	bool none = have < needs_relay_bytes(p->config, 1);

	if (n == 0 || have >= wanted)
		return;
	struct finding *finding = report_add(p->report, none ? FINDING_VF : FINDING_WARNING,
	                                     none ? "numa.no_pages" : "hugepages.few");
	finding_what(finding,
	             "NUMA node %d has %llu MB of free hugepages, and its %u VF%s may take "
	             "%llu MB",
	             node, (unsigned long long)(have / MB), n, n == 1 ? "" : "s",
	             (unsigned long long)(wanted / MB));
	finding_why(finding,
	            "a VF's packet buffers are on the VF's own node; a VF without memory is "
	            "refused");
	remedy_pages(finding, node, pages_for(wanted - have, page_bytes), page_bytes);
	if (none)
		condemn_node(p, node);
}

static void check_pages(struct picture *p, uint64_t page_bytes)
{
	unsigned nodes = topology_node_count(p->place->sysfs);

	if (page_bytes == 0 || !check_total(p, page_bytes))
		return;
	for (unsigned node = 0; node < nodes && node < CHECKED_NODE_MAX; node++)
		check_node(p, (int)node, page_bytes);
}

/* --- mappings ------------------------------------------------------------------------------- */

/* Each hugepage is a mapping of its own. --legacy-mem maps all there are, twice for a moment. */
static void check_maps(struct picture *p, uint64_t page_bytes)
{
	uint64_t relays = p->config->n_static_vfs > 0 ? p->config->n_static_vfs : RELAYS_MAX;
	uint64_t bytes = relays * needs_relay_bytes(p->config, needs_queues(p->config)) + EAL_BYTES;
	uint64_t wanted = MAPS_BASE + pages_for(bytes, page_bytes);
	int64_t limit, reserved = pages_read(p, -1, page_bytes, "nr_hugepages");

	if (eal_args_have(p->config, "--legacy-mem") && reserved > 0)
		wanted = MAPS_BASE + 2 * (uint64_t)reserved;
	if (sysfs_read_number(&limit, p->place->proc, "sys/vm/max_map_count") < 0 ||
	    limit >= (int64_t)wanted)
		return;
	struct finding *finding = report_add(p->report, FINDING_WARNING, "memory.max_map_count");
	finding_what(finding, "vm.max_map_count is %lld, and some %llu mappings may be needed",
	             (long long)limit, (unsigned long long)wanted);
	finding_why(finding,
	            "each hugepage is one; beyond the limit VFs and guests are refused with "
	            "'Cannot allocate memory'");
	finding_remedy(finding, "sysctl -w vm.max_map_count=%llu, and the same in /etc/sysctl.d",
	               (unsigned long long)(wanted > 65530 ? wanted : 65530));
}

void check_memory(struct picture *p)
{
	char wanted[PATH_MAX];
	const struct mount *used;
	struct mount *mounts;
	size_t count;

	/* What --eal says about memory is the operator's own business. */
	if (p->config->no_huge || eal_args_have(p->config, "--huge-dir"))
		return;
	mounts = mounts_read(p->place->proc, &count);
	wanted_directory(p->config, wanted);
	used = mount_find(mounts, count, wanted);
	if (eal_args_have(p->config, "--in-memory")) {
		check_pages(p, default_page_bytes(p->place->proc));
	} else if (used == NULL) {
		report_not_mounted(p, wanted, mount_find(mounts, count, ""));
		check_pages(p, default_page_bytes(p->place->proc));
	} else {
		check_twice(p, mounts, count, used);
		check_mount_access(p, used);
		check_pages(p, used->page_bytes);
		if (used->page_bytes > 0)
			check_maps(p, used->page_bytes);
	}
	free(mounts);
}
