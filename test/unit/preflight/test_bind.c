/* --bind and --unbind of VFs: which are bound, which are left alone, and what is given back.
 */
#include <check.h>
#include <stdio.h>
#include <unistd.h>

#include "fake_kernel.h"
#include "suite.h"

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
	return suite_main("bind", tcase);
}
