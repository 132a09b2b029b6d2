/* A machine for --check to look at: a sysfs and a proc with two NUMA nodes, a NIC and two VFs on
 * which nothing is wrong until the test breaks it; and what --check says of it.
 */
#ifndef FAKE_MACHINE_H
#define FAKE_MACHINE_H

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config_rig.h"
#include "fake_pci.h"
#include "fake_tree.h"
#include "preflight/checks.h"
#include "preflight/preflight.h"

#define NODE(n)       "sys/devices/system/node/node" #n
#define FREE_PAGES(n) NODE(n) "/hugepages/hugepages-2048kB/free_hugepages"
#define PF_FLAGS      "sys/class/net/ens1f0/flags"
#define VF(n)         "sys/bus/pci/devices/0000:01:10." #n
#define ALL_RIGHTS    "CapInh:\t0\nCapEff:\tffffffffffffffff\n"
#define NO_RIGHTS     "CapInh:\t0\nCapEff:\t0000000000000000\n"
#define LIMITS(files, locked)                                                         \
	"Limit                     Soft Limit           Hard Limit           Units\n" \
	"Max open files            1024                 " files " files\n"            \
	"Max locked memory         8388608              " locked " bytes\n"

static struct {
	struct preflight_place place;
	struct report report;
	char sysfs[64], proc[64];
	const char *more[8]; /* options */
	size_t n_more;
	const char *vf0, *vf1;
} machine;

/* --- a sound machine ------------------------------------------------------------------------ */

static inline void add_vf(const char *name, const char *driver, const char *node, const char *group,
                          const char *link)
{
	char path[96], target[32];

	add_function(name, "0x020000\n", driver, node, group);
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/physfn", name);
	tree_link(path, "../0000:01:00.0");
	snprintf(path, sizeof(path), "sys/bus/pci/devices/0000:01:00.0/%s", link);
	snprintf(target, sizeof(target), "../%s", name);
	tree_link(path, target);
}

static inline void add_pci(void)
{
	add_function("0000:01:00.0", "0x020000\n", "igb", "0\n", "7");
	tree_file("sys/bus/pci/devices/0000:01:00.0/net/ens1f0/flags", "0x1003\n");
	tree_file("sys/bus/pci/devices/0000:01:00.0/sriov_numvfs", "2\n");
	tree_file("sys/bus/pci/devices/0000:01:00.0/sriov_totalvfs", "7\n");
	tree_link("sys/class/net/ens1f0/device", "../../../0000:01:00.0");
	tree_file(PF_FLAGS, "0x1003\n");
	add_vf("0000:01:10.0", "vfio-pci", "0\n", "20", "virtfn0");
	add_vf("0000:01:10.1", "vfio-pci", "1\n", "21", "virtfn1");
	add_function("0000:02:00.0", "0x010802\n", "nvme", "0\n", "9");
}

static inline void set_up(void)
{
	char mounts[256];

	memset(&machine, 0, sizeof(machine));
	fake_sysfs = "sys/";
	rig_set_up();
	tree_create();
	snprintf(machine.sysfs, sizeof(machine.sysfs), "%.40s/sys", tree_root);
	snprintf(machine.proc, sizeof(machine.proc), "%.40s/proc", tree_root);
	machine.place.sysfs = machine.sysfs;
	machine.place.proc = machine.proc;
	machine.vf0 = "0000:01:10.0=0";
	machine.vf1 = "0000:01:10.1=1";
	path_user_self(&machine.place.self);
	for (unsigned cpu = 0; cpu < 8; cpu++)
		cpu_set_add(&machine.place.allowed, cpu);

	tree_file("sys/devices/system/node/online", "0-1\n");
	tree_file(NODE(0) "/cpulist", "0-3\n");
	tree_file(NODE(1) "/cpulist", "4-7\n");
	tree_file("sys/devices/system/cpu/online", "0-7\n");
	tree_file("sys/devices/system/cpu/isolated", "1-3,5-7\n");
	tree_file("sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1\n");
	tree_file(FREE_PAGES(0), "256\n");
	tree_file(FREE_PAGES(1), "256\n");
	tree_file("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "512\n");
	tree_file("proc/cpuinfo",
	          "processor\t: 0\nflags\t\t: fpu sse2 pni ssse3 sse4_1 sse4_2 popcnt "
	          "avx avx2 avx512f\nFeatures\t: asimd crc32 atomics\n");
	tree_file("proc/meminfo", "MemTotal: 1000 kB\nHugepagesize:       2048 kB\n");
	tree_file("proc/cmdline", "quiet intel_iommu=on iommu=pt\n");
	tree_file("proc/sys/vm/max_map_count", "65530\n");
	tree_file("proc/self/status", ALL_RIGHTS);
	tree_file("proc/self/limits", LIMITS("524288", "unlimited"));
	snprintf(mounts, sizeof(mounts),
	         "proc /proc proc rw 0 0\nnone %s/huge hugetlbfs rw,pagesize=2M 0 0\n", tree_root);
	tree_file("proc/self/mounts", mounts);
	tree_file("huge/.keep", "");
	tree_file("run/.keep", "");
	tree_file("sockets/.keep", "");
	/* DPDK's own */
	tree_file("runtime/.keep", "");
	ck_assert_int_eq(chmod(tree_path("runtime"), 0777), 0);
	setenv("RUNTIME_DIRECTORY", tree_path("runtime"), 1);
	/* mkdtemp's is for nobody else */
	ck_assert_int_eq(chmod(tree_root, 0755), 0);
	add_pci();
}

static inline void tear_down(void)
{
	report_free(&machine.report);
	rig_tear_down();
	tree_remove();
}

static inline void rebind(const char *name, const char *driver)
{
	char path[96], target[64];

	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/driver", name);
	snprintf(target, sizeof(target), "../../drivers/%s", driver != NULL ? driver : "");
	(void)unlink(tree_path(path));
	if (driver != NULL)
		tree_link(path, target);
}

static inline void option(const char *text)
{
	machine.more[machine.n_more++] = text;
}

/* --- asking it ------------------------------------------------------------------------------ */

static inline void run(void)
{
	static char program[] = "virtio-forwarder", check[] = "--check", cpus[] = "--cpus=1,2,5";
	char texts[6][128];
	char *argv[RIG_WORDS_MAX];
	int argc = 0;

	snprintf(texts[0], sizeof(texts[0]), "--huge-dir=%.60s/huge", tree_root);
	snprintf(texts[1], sizeof(texts[1]), "--pid-path=%.60s/run", tree_root);
	snprintf(texts[2], sizeof(texts[2]), "--vhost-path=%.60s/sockets", tree_root);
	snprintf(texts[3], sizeof(texts[3]), "--zmq-stats-ep=ipc://%.60s/run/stats", tree_root);
	if (machine.vf0 != NULL) {
		snprintf(texts[4], sizeof(texts[4]), "--add-pci-vf=%s", machine.vf0);
		snprintf(texts[5], sizeof(texts[5]), "--add-pci-vf=%s", machine.vf1);
	}
	argv[argc++] = program;
	argv[argc++] = check;
	argv[argc++] = cpus;
	for (size_t i = 0; i < (machine.vf0 != NULL ? 6 : 4); i++)
		argv[argc++] = texts[i];
	for (size_t i = 0; i < machine.n_more; i++)
		argv[argc++] = (char *)(uintptr_t)machine.more[i];
	argv[argc] = NULL;
	ck_assert_msg(rig_load_argv(argc, argv) == 0, "%s", rig.err.text);
	report_free(&machine.report);
	preflight_run(&rig.cfg, &machine.place, &machine.report);
	for (size_t i = 0; i < machine.report.count; i++) {
		const struct finding *finding = &machine.report.findings[i];

		/* All is said, each in a line, and nothing was cut. */
		const char *all[] = {finding->what, finding->why, finding->remedy};
		for (size_t j = 0; j < 3; j++) {
			ck_assert_str_ne(all[j], "");
			ck_assert_ptr_null(strchr(all[j], '\n'));
			ck_assert_uint_lt(strlen(all[j]), FINDING_TEXT_MAX - 1);
		}
	}
}

static inline const struct finding *find(const char *id)
{
	for (size_t i = 0; i < machine.report.count; i++) {
		if (strcmp(machine.report.findings[i].id, id) == 0)
			return &machine.report.findings[i];
	}
	return NULL;
}

static inline void finds_nothing(void)
{
	run();
	ck_assert_msg(machine.report.count == 0, "%s: %s", machine.report.findings[0].id,
	              machine.report.findings[0].what);
	ck_assert_int_eq(report_status(&machine.report), 0);
}

/* This finding, and no other. Its texts are returned. */
static inline const struct finding *finds(const char *id, enum finding_severity severity)
{
	run();
	const struct finding *finding = find(id);

	ck_assert_msg(finding != NULL, "%s is not found", id);
	for (size_t i = 0; i < machine.report.count; i++)
		ck_assert_msg(strcmp(machine.report.findings[i].id, id) == 0, "%s: also %s: %s", id,
		              machine.report.findings[i].id, machine.report.findings[i].what);
	ck_assert_int_eq(finding->severity, severity);
	ck_assert_int_eq(report_status(&machine.report), severity == FINDING_ERROR ? 1 : 0);
	return finding;
}

static inline void remedy_says(const struct finding *finding, const char *text)
{
	ck_assert_msg(strstr(finding->remedy, text) != NULL, "%s", finding->remedy);
}

static inline void what_says(const struct finding *finding, const char *text)
{
	ck_assert_msg(strstr(finding->what, text) != NULL, "%s", finding->what);
}

#endif
