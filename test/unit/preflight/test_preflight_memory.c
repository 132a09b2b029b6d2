/* --check on a machine of our own: what it says of hugepages and of what the relays will take. */
#include <check.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dpdk/pool.h"
#include "fake_machine.h"
#include "preflight/needs.h"
#include "suite.h"

/* --- memory --------------------------------------------------------------------------------- */

static void mounts(const char *first, const char *second)
{
	char text[512];

	snprintf(text, sizeof(text), "none %s/huge hugetlbfs %s 0 0\n", tree_root, first);
	if (second != NULL)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		         "none %s/huge hugetlbfs %s 0 0\n", tree_root, second);
	tree_file("proc/self/mounts", text);
}

START_TEST(hugetlbfs_has_to_be_mounted)
{
	char text[128];

	tree_file("proc/self/mounts", "proc /proc proc rw 0 0\n");
	remedy_says(finds("hugepages.not_mounted", FINDING_ERROR), "mount -t hugetlbfs none");
	snprintf(text, sizeof(text), "none %s/run hugetlbfs rw 0 0\n", tree_root);
	tree_file("proc/self/mounts", text);
	remedy_says(finds("hugepages.not_mounted", FINDING_ERROR), "/run,");
	option("--no-huge");
	finds_nothing();
}
END_TEST

START_TEST(a_page_size_may_go_unsaid)
{
	mounts("rw,relatime", NULL);
	finds_nothing();
	tree_file("proc/meminfo", "Hugepagesize:    1048576 kB\n");
	remedy_says(finds("hugepages.none", FINDING_ERROR), "hugepagesz=1024m");
	tree_file(NODE(0) "/hugepages/hugepages-1048576kB/free_hugepages", "1\n");
	tree_file(NODE(1) "/hugepages/hugepages-1048576kB/free_hugepages", "1\n");
	finds_nothing();
	mounts("rw,pagesize=2097152", NULL);
	finds_nothing();
}
END_TEST

START_TEST(hugetlbfs_twice_at_one_place)
{
	mounts("rw,pagesize=1024M", "rw,pagesize=2M");
	const struct finding *finding = finds("hugepages.mounted_twice", FINDING_ERROR);
	what_says(finding, "2 times");
	remedy_says(finding, "umount");
	mounts("rw,pagesize=2048K", "rw,pagesize=2M");
	finds("hugepages.mounted_twice", FINDING_WARNING);
	mounts("rw,pagesize=2M", NULL);
	finds_nothing();
}
END_TEST

START_TEST(hugetlbfs_of_somebody_else)
{
	mounts("ro,pagesize=2M", NULL);
	remedy_says(finds("hugepages.not_writable", FINDING_ERROR), "remount,rw");
	mounts("rw,pagesize=2M", NULL);
	tree_file("proc/self/status", NO_RIGHTS);
	machine.place.self = (struct path_user){.uid = 12345};
	ck_assert_int_eq(chmod(tree_path("run"), 0777), 0);
	ck_assert_int_eq(chmod(tree_path("sockets"), 0777), 0);
	const struct finding *finding = finds("hugepages.not_writable", FINDING_ERROR);
	what_says(finding, "user 12345 may not");
	remedy_says(finding, "uid=12345");
	ck_assert_int_eq(chmod(tree_path("huge"), 0777), 0);
	finds_nothing();
}
END_TEST

START_TEST(no_pages_for_the_first_relay)
{
	tree_file(FREE_PAGES(0), "0\n");
	tree_file(FREE_PAGES(1), "0\n");
	remedy_says(finds("hugepages.none", FINDING_ERROR), "reserve 7 more");
	tree_file(FREE_PAGES(1), "3\n");
	remedy_says(finds("hugepages.too_few", FINDING_ERROR), "reserve 4 more");
	tree_file(FREE_PAGES(0), "256\n");
	tree_file(FREE_PAGES(1), "256\n");
	finds_nothing();
}
END_TEST

START_TEST(no_pages_where_all_vfs_are)
{
	tree_file(VF(0) "/numa_node", "1\n");
	finds_nothing();
	tree_file(FREE_PAGES(1), "0\n");
	what_says(finds("numa.no_pages", FINDING_ERROR), "its 2 VFs");
}
END_TEST

START_TEST(a_kernel_without_numa)
{
	machine.vf1 = "net_null0=1";
	tree_file("sys/devices/system/node/online", "0\n");
	ck_assert_int_eq(unlink(tree_path(FREE_PAGES(0))), 0);
	finds("hugepages.none", FINDING_ERROR);
	tree_file("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "256\n");
	finds_nothing();
}
END_TEST

START_TEST(says_what_memory_is_for)
{
	char text[4096] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	run();
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(machine.report.n_memory, 2); /* a VF on each node */
	const struct report_memory *memory = &machine.report.memory[0];
	ck_assert_int_eq(memory->node, 0);
	ck_assert_uint_eq(memory->vfs, 1);
	ck_assert_uint_eq(memory->free, 256 * UINT64_C(2) << 20);
	ck_assert_uint_eq(memory->pools + memory->rings,
	                  needs_relay_bytes(&rig.cfg, needs_queues(&rig.cfg)));
	report_print_memory(&machine.report, out);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "memory: NUMA node 0: 1 VF may take "));
	ck_assert_ptr_nonnull(strstr(text, ", DPDK itself 8.0), and 512.0 MB are free\n"));
}
END_TEST

START_TEST(the_estimate_is_the_pools)
{
	for (unsigned jumbo = 0; jumbo <= 1; jumbo++) {
		option("--max-queues=2");
		if (jumbo)
			option("--enable-jumbo");
		run();
		const struct pool_params params = {.queues = 2,
		                                   .ports = 1,
		                                   .rxd = 512,
		                                   .txd = 512,
		                                   .backlog = 256,
		                                   .frame_mbufs = jumbo ? 5 : 1,
		                                   .data_room = SIZES_MBUF_DATA,
		                                   .n_workers = 3};
		ck_assert_uint_eq(needs_queues(&rig.cfg), 2);
		uint64_t mbufs = pool_size(&params) * UINT64_C(2496);
		ck_assert_uint_ge(needs_relay_bytes(&rig.cfg, 2), mbufs + 2 * SIZES_QUEUE_BYTES);
		ck_assert_uint_le(needs_relay_bytes(&rig.cfg, 2),
		                  mbufs + 2 * SIZES_QUEUE_BYTES + (1 << 17));
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60); /* a busy machine, where forking alone takes long */
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, hugetlbfs_has_to_be_mounted);
	tcase_add_test(tcase, a_page_size_may_go_unsaid);
	tcase_add_test(tcase, hugetlbfs_twice_at_one_place);
	tcase_add_test(tcase, hugetlbfs_of_somebody_else);
	tcase_add_test(tcase, no_pages_for_the_first_relay);
	tcase_add_test(tcase, no_pages_where_all_vfs_are);
	tcase_add_test(tcase, a_kernel_without_numa);
	tcase_add_test(tcase, says_what_memory_is_for);
	tcase_add_test(tcase, the_estimate_is_the_pools);
	return suite_main("preflight_memory", tcase);
}
