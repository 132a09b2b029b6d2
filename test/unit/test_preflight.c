/* --check on a machine of our own: nothing is found on the sound one, and each fault brings the
 * finding that is its own, which goes with it.
 */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <jansson.h>

#include "config_rig.h"
#include "fake_pci.h"
#include "fake_tree.h"
#include "port/pool.h"
#include "preflight/checks.h"
#include "preflight/preflight.h"
#include "suite.h"

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

static void add_vf(const char *name, const char *driver, const char *node, const char *group,
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

static void add_pci(void)
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

static void set_up(void)
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
	/* mkdtemp's is for nobody else */
	ck_assert_int_eq(chmod(tree_root, 0755), 0);
	add_pci();
}

static void tear_down(void)
{
	report_free(&machine.report);
	rig_tear_down();
	tree_remove();
}

static void option(const char *text)
{
	machine.more[machine.n_more++] = text;
}

/* --- asking it ------------------------------------------------------------------------------ */

static void run(void)
{
	char texts[6][128];
	char *argv[RIG_WORDS_MAX];
	int argc = 0;

	snprintf(texts[0], sizeof(texts[0]), "--huge-dir=%.60s/huge", tree_root);
	snprintf(texts[1], sizeof(texts[1]), "--pid-path=%.60s/run", tree_root);
	snprintf(texts[2], sizeof(texts[2]), "--vhost-path=%.60s/sockets", tree_root);
	snprintf(texts[3], sizeof(texts[3]), "--zmq-stats-ep=ipc://%.60s/run/stats", tree_root);
	snprintf(texts[4], sizeof(texts[4]), "--add-pci-vf=%s", machine.vf0);
	snprintf(texts[5], sizeof(texts[5]), "--add-pci-vf=%s", machine.vf1);
	argv[argc++] = (char *)(uintptr_t) "virtio-forwarder";
	argv[argc++] = (char *)(uintptr_t) "--check";
	argv[argc++] = (char *)(uintptr_t) "--cpus=1,2,5";
	for (size_t i = 0; i < 6; i++)
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

static const struct finding *find(const char *id)
{
	for (size_t i = 0; i < machine.report.count; i++) {
		if (strcmp(machine.report.findings[i].id, id) == 0)
			return &machine.report.findings[i];
	}
	return NULL;
}

static void finds_nothing(void)
{
	run();
	ck_assert_msg(machine.report.count == 0, "%s: %s", machine.report.findings[0].id,
	              machine.report.findings[0].what);
	ck_assert_int_eq(report_status(&machine.report), 0);
}

/* This finding, and no other. Its texts are returned. */
static const struct finding *finds(const char *id, enum finding_severity severity)
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

static void remedy_says(const struct finding *finding, const char *text)
{
	ck_assert_msg(strstr(finding->remedy, text) != NULL, "%s", finding->remedy);
}

static void what_says(const struct finding *finding, const char *text)
{
	ck_assert_msg(strstr(finding->what, text) != NULL, "%s", finding->what);
}

START_TEST(a_sound_machine_has_no_findings)
{
	finds_nothing();
}
END_TEST

/* --- faults that are one file --------------------------------------------------------------- */

static const struct fault {
	const char *file, *broken, *sound;
	const char *id;
	enum finding_severity severity;
	const char *what, *remedy;
	const char *option; /* with which it is a fault, or NULL */
} faults[] = {
        {"sys/devices/system/cpu/online", "0-4\n", "0-7\n", "cpu.absent", FINDING_ERROR, "CPU 5",
         "choose from 0-4", NULL},
        {"sys/devices/system/cpu/isolated", "2-3\n", "1-3,5-7\n", "cpu.not_isolated",
         FINDING_WARNING, "CPU 1,5", "isolcpus=1,5", NULL},
        {"sys/devices/system/cpu/isolated", "\n", "1-3,5-7\n", "cpu.not_isolated", FINDING_WARNING,
         "CPU 1-2,5", "isolcpus=1-2,5", NULL},
        {"sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "0-1\n", "1\n",
         "cpu.shared_core", FINDING_WARNING, "CPUs 0-1", "lscpu -e", NULL},
        {"sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1,5\n", "1,6\n",
         "cpu.shared_core", FINDING_WARNING, "CPUs 1,5", "lscpu -e", NULL},
#if defined(__x86_64__)
        {"proc/cpuinfo", "flags\t: fpu pni xssse3 sse4_1 sse4_2x popcnt\n",
         "flags\t: pni ssse3 sse4_1 popcnt sse4_2\n", "cpu.instructions", FINDING_ERROR,
         "ssse3, sse4_2", "host-passthrough", NULL},
#endif
        {FREE_PAGES(0), "4\n", "256\n", "hugepages.few", FINDING_WARNING, "NUMA node 0 has 8 MB",
         "node0/hugepages/hugepages-2048kB/nr_hugepages", "--max-queues=1"},
        {FREE_PAGES(1), "0\n", "256\n", "numa.no_pages", FINDING_WARNING, "NUMA node 1 has 0 MB",
         "node1/hugepages", NULL},
        {"proc/sys/vm/max_map_count", "1000\n", "65530\n", "memory.max_map_count", FINDING_WARNING,
         "vm.max_map_count is 1000", "sysctl -w vm.max_map_count=65530", NULL},
        {"proc/sys/vm/max_map_count", "5000\n", "6000\n", "memory.max_map_count", FINDING_WARNING,
         "some 5120 mappings", "sysctl -w vm.max_map_count=65530", "--eal=--legacy-mem"},
        {"proc/cmdline", "quiet\n", "x iommu.passthrough=1 y\n", "iommu.not_pt", FINDING_WARNING,
         "no iommu=pt", "iommu=pt", NULL},
        {PF_FLAGS, "0x1002\n", "0x1003\n", "pf.down", FINDING_WARNING, "ens1f0",
         "ip link set ens1f0 up", NULL},
};

START_TEST(each_fault_has_its_finding)
{
	const struct fault *fault = &faults[_i];

	if (fault->option != NULL)
		option(fault->option);
	finds_nothing();
	tree_file(fault->file, fault->broken);
	const struct finding *finding = finds(fault->id, fault->severity);
	what_says(finding, fault->what);
	remedy_says(finding, fault->remedy);
	tree_file(fault->file, fault->sound);
	finds_nothing();
}
END_TEST

/* --- VFs ------------------------------------------------------------------------------------ */

static void rebind(const char *name, const char *driver)
{
	char path[96], target[64];

	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/driver", name);
	snprintf(target, sizeof(target), "../../drivers/%s", driver != NULL ? driver : "");
	(void)unlink(tree_path(path));
	if (driver != NULL)
		tree_link(path, target);
}

/* One VF of two costs its relay only; both cost everything. */
START_TEST(an_unbound_vf_blocks_only_when_it_is_the_last)
{
	rebind("0000:01:10.0", "igbvf");
	what_says(finds("vf.kernel_driver", FINDING_WARNING), "relay 0's VF 0000:01:10.0");
	rebind("0000:01:10.1", NULL);
	run();
	ck_assert_int_eq(find("vf.kernel_driver")->severity, FINDING_ERROR);
	ck_assert_int_eq(find("vf.unbound")->severity, FINDING_ERROR);
	remedy_says(find("vf.unbound"), "driverctl set-override 0000:01:10.1 vfio-pci");
	ck_assert_int_eq(report_status(&machine.report), 1);
	rebind("0000:01:10.0", "vfio-pci");
	finds("vf.unbound", FINDING_WARNING);
	rebind("0000:01:10.1", "igb_uio");
	finds_nothing();
}
END_TEST

START_TEST(a_vdev_is_a_vf_that_works)
{
	rebind("0000:01:10.0", "igbvf");
	machine.vf1 = "net_null0=1";
	finds("vf.kernel_driver", FINDING_WARNING);
}
END_TEST

START_TEST(bind_is_the_remedy_where_it_helps)
{
	char text[] = "VIRTIOFWD_BIND_VFIO_PCI=ens1f0,ens7,0000:01:10.0\n", config[80];
	char command[128];

	rig_write(text, strlen(text));
	snprintf(config, sizeof(config), "--config=%s", rig.path);
	option(config);
	rebind("0000:01:10.0", "igbvf");
	run();
	snprintf(command, sizeof(command), "virtio-forwarder --bind --config %s", rig.path);
	remedy_says(find("vf.kernel_driver"), command);
	what_says(find("bind.no_vfs"), "ens7 has no VFs");
	remedy_says(find("bind.no_vfs"), "there is no network device ens7");
	ck_assert_uint_eq(machine.report.count, 2);
}
END_TEST

START_TEST(vfs_to_bind_are_checked_without_a_relay)
{
	char text[] = "VIRTIOFWD_BIND_VFIO_PCI=ens1f0:3\n", config[80];

	rig_write(text, strlen(text));
	snprintf(config, sizeof(config), "--config=%s", rig.path);
	option(config);
	machine.vf1 = "net_null0=1";
	rebind("0000:01:10.1", NULL);
	run();
	what_says(find("vf.unbound"), "VF 0000:01:10.1");
	ck_assert_ptr_null(strstr(find("vf.unbound")->what, "relay"));
	remedy_says(find("bind.no_vfs"), "ens1f0 has 2 VFs of the 3 that are named");
	/* Nobody knows yet whether they will want memory. */
	tree_file(FREE_PAGES(1), "0\n");
	run();
	ck_assert_ptr_null(find("numa.no_pages"));
}
END_TEST

START_TEST(vfs_that_are_none)
{
	machine.vf0 = "0000:77:00.0=0";
	remedy_says(finds("vf.absent", FINDING_WARNING), "lspci -D");
	machine.vf0 = "0000:02:00.0=0";
	what_says(finds("vf.no_nic", FINDING_WARNING), "0000:02:00.0 is no network device");
}
END_TEST

START_TEST(a_group_that_is_not_viable)
{
	add_function("0000:01:10.5", "0x020000\n", "igbvf", "0\n", "20");
	const struct finding *finding = finds("vf.group_not_viable", FINDING_WARNING);
	what_says(finding, "shares IOMMU group 20 with 0000:01:10.5");
	remedy_says(finding, "driverctl set-override 0000:01:10.5 vfio-pci");
	rebind("0000:01:10.5", "vfio-pci");
	finds_nothing();
}
END_TEST

START_TEST(without_an_iommu)
{
	for (const char *const *name = (const char *const[]){"0000:01:10.0/iommu_group",
	                                                     "0000:01:10.1/iommu_group", NULL};
	     *name != NULL; name++) {
		char path[96];

		snprintf(path, sizeof(path), "sys/bus/pci/devices/%s", *name);
		ck_assert_int_eq(unlink(tree_path(path)), 0);
	}
	/* Other devices have groups: that is about these two. */
	run();
	ck_assert_ptr_nonnull(find("vf.no_iommu_group"));
	ck_assert_int_eq(rename(tree_path("sys/kernel/iommu_groups"), "/tmp"), -1);
	char to[96];
	snprintf(to, sizeof(to), "%s/gone", tree_root);
	ck_assert_int_eq(rename(tree_path("sys/kernel/iommu_groups"), to), 0);
	tree_file("proc/cmdline", "intel_iommu=pt\n");
	rebind("0000:01:10.0", "igbvf");
	const struct finding *finding = finds("iommu.off", FINDING_ERROR);
	remedy_says(finding, "intel_iommu=on iommu=pt");
	ck_assert_ptr_nonnull(strstr(finding->why, "intel_iommu=pt does not"));
	/* igb_uio does without */
	rebind("0000:01:10.0", "igb_uio");
	rebind("0000:01:10.1", "igb_uio");
	finds_nothing();
	/* and so does vfio, when told to */
	rebind("0000:01:10.0", "igbvf");
	tree_file("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
	finds("vf.kernel_driver", FINDING_WARNING);
}
END_TEST

START_TEST(igb_uio_behind_a_translating_iommu)
{
	rebind("0000:01:10.0", "igb_uio");
	finds_nothing();
	tree_file("sys/kernel/iommu_groups/20/type", "DMA-FQ\n");
	what_says(finds("iommu.stops_uio", FINDING_WARNING), "bound to igb_uio");
	tree_file("sys/kernel/iommu_groups/20/type", "identity\n");
	finds_nothing();
}
END_TEST

START_TEST(igb_uio_takes_physical_addresses)
{
	rebind("0000:01:10.0", "igb_uio");
	tree_file("proc/self/status", "CapEff:\t00000000ffdfffff\n"); /* no CAP_SYS_ADMIN */
	const struct finding *finding = finds("vf.uio_not_allowed", FINDING_WARNING);
	what_says(finding, "bound to igb_uio");
	remedy_says(finding, "drop-in /usr/share/virtio-forwarder/igb_uio.conf");
	rebind("0000:01:10.1", "igb_uio");
	run();
	ck_assert_int_eq(find("vf.uio_not_allowed")->severity, FINDING_ERROR);
	tree_file("proc/self/status", ALL_RIGHTS);
	finds_nothing();
}
END_TEST

START_TEST(a_pf_in_the_hands_of_vfio)
{
	rebind("0000:01:00.0", "vfio-pci");
	run();
	what_says(find("vf.needs_token"), "PF (0000:01:00.0)");
	ck_assert_int_eq(find("vf.needs_token")->severity, FINDING_ERROR);
	option("--vfio-vf-token=0");
	finds_nothing();
}
END_TEST

START_TEST(a_node_without_workers)
{
	option("--cpus=1,2");
	what_says(finds("numa.no_workers", FINDING_WARNING), "0000:01:10.1 is on NUMA node 1");
	option("--same-numa");
	const struct finding *finding = finds("numa.no_workers", FINDING_WARNING);
	ck_assert_ptr_nonnull(strstr(finding->why, "refused"));
	machine.vf0 = "0000:01:10.1=0";
	machine.vf1 = "0000:77:00.0=1";
	run();
	ck_assert_int_eq(find("numa.no_workers")->severity, FINDING_ERROR);
	/* lcores on other CPUs */
	machine.vf0 = "0000:01:10.0=0";
	machine.vf1 = "0000:01:10.1=1";
	option("--eal=--lcores 0@0,1@1,2@5");
	finds_nothing();
}
END_TEST

/* --- CPUs ----------------------------------------------------------------------------------- */

START_TEST(a_cpuset_that_is_narrower)
{
	machine.place.allowed = (struct cpu_set){0};
	cpu_set_add(&machine.place.allowed, 0);
	cpu_set_add(&machine.place.allowed, 1);
	cpu_set_add(&machine.place.allowed, 2);
	const struct finding *finding = finds("cpu.not_allowed", FINDING_ERROR);
	what_says(finding, "CPU 5 is not among those that this process may use (0-2)");
	remedy_says(finding, "AllowedCPUs=");
}
END_TEST

START_TEST(one_reason_is_enough)
{
	option("--cpus=1,2");
	rebind("0000:01:10.1", "igbvf");
	finds("vf.kernel_driver", FINDING_WARNING);
}
END_TEST

START_TEST(lcores_are_looked_up)
{
	option("--eal=--lcores 0@0,1@1,2@2,5@9");
	run();
	what_says(find("cpu.absent"), "CPU 9");
	option("--eal=--lcores=0@0,1@1,2@2,5@0");
	run();
	ck_assert_ptr_nonnull(find("cpu.main_overlap"));
	/* What cannot be read is not judged. */
	option("--eal=--lcores (0,1,2,5)@(0-9)");
	finds_nothing();
}
END_TEST

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
		                                   .n_workers = 3};
		ck_assert_uint_eq(preflight_queues(&rig.cfg), 2);
		ck_assert_uint_eq(preflight_relay_bytes(&rig.cfg, 2),
		                  pool_size(&params) * UINT64_C(2496) + (1 << 20));
	}
}
END_TEST

/* --- the process ---------------------------------------------------------------------------- */

START_TEST(another_instance)
{
	tree_file("run/virtio-forwarder.pid", "4711\n");
	finds_nothing();
	int fd = open(tree_path("run/virtio-forwarder.pid"), O_RDWR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	const struct finding *finding = finds("process.runs_already", FINDING_ERROR);
	what_says(finding, "pid 4711");
	remedy_says(finding, "--pid-path");
	close(fd);
	finds_nothing();
}
END_TEST

START_TEST(endpoints_of_others)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	tree_file("run/stats", "");
	what_says(finds("endpoint.taken", FINDING_ERROR), "is no socket");
	ck_assert_int_eq(unlink(tree_path("run/stats")), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", tree_path("run/stats"));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	remedy_says(finds("endpoint.taken", FINDING_ERROR), "ss -xlp");
	close(fd);
	finds_nothing(); /* a stale one */
}
END_TEST

START_TEST(limits_that_are_low)
{
	tree_file("proc/self/limits", LIMITS("4096", "65536"));
	finds_nothing(); /* with every right they are no limits */
	tree_file("proc/self/status", NO_RIGHTS);
	run();
	ck_assert_int_eq(find("limit.open_files")->severity, FINDING_WARNING);
	remedy_says(find("limit.open_files"), "LimitNOFILE=524288");
	ck_assert_int_eq(find("limit.locked_memory")->severity, FINDING_ERROR);
	what_says(find("limit.locked_memory"), "64 kB");
	remedy_says(find("limit.locked_memory"), "LimitMEMLOCK=infinity");
	ck_assert_uint_eq(machine.report.count, 2);
	tree_file("proc/self/limits", LIMITS("524288", "65536"));
	finds("limit.locked_memory", FINDING_ERROR);
	/* vfio alone locks */
	machine.vf0 = "net_null0=0";
	machine.vf1 = "net_null1=1";
	finds_nothing();
}
END_TEST

START_TEST(a_pid_directory_of_somebody_else)
{
	tree_file("proc/self/status", NO_RIGHTS);
	machine.place.self = (struct path_user){.uid = 12345};
	ck_assert_int_eq(chmod(tree_path("huge"), 0777), 0);
	ck_assert_int_eq(chmod(tree_path("sockets"), 0777), 0);
	remedy_says(finds("process.pid_dir", FINDING_ERROR), "VIRTIOFWD_PID_DIR");
	ck_assert_int_eq(chmod(tree_path("run"), 0777), 0);
	finds_nothing();
}
END_TEST

START_TEST(warnings_of_the_configuration_are_findings)
{
	char text[] = "VIRTIOFWD_NOVELTY=1\n", config[80];

	rig_write(text, strlen(text));
	snprintf(config, sizeof(config), "--config=%s", rig.path);
	option(config);
	what_says(finds("config.warning", FINDING_WARNING), "VIRTIOFWD_NOVELTY");
}
END_TEST

/* --- sockets -------------------------------------------------------------------------------- */

START_TEST(accounts_that_are_unknown)
{
	option("--vhost-username=no-such-user");
	option("--vhost-groupname=no-such-group");
	option("--zmq-group=no-such-users");
	run();
	what_says(find("endpoint.unknown_group"), "no-such-users");
	remedy_says(find("endpoint.unknown_group"), "VIRTIOFWD_ZMQ_GROUP");
	what_says(find("sockets.unknown_owner"), "no-such-user");
	remedy_says(find("sockets.unknown_owner"), "VIRTIOFWD_SOCKET_OWNER");
	what_says(find("sockets.unknown_group"), "no-such-group");
	ck_assert_int_eq(find("sockets.unknown_group")->severity, FINDING_ERROR);
	ck_assert_uint_eq(machine.report.count, 3);
}
END_TEST

START_TEST(qemu_has_to_pass_all_directories)
{
	option("--vhost-username=12346");
	finds_nothing();
	ck_assert_int_eq(chmod(tree_path("sockets"), 0700), 0);
	const struct finding *finding = finds("sockets.unreachable", FINDING_ERROR);
	what_says(finding, "user 12346 cannot reach");
	remedy_says(finding, "chmod o+x");
	remedy_says(finding, "/sockets");
	/* further up */
	ck_assert_int_eq(chmod(tree_path("sockets"), 0755), 0);
	ck_assert_int_eq(chmod(tree_root, 0700), 0);
	what_says(finds("sockets.unreachable", FINDING_ERROR), ": /tmp/unit-tree-");
	ck_assert_int_eq(chmod(tree_root, 0711), 0);
	finds_nothing();
}
END_TEST

/* The owner may not pass, whoever is in the group may. */
START_TEST(either_owner_or_group_suffices)
{
	char group[40];

	snprintf(group, sizeof(group), "--vhost-groupname=%u", (unsigned)getegid());
	ck_assert_int_eq(chmod(tree_path("sockets"), 0710), 0);
	ck_assert_int_eq(chown(tree_path("sockets"), (uid_t)-1, getegid()), 0);
	option("--vhost-username=12346");
	finds("sockets.unreachable", FINDING_ERROR);
	option(group);
	finds_nothing();
}
END_TEST

START_TEST(sockets_that_cannot_be_made)
{
	option("--vhost-path=/proc/version/sockets");
	what_says(finds("sockets.not_writable", FINDING_ERROR), "/proc/version is no directory");
	machine.n_more = 0;
	tree_file("proc/self/status", NO_RIGHTS);
	machine.place.self = (struct path_user){.uid = 12345};
	ck_assert_int_eq(chmod(tree_path("huge"), 0777), 0);
	ck_assert_int_eq(chmod(tree_path("run"), 0777), 0);
	what_says(finds("sockets.not_writable", FINDING_ERROR), "user 12345 may not");
	ck_assert_int_eq(chmod(tree_path("sockets"), 0777), 0);
	finds_nothing();
}
END_TEST

START_TEST(in_client_mode_qemu_makes_the_sockets)
{
	char missing[96];

	option("--vhostuser-client");
	finds_nothing();
	option("--vhost-username=12346");
	remedy_says(finds("sockets.closed_to_qemu", FINDING_WARNING), "chown");
	ck_assert_int_eq(chmod(tree_path("sockets"), 0777), 0);
	finds_nothing();
	tree_file("proc/self/status", NO_RIGHTS);
	machine.place.self = (struct path_user){.uid = 12345};
	ck_assert_int_eq(chmod(tree_path("huge"), 0777), 0);
	ck_assert_int_eq(chmod(tree_path("run"), 0777), 0);
	finds_nothing();
	ck_assert_int_eq(chmod(tree_path("sockets"), 0700), 0);
	run();
	ck_assert_int_eq(find("sockets.closed_to_daemon")->severity, FINDING_ERROR);
	snprintf(missing, sizeof(missing), "--vhost-path=%.60s/missing", tree_root);
	option(missing);
	remedy_says(finds("sockets.no_directory", FINDING_WARNING), "install -d");
}
END_TEST

/* --- the report ----------------------------------------------------------------------------- */

static char *print(int (*how)(const struct report *, FILE *))
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_int_eq(how(&machine.report, out), 0);
	fclose(out);
	return text;
}

static int print_text(const struct report *report, FILE *out)
{
	report_print_text(report, out);
	return 0;
}

START_TEST(reports_are_readable)
{
	run();
	char *text = print(print_text);
	ck_assert_str_eq(text, "Nothing found: the daemon can run as configured.\n");
	free(text);
	tree_file("proc/cmdline", "\n");
	tree_file("sys/devices/system/cpu/online", "0-4\n");
	run();
	text = print(print_text);
	/* errors first */
	ck_assert_ptr_eq(strstr(text, "error: CPU 5"), text);
	ck_assert_ptr_nonnull(strstr(text, "[cpu.absent]\n    why:    "));
	ck_assert_ptr_nonnull(strstr(text, "\n    remedy: add iommu=pt"));
	ck_assert_ptr_nonnull(strstr(text, "\n1 error, 1 warning.\n"));
	free(text);
	tree_file("sys/devices/system/cpu/online", "0-7\n");
	run();
	text = print(print_text);
	ck_assert_ptr_nonnull(strstr(text, "0 errors, 1 warning: the daemon can run"));
	free(text);
}
END_TEST

START_TEST(reports_are_json)
{
	struct finding *finding;
	json_error_t error;
	char *text;

	finding = report_add(&machine.report, FINDING_WARNING, "a.warning");
	finding_what(finding, "a path: \xff\"\\");
	finding_why(finding, "Gr\xc3\xbc\xc3\x9f"
	                     "e");
	finding_remedy(finding, "%d", 5);
	report_add(&machine.report, FINDING_ERROR, "an.error");
	report_settle(&machine.report, false);
	text = print(report_print_json);
	json_t *all = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	ck_assert_ptr_nonnull(all);
	json_t *list = json_object_get(all, "findings");
	ck_assert(json_is_false(json_object_get(all, "ok")));
	ck_assert_int_eq(json_integer_value(json_object_get(all, "errors")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(all, "warnings")), 1);
	ck_assert_uint_eq(json_array_size(list), 2);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "severity")),
	                 "error");
	json_t *second = json_array_get(list, 1);
	ck_assert_str_eq(json_string_value(json_object_get(second, "id")), "a.warning");
	ck_assert_str_eq(json_string_value(json_object_get(second, "what")), "a path: ?\"\\");
	ck_assert_str_eq(json_string_value(json_object_get(second, "remedy")), "5");
	json_decref(all);
	free(text);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60); /* a busy machine, where forking alone takes long */
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_sound_machine_has_no_findings);
	tcase_add_loop_test(tcase, each_fault_has_its_finding, 0,
	                    sizeof(faults) / sizeof(faults[0]));
	tcase_add_test(tcase, an_unbound_vf_blocks_only_when_it_is_the_last);
	tcase_add_test(tcase, a_vdev_is_a_vf_that_works);
	tcase_add_test(tcase, bind_is_the_remedy_where_it_helps);
	tcase_add_test(tcase, vfs_to_bind_are_checked_without_a_relay);
	tcase_add_test(tcase, vfs_that_are_none);
	tcase_add_test(tcase, a_group_that_is_not_viable);
	tcase_add_test(tcase, without_an_iommu);
	tcase_add_test(tcase, igb_uio_behind_a_translating_iommu);
	tcase_add_test(tcase, igb_uio_takes_physical_addresses);
	tcase_add_test(tcase, a_pf_in_the_hands_of_vfio);
	tcase_add_test(tcase, a_node_without_workers);
	tcase_add_test(tcase, a_cpuset_that_is_narrower);
	tcase_add_test(tcase, one_reason_is_enough);
	tcase_add_test(tcase, lcores_are_looked_up);
	tcase_add_test(tcase, hugetlbfs_has_to_be_mounted);
	tcase_add_test(tcase, a_page_size_may_go_unsaid);
	tcase_add_test(tcase, hugetlbfs_twice_at_one_place);
	tcase_add_test(tcase, hugetlbfs_of_somebody_else);
	tcase_add_test(tcase, no_pages_for_the_first_relay);
	tcase_add_test(tcase, no_pages_where_all_vfs_are);
	tcase_add_test(tcase, a_kernel_without_numa);
	tcase_add_test(tcase, the_estimate_is_the_pools);
	tcase_add_test(tcase, another_instance);
	tcase_add_test(tcase, endpoints_of_others);
	tcase_add_test(tcase, limits_that_are_low);
	tcase_add_test(tcase, a_pid_directory_of_somebody_else);
	tcase_add_test(tcase, warnings_of_the_configuration_are_findings);
	tcase_add_test(tcase, accounts_that_are_unknown);
	tcase_add_test(tcase, qemu_has_to_pass_all_directories);
	tcase_add_test(tcase, either_owner_or_group_suffices);
	tcase_add_test(tcase, sockets_that_cannot_be_made);
	tcase_add_test(tcase, in_client_mode_qemu_makes_the_sockets);
	tcase_add_test(tcase, reports_are_readable);
	tcase_add_test(tcase, reports_are_json);
	return suite_main("preflight", tcase);
}
