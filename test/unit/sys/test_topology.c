/* NUMA nodes and CPUs as a sysfs tells of them. */
#include <check.h>
#include <stdlib.h>

#include "fake_tree.h"
#include "suite.h"
#include "sys/affinity.h"
#include "sys/sysfs.h"
#include "sys/topology.h"

static void set_up(void)
{
	tree_create();
	tree_file("devices/system/node/online", "0-1,3\n");
	tree_file("devices/system/node/node0/cpulist", "0-3\n");
	tree_file("devices/system/node/node1/cpulist", "4-7,70\n");
	tree_file("devices/system/node/node3/cpulist", "\n"); /* memory only */
	tree_file("devices/system/cpu/online", "0-5,70\n");
	tree_file("devices/system/cpu/cpu4/topology/thread_siblings_list", "4,70\n");
}

START_TEST(reads_nodes_and_cpus)
{
	struct cpu_set cpus;

	ck_assert_uint_eq(topology_node_count(tree_root), 4);
	ck_assert_int_eq(topology_cpu_node(tree_root, 3), 0);
	ck_assert_int_eq(topology_cpu_node(tree_root, 70), 1);
	ck_assert_int_eq(topology_cpu_node(tree_root, 500), 0);
	ck_assert_int_eq(topology_cpu_node(tree_root, 70000), 0);
	ck_assert_int_eq(topology_online(tree_root, &cpus), 0);
	ck_assert_uint_eq(cpu_set_count(&cpus), 7);
	ck_assert(cpu_set_has(&cpus, 70) && !cpu_set_has(&cpus, 7));
	topology_siblings(tree_root, 4, &cpus);
	ck_assert_uint_eq(cpu_set_count(&cpus), 2);
	ck_assert(cpu_set_has(&cpus, 70));
	topology_siblings(tree_root, 5, &cpus);
	ck_assert_uint_eq(cpu_set_count(&cpus), 1);
	ck_assert(cpu_set_has(&cpus, 5));
}
END_TEST

START_TEST(bears_a_machine_that_tells_nothing)
{
	struct cpu_set online, allowed;

	ck_assert_uint_eq(topology_node_count("/nowhere"), 1);
	ck_assert_int_eq(topology_cpu_node("/nowhere", 1), 0);
	ck_assert_int_eq(affinity_read(0, &allowed), 0);
	ck_assert_uint_ge(cpu_set_count(&allowed), 1);
	ck_assert_int_eq(topology_online("/nowhere", &online), 0);
	ck_assert_mem_eq(&online, &allowed, sizeof(online));
}
END_TEST

START_TEST(reads_this_machine)
{
	struct cpu_set online, allowed;

	ck_assert_uint_ge(topology_node_count(SYSFS_ROOT), 1);
	ck_assert_int_eq(topology_online(SYSFS_ROOT, &online), 0);
	ck_assert_int_eq(affinity_read(0, &allowed), 0);
	for (int cpu = cpu_set_next(&allowed, -1); cpu >= 0; cpu = cpu_set_next(&allowed, cpu))
		ck_assert(cpu_set_has(&online, (unsigned)cpu));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tree_remove);
	tcase_add_test(tcase, reads_nodes_and_cpus);
	tcase_add_test(tcase, bears_a_machine_that_tells_nothing);
	tcase_add_test(tcase, reads_this_machine);
	return suite_main("topology", tcase);
}
