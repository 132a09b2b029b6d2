/* --bind and --unbind on a machine of our own, whose kernel is played by what follows.
 * WRAP: sysfs_write_text module_load
 */
#include <check.h>
#include <stdarg.h>
#include <stdlib.h>

#include "config_rig.h"
#include "fake_pci.h"
#include "fake_tree.h"
#include "preflight/bind.h"
#include "suite.h"
#include "sys/bind_record.h"
#include "sys/module.h"
#include "sys/pci_bind.h"
#include "sys/sysfs.h"

#define PF "0000:01:00.0"

static struct {
	bool read_only;     /* no root */
	bool vfio_refuses;  /* its probe fails */
	bool has_no_module; /* modprobe finds no vfio-pci */
	unsigned modules_loaded, writes, probed_by_vfs;
	char *out, *complaints;
	struct bind_place place;
	char sysfs[128], run[128];
} kernel;

/* --- the kernel ----------------------------------------------------------------------------- */

static const char *device_path(const char *name, const char *attribute)
{
	static char path[128];

	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/%s", name, attribute);
	return path;
}

static void drive(const char *name, const char *driver)
{
	char target[128];

	snprintf(target, sizeof(target), "../../drivers/%s", driver);
	tree_link(device_path(name, "driver"), target);
}

static const char *driver_of(const char *name)
{
	static char driver[64];

	if (sysfs_read_link_name(driver, sizeof(driver), kernel.sysfs, "bus/pci/devices/%s/driver",
	                         name) < 0)
		driver[0] = '\0';
	return driver;
}

static bool has_driver(const char *driver)
{
	char path[128];

	snprintf(path, sizeof(path), "sys/bus/pci/drivers/%s", driver);
	return access(tree_path(path), F_OK) == 0;
}

static const char *override_of(const char *name)
{
	static char override[64];

	ck_assert_int_eq(sysfs_read_text(override, sizeof(override), kernel.sysfs,
	                                 "bus/pci/devices/%s/driver_override", name),
	                 0);
	return override;
}

/* As the kernel has it for VFs. */
static bool can_probe(const char *name)
{
	int64_t autoprobe = 1;

	(void)sysfs_read_number(&autoprobe, kernel.sysfs,
	                        "bus/pci/devices/%s/physfn/sriov_drivers_autoprobe", name);
	return autoprobe != 0 || strcmp(override_of(name), "(null)") != 0;
}

static int probe(const char *name)
{
	const char *driver = override_of(name);

	if (driver_of(name)[0] != '\0' || !can_probe(name))
		return 0;
	if (strcmp(driver, "(null)") == 0)
		driver = "igbvf";
	else if (kernel.vfio_refuses)
		return 0;
	if (has_driver(driver))
		drive(name, driver);
	return 0;
}

static void add_vf(unsigned index, const char *driver)
{
	char name[32], link[32], target[48], group[8];

	snprintf(name, sizeof(name), "0000:01:10.%u", index);
	snprintf(link, sizeof(link), "virtfn%u", index);
	snprintf(target, sizeof(target), "../%s", name);
	snprintf(group, sizeof(group), "%u", 20 + index);
	add_function(name, "0x020000\n", driver, "0\n", group);
	tree_file(device_path(name, "driver_override"), "(null)\n");
	tree_link(device_path(name, "physfn"), "../" PF);
	tree_link(device_path(PF, link), target);
	kernel.probed_by_vfs += driver != NULL;
}

static int make_vfs(unsigned count)
{
	int64_t autoprobe;

	ck_assert_int_eq(sysfs_read_number(&autoprobe, kernel.sysfs,
	                                   "bus/pci/devices/" PF "/sriov_drivers_autoprobe"),
	                 0);
	for (unsigned i = 0; i < count; i++)
		add_vf(i, autoprobe ? "igbvf" : NULL);
	return 0;
}

int __wrap_sysfs_write_text(const char *root, const char *text, const char *format, ...);
int __wrap_sysfs_write_text(const char *root, const char *text, const char *format, ...)
{
	char path[256], name[32] = "", attribute[64] = "", value[64];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	ck_assert_str_eq(root, kernel.sysfs);
	kernel.writes++;
	if (kernel.read_only)
		return -EACCES;
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(text, "\n"), text);
	if (strcmp(path, "bus/pci/drivers_probe") == 0)
		return probe(value);
	if (sscanf(path, "bus/pci/drivers/%63[^/]/bind", attribute) == 1) {
		if (!has_driver(attribute))
			return -ENOENT;
		if (!can_probe(value))
			return -ENODEV;
		drive(value, attribute);
		return 0;
	}
	ck_assert_int_eq(sscanf(path, "bus/pci/devices/%31[^/]/%63s", name, attribute), 2);
	if (strcmp(attribute, "driver/unbind") == 0) {
		ck_assert_str_eq(value, name);
		return unlink(tree_path(device_path(name, "driver"))) < 0 ? -ENOENT : 0;
	}
	if (strcmp(attribute, "driver_override") == 0)
		tree_file(device_path(name, attribute), value[0] != '\0' ? text : "(null)\n");
	else
		tree_file(device_path(name, attribute), value);
	return strcmp(attribute, "sriov_numvfs") == 0 ? make_vfs((unsigned)atol(value)) : 0;
}

int __wrap_module_load(const char *name, struct error *err);
int __wrap_module_load(const char *name, struct error *err)
{
	ck_assert_str_eq(name, "vfio-pci");
	if (kernel.has_no_module)
		return error_set(err, ENODEV, "no module");
	kernel.modules_loaded++;
	tree_file("sys/bus/pci/drivers/vfio-pci/bind", "");
	return 0;
}

/* --- the rig -------------------------------------------------------------------------------- */

/* A PF with three VFs, of which igbvf has two. */
static void set_up(void)
{
	memset(&kernel, 0, sizeof(kernel));
	fake_sysfs = "sys/";
	rig_set_up();
	tree_create();
	snprintf(kernel.sysfs, sizeof(kernel.sysfs), "%s/sys", tree_root);
	snprintf(kernel.run, sizeof(kernel.run), "%s/run", tree_root);
	kernel.place = (struct bind_place){kernel.sysfs, tree_root, kernel.run};
	tree_file(device_path(PF, "class"), "0x020000\n");
	tree_file(device_path(PF, "driver_override"), "(null)\n");
	tree_file(device_path(PF, "sriov_totalvfs"), "7\n");
	tree_file(device_path(PF, "sriov_numvfs"), "3\n");
	tree_file(device_path(PF, "sriov_drivers_autoprobe"), "1\n");
	tree_file(device_path(PF, "net/ens1f0/flags"), "0x1003\n");
	drive(PF, "igb");
	tree_link("sys/class/net/ens1f0/device", "../../../" PF);
	tree_file("sys/bus/pci/drivers/igbvf/bind", "");
	add_vf(0, "igbvf");
	add_vf(1, "igbvf");
	add_vf(2, NULL);
}

static void tear_down(void)
{
	free(kernel.out);
	free(kernel.complaints);
	rig_tear_down();
	tree_remove();
}

static int finish(FILE *out, FILE *complaints, int status)
{
	fclose(out);
	fclose(complaints);
	/* A failure is told, and only then. */
	ck_assert_int_eq(status, kernel.complaints[0] == '\0' ? 0 : 1);
	return status;
}

static void streams(FILE **out, FILE **complaints)
{
	static size_t sizes[2];

	free(kernel.out);
	free(kernel.complaints);
	*out = open_memstream(&kernel.out, &sizes[0]);
	*complaints = open_memstream(&kernel.complaints, &sizes[1]);
}

static int run_bind(const char *list)
{
	char text[256];
	FILE *out, *complaints;

	snprintf(text, sizeof(text), "VIRTIOFWD_BIND_VFIO_PCI=%s\n", list);
	rig_write(text, strlen(text));
	ck_assert_int_eq(rig_load("--bind", "--config", rig.path, NULL), 0);
	streams(&out, &complaints);
	return finish(out, complaints, bind_take_all(&rig.cfg, &kernel.place, out, complaints));
}

static int run_unbind(void)
{
	FILE *out, *complaints;

	streams(&out, &complaints);
	return finish(out, complaints, bind_give_back_all(&kernel.place, out, complaints));
}

static void says(const char *text)
{
	ck_assert_msg(strstr(kernel.out, text) != NULL, "%s", kernel.out);
}

static void complains(const char *text)
{
	ck_assert_msg(strstr(kernel.complaints, text) != NULL, "%s", kernel.complaints);
}

static void drivers_are(const char *first, const char *second, const char *third)
{
	const char *wanted[] = {first, second, third};

	for (unsigned i = 0; i < 3; i++) {
		char name[32];

		snprintf(name, sizeof(name), "0000:01:10.%u", i);
		ck_assert_str_eq(driver_of(name), wanted[i]);
	}
}

static bool has_record(void)
{
	return access(tree_path("run/bound"), F_OK) == 0;
}

/* --- binding -------------------------------------------------------------------------------- */

START_TEST(binds_all_vfs_of_an_interface_and_gives_them_back)
{
	ck_assert_int_eq(run_bind("ens1f0"), 0);
	ck_assert_uint_eq(kernel.modules_loaded, 1);
	drivers_are("vfio-pci", "vfio-pci", "vfio-pci");
	ck_assert_str_eq(override_of("0000:01:10.0"), "vfio-pci");
	says("0000:01:10.0: bound to vfio-pci, was bound to igbvf");
	says("0000:01:10.2: bound to vfio-pci, was bound to no driver");
	ck_assert_str_eq(driver_of(PF), "igb");

	ck_assert_int_eq(run_unbind(), 0);
	drivers_are("igbvf", "igbvf", "");
	ck_assert_str_eq(override_of("0000:01:10.2"), "(null)");
	ck_assert(!has_record());
	ck_assert_int_eq(run_unbind(), 0);
	says("nothing to give back");
}
END_TEST

START_TEST(binds_the_first_so_many_and_single_ones)
{
	ck_assert_int_eq(run_bind("ens1f0:1"), 0);
	drivers_are("vfio-pci", "igbvf", "");
	ck_assert_int_eq(run_bind("01:10.2,0000:01:10.2,ens1f0:1"), 0);
	drivers_are("vfio-pci", "igbvf", "vfio-pci");
	/* Each once, whatever names it. */
	ck_assert_ptr_null(strstr(strstr(kernel.out, "0000:01:10.2") + 1, "0000:01:10.2"));
	ck_assert_int_eq(run_unbind(), 0);
	drivers_are("igbvf", "igbvf", "");
}
END_TEST

START_TEST(does_it_once)
{
	ck_assert_int_eq(run_bind("ens1f0"), 0);
	unsigned writes = kernel.writes;

	ck_assert_int_eq(run_bind("ens1f0"), 0);
	ck_assert_uint_eq(kernel.writes, writes);
	says("0000:01:10.1: bound to vfio-pci already");
	/* The record still knows what was there before the first time. */
	ck_assert_int_eq(run_unbind(), 0);
	drivers_are("igbvf", "igbvf", "");
}
END_TEST

START_TEST(gives_back_only_what_it_bound)
{
	add_vf(3, "vfio-pci");
	tree_file("sys/bus/pci/drivers/vfio-pci/bind", "");
	tree_file(device_path("0000:01:10.3", "driver_override"), "vfio-pci\n");
	ck_assert_int_eq(run_bind("01:10.0,01:10.3"), 0);
	says("0000:01:10.3: bound to vfio-pci already");
	ck_assert_uint_eq(kernel.modules_loaded, 0);
	ck_assert_int_eq(run_unbind(), 0);
	drivers_are("igbvf", "igbvf", "");
	ck_assert_str_eq(driver_of("0000:01:10.3"), "vfio-pci");
}
END_TEST

/* The administrator has given it to something else, or the VFs have gone and come again. */
START_TEST(leaves_alone_what_others_have_decided)
{
	ck_assert_int_eq(run_bind("ens1f0"), 0);
	unlink(tree_path(device_path("0000:01:10.0", "driver")));
	drive("0000:01:10.0", "igbvf");
	tree_file(device_path("0000:01:10.1", "driver_override"), "(null)\n");
	ck_assert_int_eq(run_unbind(), 0);
	says("0000:01:10.0 is not bound to vfio-pci by us any more");
	drivers_are("igbvf", "vfio-pci", "");
	ck_assert(!has_record());
}
END_TEST

START_TEST(leaves_usable_drivers)
{
	add_vf(3, "igb_uio");
	add_vf(4, "mlx5_core");
	ck_assert_int_eq(run_bind("01:10.3,01:10.4"), 0);
	says("0000:01:10.3: bound to igb_uio, which DPDK can use: left as it is");
	says("0000:01:10.4: bound to mlx5_core");
	ck_assert_uint_eq(kernel.writes, 0);
	ck_assert(!has_record());
}
END_TEST

START_TEST(one_that_fails_does_not_stop_the_others)
{
	ck_assert_int_eq(run_bind("0000:77:00.0,ens9,01:10.1"), 1);
	complains("there is no PCI device 0000:77:00.0: lspci -D");
	complains("there is no network device ens9");
	drivers_are("igbvf", "vfio-pci", "");
	ck_assert_int_eq(run_unbind(), 0);
	drivers_are("igbvf", "igbvf", "");
}
END_TEST

START_TEST(a_refusal_of_vfio_is_undone)
{
	kernel.vfio_refuses = true;
	ck_assert_int_eq(run_bind("ens1f0"), 1);
	complains("0000:01:10.0 cannot be bound to vfio-pci: the driver refuses it, and dmesg");
	drivers_are("igbvf", "igbvf", "");
	ck_assert_str_eq(override_of("0000:01:10.0"), "(null)");
	ck_assert(!has_record());
}
END_TEST

/* sriov_drivers_autoprobe is off, and igbvf has the VF by an override. */
START_TEST(gives_back_where_only_overrides_count)
{
	tree_file(device_path(PF, "sriov_drivers_autoprobe"), "0\n");
	tree_file(device_path("0000:01:10.0", "driver_override"), "igbvf\n");
	ck_assert_int_eq(run_bind("ens1f0"), 0);
	drivers_are("vfio-pci", "vfio-pci", "vfio-pci");
	ck_assert_int_eq(run_unbind(), 0);
	drivers_are("igbvf", "igbvf", "");
	ck_assert_str_eq(override_of("0000:01:10.0"), "igbvf");
	ck_assert_str_eq(override_of("0000:01:10.2"), "(null)");
}
END_TEST

START_TEST(a_driver_that_is_gone_is_told_of)
{
	ck_assert_int_eq(run_bind("01:10.0"), 0);
	ck_assert_int_eq(unlink(tree_path("sys/bus/pci/drivers/igbvf/bind")), 0);
	ck_assert_int_eq(rmdir(tree_path("sys/bus/pci/drivers/igbvf")), 0);
	ck_assert_int_eq(run_unbind(), 1);
	complains("0000:01:10.0 cannot be bound to igbvf again");
	complains("modprobe igbvf");
}
END_TEST

START_TEST(needs_root_and_the_module)
{
	kernel.read_only = true;
	ck_assert_int_eq(run_bind("01:10.0"), 1);
	complains("only root may");
	kernel.read_only = false;
	ck_assert_int_eq(unlink(tree_path("sys/bus/pci/drivers/vfio-pci/bind")), 0);
	ck_assert_int_eq(rmdir(tree_path("sys/bus/pci/drivers/vfio-pci")), 0);
	kernel.has_no_module = true;
	ck_assert_int_eq(run_bind("01:10.0"), 1);
	complains("no module");
	drivers_are("igbvf", "igbvf", "");
}
END_TEST

START_TEST(wants_an_iommu_or_somebody_who_does_not)
{
	ck_assert_int_eq(unlink(tree_path(device_path("0000:01:10.0", "iommu_group"))), 0);
	ck_assert_int_eq(run_bind("01:10.0"), 1);
	complains("0000:01:10.0 has no IOMMU group");
	complains("intel_iommu=on");
	complains("enable_unsafe_noiommu_mode=1");
	drivers_are("igbvf", "igbvf", "");
	tree_file("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
	ck_assert_int_eq(run_bind("01:10.0"), 0);
	drivers_are("vfio-pci", "igbvf", "");
}
END_TEST

START_TEST(tells_of_a_group_that_is_not_viable)
{
	add_vf(3, "igbvf");
	/* Both in group 20. */
	unlink(tree_path(device_path("0000:01:10.3", "iommu_group")));
	tree_link(device_path("0000:01:10.3", "iommu_group"), "../../../kernel/iommu_groups/20");
	tree_link("sys/kernel/iommu_groups/20/devices/0000:01:10.3", "somewhere");
	ck_assert_int_eq(run_bind("01:10.0"), 1);
	complains("0000:01:10.0 shares IOMMU group 20 with 0000:01:10.3");
	ck_assert_int_eq(run_bind("01:10.0,01:10.3"), 0);
}
END_TEST

START_TEST(spares_whole_devices_in_use)
{
	ck_assert_int_eq(run_bind(PF), 1);
	complains(PF " is a PF, whose VFs would go with its driver");
	tree_file(device_path(PF, "sriov_numvfs"), "0\n");
	tree_link(device_path(PF, "iommu_group"), "../../../kernel/iommu_groups/1");
	ck_assert_int_eq(run_bind(PF), 1);
	complains("its interface ens1f0 is up");
	ck_assert_str_eq(driver_of(PF), "igb");
	tree_file(device_path(PF, "net/ens1f0/flags"), "0x1002\n");
	ck_assert_int_eq(run_bind(PF), 0);
	ck_assert_str_eq(driver_of(PF), "vfio-pci");
}
END_TEST

/* --- the VFs of an interface ---------------------------------------------------------------- */

static void remove_vfs(void)
{
	for (unsigned i = 0; i < 3; i++) {
		char name[16], from[160], to[128];

		snprintf(name, sizeof(name), "virtfn%u", i);
		ck_assert_int_eq(unlink(tree_path(device_path(PF, name))), 0);
		snprintf(from, sizeof(from), "%s/bus/pci/devices/0000:01:10.%u", kernel.sysfs, i);
		snprintf(to, sizeof(to), "%.64s/gone-%u", tree_root, i);
		ck_assert_int_eq(rename(from, to), 0);
	}
	tree_file(device_path(PF, "sriov_numvfs"), "0\n");
	kernel.probed_by_vfs = 0;
}

static void drop_groups(void)
{
	for (unsigned i = 0; i < 3; i++) {
		char path[64];

		snprintf(path, sizeof(path), "sys/kernel/iommu_groups/%u/devices/0000:01:10.%u",
		         20 + i, i);
		ck_assert_int_eq(unlink(tree_path(path)), 0);
	}
}

START_TEST(makes_vfs_where_there_are_none)
{
	remove_vfs();
	drop_groups();
	ck_assert_int_eq(run_bind("ens1f0"), 1);
	complains("ens1f0 has no VFs: make some (echo 4 > /sys/class/net/ens1f0/device/"
	          "sriov_numvfs)");
	ck_assert_int_eq(run_bind("ens1f0:8"), 1);
	complains("ens1f0 can have 7 VFs at most, and 8 are named");
	ck_assert_int_eq(run_bind("ens1f0:3"), 0);
	says("ens1f0: made 3 VFs");
	drivers_are("vfio-pci", "vfio-pci", "vfio-pci");
	/* The kernel's driver never saw them, and sees the next. */
	ck_assert_uint_eq(kernel.probed_by_vfs, 0);
	int64_t autoprobe = 0;
	ck_assert_int_eq(sysfs_read_number(&autoprobe, kernel.sysfs,
	                                   "bus/pci/devices/" PF "/sriov_drivers_autoprobe"),
	                 0);
	ck_assert_int_eq(autoprobe, 1);
	/* They stay, without a driver. */
	ck_assert_int_eq(run_unbind(), 0);
	drivers_are("", "", "");
}
END_TEST

START_TEST(autoprobe_that_is_off_stays_off)
{
	int64_t autoprobe = 1;

	remove_vfs();
	drop_groups();
	tree_file(device_path(PF, "sriov_drivers_autoprobe"), "0\n");
	ck_assert_int_eq(run_bind("ens1f0:1"), 0);
	ck_assert_int_eq(sysfs_read_number(&autoprobe, kernel.sysfs,
	                                   "bus/pci/devices/" PF "/sriov_drivers_autoprobe"),
	                 0);
	ck_assert_int_eq(autoprobe, 0);
}
END_TEST

START_TEST(does_not_change_the_number_of_vfs)
{
	ck_assert_int_eq(run_bind("ens1f0:4"), 1);
	complains("ens1f0 has 3 VFs of the 4 that are named");
	complains("echo 0 > /sys/class/net/ens1f0/device/sriov_numvfs");
	drivers_are("vfio-pci", "vfio-pci", "vfio-pci");
}
END_TEST

START_TEST(knows_interfaces_without_sriov)
{
	tree_link("sys/class/net/vf0/device", "../../../0000:01:10.0");
	ck_assert_int_eq(run_bind("vf0"), 1);
	complains("vf0 (0000:01:10.0) has no SR-IOV");
	ck_assert_int_eq(run_bind("vf0:2"), 1);
	complains("has no SR-IOV");
}
END_TEST

START_TEST(nothing_to_bind_is_no_error)
{
	FILE *out, *complaints;

	ck_assert_int_eq(rig_load("--bind", NULL), 0);
	streams(&out, &complaints);
	ck_assert_int_eq(
	        finish(out, complaints, bind_take_all(&rig.cfg, &kernel.place, out, complaints)),
	        0);
	says("names nothing");
}
END_TEST

/* --- the record ----------------------------------------------------------------------------- */

START_TEST(record_survives_interruptions)
{
	struct bind_record record;
	const struct pci_address vf = {.bus = 1, .slot = 0x10};
	struct error err;

	ck_assert_int_eq(bind_record_open(&record, kernel.run, &err), 0);
	ck_assert_uint_eq(record.count, 0);
	tree_file("run/bound.new", "half a li");
	ck_assert_int_eq(bind_record_put(&record, &vf, "igbvf", &err), 0);
	ck_assert_int_eq(bind_record_put(&record, &vf, "other", &err), 0);
	bind_record_close(&record);
	ck_assert_int_eq(access(tree_path("run/bound.new"), F_OK), -1);

	ck_assert_int_eq(bind_record_open(&record, kernel.run, &err), 0);
	ck_assert_uint_eq(record.count, 1);
	ck_assert_str_eq(bind_record_find(&record, &vf)->driver, "igbvf");
	ck_assert_int_eq(bind_record_drop(&record, &vf, &err), 0);
	ck_assert_int_eq(bind_record_drop(&record, &vf, &err), 0);
	bind_record_close(&record);
	ck_assert(!has_record());
}
END_TEST

START_TEST(damaged_records_are_refused)
{
	static const char *const texts[] = {"0000:01:10.0\n", "0000:01:10.0 ../../x\n",
	                                    "0000:01:10.0 ..\n", "what else\n", "\n"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		tree_file("run/bound", texts[i]);
		ck_assert_int_eq(run_unbind(), 1);
		complains("line 1 of the record");
		complains("remove the file");
	}
	ck_assert_int_eq(unlink(tree_path("run/bound")), 0);
	tree_file("elsewhere", "0000:01:10.0 igbvf\n");
	tree_link("run/bound", "../elsewhere");
	ck_assert_int_eq(run_unbind(), 1);
	complains("cannot read the record");
	/* The daemon's user may own the directory; what it writes there root does not follow. */
	if (geteuid() == 0) {
		ck_assert_int_eq(unlink(tree_path("run/bound")), 0);
		tree_file("run/bound", "0000:01:10.0 igbvf\n");
		ck_assert_int_eq(chown(tree_path("run/bound"), 12345, (gid_t)-1), 0);
		ck_assert_int_eq(run_unbind(), 1);
		complains("not a file of this user's");
	}
	ck_assert_uint_eq(kernel.writes, 0);
}
END_TEST

START_TEST(finds_its_directory)
{
	unsetenv("RUNTIME_DIRECTORY");
	ck_assert_str_eq(bind_place_real().directory, "/var/run/virtio-forwarder");
	setenv("RUNTIME_DIRECTORY", "/run/one:/run/two", 1);
	ck_assert_str_eq(bind_place_real().directory, "/run/one");
	ck_assert_str_eq(bind_place_real().sysfs, "/sys");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60); /* a busy machine, where forking alone takes long */
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, binds_all_vfs_of_an_interface_and_gives_them_back);
	tcase_add_test(tcase, binds_the_first_so_many_and_single_ones);
	tcase_add_test(tcase, does_it_once);
	tcase_add_test(tcase, gives_back_only_what_it_bound);
	tcase_add_test(tcase, leaves_alone_what_others_have_decided);
	tcase_add_test(tcase, leaves_usable_drivers);
	tcase_add_test(tcase, one_that_fails_does_not_stop_the_others);
	tcase_add_test(tcase, a_refusal_of_vfio_is_undone);
	tcase_add_test(tcase, gives_back_where_only_overrides_count);
	tcase_add_test(tcase, a_driver_that_is_gone_is_told_of);
	tcase_add_test(tcase, needs_root_and_the_module);
	tcase_add_test(tcase, wants_an_iommu_or_somebody_who_does_not);
	tcase_add_test(tcase, tells_of_a_group_that_is_not_viable);
	tcase_add_test(tcase, spares_whole_devices_in_use);
	tcase_add_test(tcase, makes_vfs_where_there_are_none);
	tcase_add_test(tcase, autoprobe_that_is_off_stays_off);
	tcase_add_test(tcase, does_not_change_the_number_of_vfs);
	tcase_add_test(tcase, knows_interfaces_without_sriov);
	tcase_add_test(tcase, nothing_to_bind_is_no_error);
	tcase_add_test(tcase, record_survives_interruptions);
	tcase_add_test(tcase, damaged_records_are_refused);
	tcase_add_test(tcase, finds_its_directory);
	return suite_main("bind", tcase);
}
