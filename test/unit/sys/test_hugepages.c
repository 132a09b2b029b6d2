/* What keeps a process from having more hugepages, on a proc and a sysfs of our own.
 * WRAP: statfs
 */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/vfs.h>

#include "fake_tree.h"
#include "suite.h"
#include "sys/hugepages.h"

#define MB     (UINT64_C(1) << 20)
#define PAGE   (2 * MB)
#define FREE   "sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages"
#define CGROUP "sys/fs/cgroup/"

static char proc[80], sysfs[80];
static struct statfs fake; /* of the mount */

int __wrap_statfs(const char *path, struct statfs *out);

int __wrap_statfs(const char *path, struct statfs *out)
{
	ck_assert_str_eq(path, "/mnt/huge");
	*out = fake;
	return 0;
}

static void set_up(void)
{
	tree_create();
	snprintf(proc, sizeof(proc), "%s/proc", tree_root);
	snprintf(sysfs, sizeof(sysfs), "%s/sys", tree_root);
	fake = (struct statfs){.f_bsize = (long)PAGE};
	tree_file("proc/self/mounts", "none /mnt/huge hugetlbfs rw,pagesize=2M 0 0\n");
	tree_file("proc/self/cgroup", "0::/\n");
	tree_file("proc/self/maps", "1\n2\n3\n");
	tree_file("proc/sys/vm/max_map_count", "65530\n");
	tree_file("proc/meminfo", "Hugepagesize:       2048 kB\n");
	tree_file(FREE, "100\n");
}

static const char *explain(const char *huge_dir, uint64_t wanted)
{
	static struct error err;

	ck_assert_int_eq(hugepages_explain(sysfs, proc, huge_dir, 0, wanted, &err), -ENOMEM);
	ck_assert_uint_lt(strlen(err.text), ERROR_TEXT_MAX - 1);
	return err.text;
}

static void explains(const char *huge_dir, const char *cause, const char *remedy)
{
	const char *text = explain(huge_dir, 6 * MB);

	ck_assert_msg(strstr(text, cause) != NULL, "%s", text);
	ck_assert_msg(strstr(text, remedy) != NULL, "%s", text);
}

START_TEST(a_node_without_pages)
{
	tree_file(FREE, "2\n");
	explains("/mnt/huge", "NUMA node 0 has 4 MB of free hugepages, and 6 MB are wanted",
	         "reserve more (/sys/devices/system/node/node0/hugepages)");
	explains("", "NUMA node 0 has 4 MB", "--max-queues");
	explains(NULL, "NUMA node 0 has 4 MB", "--max-queues");
}
END_TEST

START_TEST(nothing_that_we_know_of)
{
	explains("/mnt/huge", "though NUMA node 0 has 200 MB", "--eal");
	explains(NULL, "though NUMA node 0 has 200 MB", "--eal");
}
END_TEST

START_TEST(the_mount_is_small)
{
	fake.f_blocks = 4;
	fake.f_bavail = 2;
	explains(
	        "/mnt/huge",
	        "the hugetlbfs at /mnt/huge is mounted with a size of 8 MB, of which 4 MB are left, "
	        "and 6 MB are wanted",
	        "umount /mnt/huge");
	explains("", "the hugetlbfs at /mnt/huge", "--huge-dir");
	/* with --in-memory it does not matter */
	explains(NULL, "though NUMA node 0 has 200 MB", "");
	fake.f_bavail = 3;
	explains("/mnt/huge", "though NUMA node 0 has 200 MB", "");
	/* only a least size, or none */
	fake.f_bavail = 0;
	fake.f_blocks = UINT64_MAX;
	explains("/mnt/huge", "though NUMA node 0 has 200 MB", "");
	fake.f_blocks = 0;
	explains("/mnt/huge", "though NUMA node 0 has 200 MB", "");
}
END_TEST

static const struct {
	const char *cgroups, *directory, *limit, *used;
	bool limits;
} cgroups[] = {
        {"0::/pod/box\n", CGROUP "pod/box/", "max", "current", true},
        {"0::/pod/box\n", CGROUP "pod/", "max", "current", true},
        {"0::/pod/box\n", CGROUP, "rsvd.max", "rsvd.current", true},
        {"1:name=systemd:/x\n0::/pod/box\n", CGROUP "unified/pod/box/", "max", "current", true},
        {"4:cpu,hugetlb:/pod\n", CGROUP "hugetlb/pod/", "limit_in_bytes", "usage_in_bytes", true},
        {"4:cpu:/pod\n", CGROUP "hugetlb/pod/", "limit_in_bytes", "usage_in_bytes", false},
        {"0::/pod/box\n", CGROUP "other/", "max", "current", false},
        {"garbage\n0:\n\n", CGROUP "pod/", "max", "current", false},
};

START_TEST(the_cgroup_is_small)
{
	char path[128];

	tree_file("proc/self/cgroup", cgroups[_i].cgroups);
	snprintf(path, sizeof(path), "%shugetlb.2MB.%s", cgroups[_i].directory, cgroups[_i].limit);
	tree_file(path, "10485760\n");
	snprintf(path, sizeof(path), "%shugetlb.2MB.%s", cgroups[_i].directory, cgroups[_i].used);
	tree_file(path, "6291456\n");
	if (cgroups[_i].limits)
		explains("/mnt/huge",
		         "may have 10 MB of such hugepages, of which 4 MB are left, and 6 MB are "
		         "wanted",
		         "hugetlb.*.max");
	else
		explains("/mnt/huge", "though NUMA node 0 has 200 MB", "");
	snprintf(path, sizeof(path), "%shugetlb.2MB.%s", cgroups[_i].directory, cgroups[_i].limit);
	tree_file(path, "max\n");
	explains("/mnt/huge", "though NUMA node 0 has 200 MB", "");
}
END_TEST

START_TEST(the_mappings_are_used_up)
{
	tree_file("proc/sys/vm/max_map_count", "20\n");
	explains("/mnt/huge", "all but 17 of the 20 mappings", "sysctl -w vm.max_map_count=40");
	tree_file("proc/sys/vm/max_map_count", "2\n");
	explains("/mnt/huge", "all but 0 of the 2 mappings", "sysctl");
}
END_TEST

START_TEST(gigabytes)
{
	struct hugepages_room room;

	tree_file(CGROUP "hugetlb.1GB.max", "5\n");
	tree_file(CGROUP "hugetlb.1GB.current", "7\n");
	tree_file(CGROUP "hugetlb.64KB.max", "5\n");
	tree_file(CGROUP "hugetlb.64KB.current", "4\n");
	hugepages_look(sysfs, proc, NULL, UINT64_C(1) << 30, &room);
	ck_assert_uint_eq(room.cgroup_left, 0);
	ck_assert_uint_eq(room.mount_left, HUGEPAGES_UNLIMITED);
	hugepages_look(sysfs, proc, NULL, UINT64_C(1) << 16, &room);
	ck_assert_uint_eq(room.cgroup_left, 1);
	hugepages_look(sysfs, proc, NULL, 0, &room);
	ck_assert_uint_eq(room.cgroup_left, HUGEPAGES_UNLIMITED);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tree_remove);
	tcase_add_test(tcase, a_node_without_pages);
	tcase_add_test(tcase, nothing_that_we_know_of);
	tcase_add_test(tcase, the_mount_is_small);
	tcase_add_loop_test(tcase, the_cgroup_is_small, 0, sizeof(cgroups) / sizeof(cgroups[0]));
	tcase_add_test(tcase, the_mappings_are_used_up);
	tcase_add_test(tcase, gigabytes);
	return suite_main("hugepages", tcase);
}
