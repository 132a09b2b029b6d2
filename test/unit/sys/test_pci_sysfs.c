/* PCI functions as a sysfs tells of them, and what the VF end makes of that. */
#include <check.h>

#include "fake_pci.h"
#include "fake_tree.h"
#include "suite.h"
#include "sys/pci_sysfs.h"
#include "vf/probe.h"
#include "vf/vf.h"

static const struct pci_address pf = {.bus = 1};
static const struct pci_address vf = {.bus = 1, .slot = 0x10, .function = 2};
static const struct pci_address nvme = {.bus = 2};

static void set_up(void)
{
	tree_create();
	add_function("0000:01:00.0", "0x020000\n", "igb", "1\n", "7");
	tree_file("bus/pci/devices/0000:01:00.0/net/eno2/operstate", "up\n");
	tree_file("bus/pci/devices/0000:01:00.0/net/eno1/operstate", "up\n");
	tree_link("bus/pci/devices/0000:01:00.0/virtfn0", "../0000:01:10.0");
	tree_link("bus/pci/devices/0000:01:00.0/virtfn1", "../0000:01:10.2");
	tree_link("bus/pci/devices/0000:01:00.0/virtfnX", "../0000:01:10.2");
	add_function("0000:01:10.2", "0x020000\n", "vfio-pci", "1\n", "12");
	tree_link("bus/pci/devices/0000:01:10.2/physfn", "../0000:01:00.0");
	add_function("0000:02:00.0", "0x010802\n", "nvme", "-1\n", "9");
	tree_link("class/net/eno1/device", "../../../0000:01:00.0");
	tree_file("class/net/lo/mtu", "65536\n");
}

START_TEST(reads_a_vf)
{
	struct pci_function f;

	ck_assert_int_eq(pci_sysfs_read(tree_root, &vf, &f), 0);
	ck_assert_uint_eq(f.vendor_id, 0x8086);
	ck_assert_uint_eq(f.device_id, 0x10ca);
	ck_assert_uint_eq(f.class_code, 0x020000);
	ck_assert_str_eq(f.driver, "vfio-pci");
	ck_assert_int_eq(f.numa_node, 1);
	ck_assert_int_eq(f.iommu_group, 12);
	ck_assert(f.is_vf && f.has_pf);
	ck_assert(pci_address_equal(&f.pf, &pf));
	ck_assert_uint_eq(f.vf_index, 1);
	ck_assert_str_eq(f.pf_netdev, "eno1");
}
END_TEST

START_TEST(reads_what_is_no_vf)
{
	struct pci_function f;
	const struct pci_address absent = {.bus = 3};

	ck_assert_int_eq(pci_sysfs_read(tree_root, &nvme, &f), 0);
	ck_assert_str_eq(f.driver, "nvme");
	ck_assert_int_eq(f.numa_node, 0);
	ck_assert(!f.is_vf && !f.has_pf && !pci_function_is_network(&f));
	ck_assert_int_eq(pci_sysfs_read(tree_root, &absent, &f), -ENODEV);
	ck_assert_int_eq(pci_sysfs_read("/nowhere", &vf, &f), -ENODEV);
}
END_TEST

/* In a guest that was given a VF alone there is no PF; and sysfs may hold nonsense. */
START_TEST(bears_missing_and_odd_attributes)
{
	const struct pci_address odd = {.bus = 5};
	struct pci_function f;

	add_function("0000:05:00.0", "zero\n", NULL, "99999999999999999999\n", NULL);
	tree_link("bus/pci/devices/0000:05:00.0/physfn", "../0000:04:00.0");
	tree_link("bus/pci/devices/0000:05:00.0/iommu_group", "../groups/many");
	ck_assert_int_eq(pci_sysfs_read(tree_root, &odd, &f), 0);
	ck_assert_uint_eq(f.class_code, 0);
	ck_assert_str_eq(f.driver, "");
	ck_assert_int_eq(f.numa_node, 0);
	ck_assert_int_eq(f.iommu_group, -1);
	ck_assert(f.is_vf && !f.has_pf);
}
END_TEST

START_TEST(judges_groups)
{
	struct pci_function blocker;

	ck_assert_int_eq(pci_sysfs_check_group(tree_root, 12, &blocker), 0);
	/* a bridge, a function without a driver, a variant of vfio-pci */
	add_function("0000:01:10.1", "0x060400\n", "pcieport", "0\n", "12");
	add_function("0000:01:10.3", "0x020000\n", NULL, "0\n", "12");
	add_function("0000:01:10.4", "0x020000\n", "mlx5_vfio_pci", "0\n", "12");
	ck_assert_int_eq(pci_sysfs_check_group(tree_root, 12, &blocker), 0);
	add_function("0000:01:10.5", "0x020000\n", "igbvf", "0\n", "12");
	ck_assert_int_eq(pci_sysfs_check_group(tree_root, 12, &blocker), -EBUSY);
	ck_assert_uint_eq(blocker.address.function, 5);
	ck_assert_str_eq(blocker.driver, "igbvf");
	ck_assert_int_eq(pci_sysfs_check_group(tree_root, 99, &blocker), -ENOENT);
}
END_TEST

START_TEST(finds_netdevs)
{
	struct pci_address found;

	ck_assert_int_eq(pci_sysfs_find_netdev(tree_root, "eno1", &found), 0);
	ck_assert(pci_address_equal(&found, &pf));
	ck_assert_int_eq(pci_sysfs_find_netdev(tree_root, "lo", &found), -ENODEV);
	ck_assert_int_eq(pci_sysfs_find_netdev(tree_root, "eno9", &found), -ENODEV);
	ck_assert_int_eq(pci_sysfs_find_netdev(tree_root, "../net/eno1", &found), -ENODEV);
	ck_assert_int_eq(pci_sysfs_find_netdev(tree_root, "", &found), -ENODEV);
}
END_TEST

static int find_port(const char *port_name, struct pci_address *found)
{
	tree_link("class/net/port/device", "../../../0000:01:00.0");
	tree_file("class/net/port/phys_port_name", port_name);
	int rc = pci_sysfs_find_netdev(tree_root, "port", found);
	ck_assert_int_eq(unlink(tree_path("class/net/port/device")), 0);
	return rc;
}

START_TEST(finds_the_vf_behind_a_switch_port)
{
	struct pci_address found;

	ck_assert_int_eq(pci_sysfs_find_vf(tree_root, &pf, 1, &found), 0);
	ck_assert(pci_address_equal(&found, &vf));
	ck_assert_int_eq(pci_sysfs_find_vf(tree_root, &pf, 2, &found), -ENODEV);
	ck_assert_int_eq(pci_sysfs_find_vf(tree_root, &nvme, 0, &found), -ENODEV);

	ck_assert_int_eq(find_port("pf0vf1\n", &found), 0);
	ck_assert(pci_address_equal(&found, &vf));
	ck_assert_int_eq(find_port("p0\n", &found), 0); /* the wire: the PF's own */
	ck_assert(pci_address_equal(&found, &pf));
	ck_assert_int_eq(find_port("pf0vf2\n", &found), -ENODEV);
	ck_assert_int_eq(find_port("pf0vf99999999999\n", &found), -ENODEV);
	ck_assert_int_eq(find_port("pf0vf\n", &found), -ENODEV);
	ck_assert_int_eq(find_port("pf0sf1\n", &found), -ENODEV);
	ck_assert_int_eq(find_port("pf0\n", &found), -ENODEV);
	ck_assert_int_eq(find_port("pf\n", &found), -ENODEV);
	ck_assert_int_eq(find_port("c1pf0vf1\n", &found), -ENODEV); /* another host's */
}
END_TEST

static void expect_refusal(const struct pci_address *address, const char *first, const char *second)
{
	struct pci_function f;
	struct error err = {0};

	ck_assert_int_eq(vf_probe_check_pci(tree_root, address, &f, &err), -1);
	ck_assert_int_eq(err.code, VF_ERROR_PROBE);
	ck_assert_msg(strstr(err.text, first) != NULL, "%s", err.text);
	ck_assert_msg(strstr(err.text, second) != NULL, "%s", err.text);
}

START_TEST(refuses_with_a_remedy)
{
	const struct pci_address absent = {.bus = 3}, unbound = {.bus = 4}, bare = {.bus = 6},
	                         mlx = {.bus = 7};
	struct pci_function f;
	struct error err = {0};

	ck_assert_int_eq(vf_probe_check_pci(tree_root, &vf, &f, &err), 0);
	expect_refusal(&absent, "no PCI device 0000:03:00.0", "lspci -D");
	expect_refusal(&nvme, "0000:02:00.0 is no network device", "010802");
	expect_refusal(&pf, "kernel driver igb", "driverctl set-override 0000:01:00.0 vfio-pci");
	expect_refusal(&pf, "no VF but a whole device", "driverctl");
	add_function("0000:04:00.0", "0x020000\n", NULL, "0\n", "12");
	expect_refusal(&unbound, "bound to no driver",
	               "driverctl set-override 0000:04:00.0 vfio-pci");
	add_function("0000:06:00.0", "0x020000\n", "vfio-pci", "0\n", NULL);
	expect_refusal(&bare, "no IOMMU group", "intel_iommu=on");
	add_function("0000:07:00.0", "0x020000\n", "mlx5_core", "0\n", NULL);
	ck_assert_int_eq(vf_probe_check_pci(tree_root, &mlx, &f, &err), 0);
	add_function("0000:01:10.5", "0x020000\n", "igbvf", "0\n", "12");
	expect_refusal(&vf, "shares IOMMU group 12 with 0000:01:10.5", "driver igbvf");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tree_remove);
	tcase_add_test(tcase, reads_a_vf);
	tcase_add_test(tcase, reads_what_is_no_vf);
	tcase_add_test(tcase, bears_missing_and_odd_attributes);
	tcase_add_test(tcase, judges_groups);
	tcase_add_test(tcase, finds_netdevs);
	tcase_add_test(tcase, finds_the_vf_behind_a_switch_port);
	tcase_add_test(tcase, refuses_with_a_remedy);
	return suite_main("pci_sysfs", tcase);
}
