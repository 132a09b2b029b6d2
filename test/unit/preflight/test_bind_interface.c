/* --bind of an interface's VFs: those that it has, and those that are made for it.
 */
#include <check.h>
#include <stdio.h>
#include <unistd.h>

#include "fake_kernel.h"
#include "suite.h"

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

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60); /* a busy machine, where forking alone takes long */
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, makes_vfs_where_there_are_none);
	tcase_add_test(tcase, autoprobe_that_is_off_stays_off);
	tcase_add_test(tcase, does_not_change_the_number_of_vfs);
	tcase_add_test(tcase, knows_interfaces_without_sriov);
	tcase_add_test(tcase, nothing_to_bind_is_no_error);
	return suite_main("bind_interface", tcase);
}
