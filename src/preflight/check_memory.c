/* Hugepages: mounted, ours, enough of them on each node; and room for mappings.
 */
#include "preflight/checks.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"
#include "config/eal_args.h"
#include "preflight/needs.h"
#include "sys/hugepages.h"
#include "sys/sysfs.h"
#include "sys/topology.h"

#define MB (UINT64_C(1) << 20)

#define MAPS_BASE 4096 /* mappings without hugepages: libraries, threads, guests' memory */

/* --- mounts --------------------------------------------------------------------------------- */

/* The directory that DPDK is told to use, links resolved; "" when it is to choose. */
static void wanted_directory(const struct config *config, char out[PATH_MAX])
{
	const char *wanted = eal_args_huge_dir(config);
	char *real = wanted != NULL && wanted[0] != '\0' ? realpath(wanted, NULL) : NULL;

	(void)string_copy(out, PATH_MAX, real != NULL ? real : wanted != NULL ? wanted : "");
	free(real);
}

static void report_not_mounted(struct picture *p, const char *wanted,
                               const struct hugepages_mount *other)
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
static void check_twice(struct picture *p, const struct hugepages_mount *mounts, size_t count,
                        const struct hugepages_mount *used)
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
	finding->refuses = sizes_differ;
}

static void check_mount_access(struct picture *p, const struct hugepages_mount *mount)
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

static uint64_t free_bytes(const struct picture *p, int node, uint64_t page_bytes)
{
	return hugepages_free_bytes(p->place->sysfs, node, page_bytes);
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
	uint64_t total = 0, least = NEEDS_DPDK_BYTES + needs_relay_bytes(p->config, 1);
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

/* What the node's pages are for, enough or not. */
static void note_node(struct picture *p, int node, uint64_t page_bytes)
{
	unsigned n = count_vfs(p, node), queues = needs_queues(p->config);
	const struct report_memory memory = {.node = node,
	                                     .vfs = n,
	                                     .pools = n * needs_pool_bytes(p->config, queues),
	                                     .rings = n * needs_rings_bytes(queues),
	                                     .dpdk = NEEDS_DPDK_BYTES,
	                                     .free = free_bytes(p, node, page_bytes)};

	if (n > 0)
		report_memory(p->report, &memory);
}

static void check_node(struct picture *p, int node, uint64_t page_bytes)
{
	unsigned n = count_vfs(p, node);
	uint64_t each = needs_relay_bytes(p->config, needs_queues(p->config));
	uint64_t wanted = n * each + NEEDS_DPDK_BYTES, have = free_bytes(p, node, page_bytes);
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

	if (page_bytes == 0)
		return;
	for (unsigned node = 0; node < nodes && node < CHECKED_NODE_MAX; node++)
		note_node(p, (int)node, page_bytes);
	if (!check_total(p, page_bytes))
		return;
	for (unsigned node = 0; node < nodes && node < CHECKED_NODE_MAX; node++)
		check_node(p, (int)node, page_bytes);
}

/* --- limits ------------------------------------------------------------------------------------
 */

/* Pages may be free and yet not for us. */
static void check_mount_limits(struct picture *p, const struct hugepages_mount *mount,
                               uint64_t page_bytes)
{
	const uint64_t least = NEEDS_DPDK_BYTES + needs_relay_bytes(p->config, 1);
	uint64_t each = needs_relay_bytes(p->config, needs_queues(p->config));
	uint64_t all = NEEDS_DPDK_BYTES + p->config->n_static_vfs * each;
	struct hugepages_room room;
	struct error what, remedy;

	hugepages_look(p->place->sysfs, p->place->proc, mount, page_bytes, &room);
	enum hugepages_lack lack = hugepages_judge(&room, least, &what, &remedy);
	bool none = lack != HUGEPAGES_ENOUGH;
	if (!none)
		lack = hugepages_judge(&room, all, &what, &remedy);
	if (lack != HUGEPAGES_MOUNT && lack != HUGEPAGES_CGROUP)
		return;
	struct finding *finding = report_add(p->report, none ? FINDING_ERROR : FINDING_WARNING,
	                                     lack == HUGEPAGES_MOUNT ? "hugepages.mount_limit"
	                                                             : "hugepages.cgroup_limit");
	finding_what(finding, "%s", what.text);
	finding_why(finding, none ? "that is less than the first relay takes, however many "
	                            "hugepages are free"
	                          : "VFs beyond that are refused, however many hugepages are "
	                            "free");
	finding_remedy(finding, "%s", remedy.text);
}

/* --- mappings ------------------------------------------------------------------------------- */

/* Each hugepage is a mapping of its own. --legacy-mem maps all there are, twice for a moment. */
static void check_maps(struct picture *p, uint64_t page_bytes)
{
	uint64_t relays = p->config->n_static_vfs > 0 ? p->config->n_static_vfs : RELAYS_MAX;
	uint64_t bytes =
	        relays * needs_relay_bytes(p->config, needs_queues(p->config)) + NEEDS_DPDK_BYTES;
	uint64_t wanted = MAPS_BASE + pages_for(bytes, page_bytes);
	int64_t limit, reserved = hugepages_count(p->place->sysfs, -1, page_bytes, "nr_hugepages");

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
	const struct hugepages_mount *used;
	struct hugepages_mount *mounts;
	size_t count;

	/* What --eal says about memory is the operator's own business. */
	if (p->config->no_huge || eal_args_have(p->config, "--huge-dir"))
		return;
	mounts = hugepages_mounts(p->place->proc, &count);
	wanted_directory(p->config, wanted);
	used = hugepages_mount_find(mounts, count, wanted);
	if (eal_args_have(p->config, "--in-memory")) {
		check_pages(p, hugepages_default_bytes(p->place->proc));
		check_mount_limits(p, NULL, hugepages_default_bytes(p->place->proc));
	} else if (used == NULL) {
		report_not_mounted(p, wanted, hugepages_mount_find(mounts, count, ""));
		check_pages(p, hugepages_default_bytes(p->place->proc));
	} else {
		check_twice(p, mounts, count, used);
		check_mount_access(p, used);
		check_pages(p, used->page_bytes);
		check_mount_limits(p, used, used->page_bytes);
		if (used->page_bytes > 0)
			check_maps(p, used->page_bytes);
	}
	free(mounts);
}
