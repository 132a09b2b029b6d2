/* --check on a machine of our own: what it says of VFs, their drivers and the IOMMU. */
#include <check.h>
#include <stdio.h>
#include <unistd.h>

#include "fake_machine.h"
#include "suite.h"

/* --- VFs ------------------------------------------------------------------------------------ */

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

/* With dynamic sockets, say: then any on the host may be meant. */
START_TEST(igb_uio_where_clients_add_the_vfs)
{
	machine.vf0 = machine.vf1 = NULL;
	rebind("0000:01:10.1", "igb_uio");
	rebind("0000:02:00.0", "uio_pci_generic"); /* no NIC */
	run();
	ck_assert_ptr_null(find("vf.uio_not_allowed"));
	tree_file("proc/self/status", "CapEff:\t00000000ffdfffff\n"); /* no CAP_SYS_ADMIN */
	run();
	ck_assert_int_eq(find("vf.uio_not_allowed")->severity, FINDING_WARNING);
	what_says(find("vf.uio_not_allowed"), "0000:01:10.1, which clients may add");
	rebind("0000:01:10.1", "vfio-pci");
	run();
	ck_assert_ptr_null(find("vf.uio_not_allowed"));
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

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60); /* a busy machine, where forking alone takes long */
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, an_unbound_vf_blocks_only_when_it_is_the_last);
	tcase_add_test(tcase, a_vdev_is_a_vf_that_works);
	tcase_add_test(tcase, bind_is_the_remedy_where_it_helps);
	tcase_add_test(tcase, vfs_to_bind_are_checked_without_a_relay);
	tcase_add_test(tcase, vfs_that_are_none);
	tcase_add_test(tcase, a_group_that_is_not_viable);
	tcase_add_test(tcase, without_an_iommu);
	tcase_add_test(tcase, igb_uio_behind_a_translating_iommu);
	tcase_add_test(tcase, igb_uio_takes_physical_addresses);
	tcase_add_test(tcase, igb_uio_where_clients_add_the_vfs);
	tcase_add_test(tcase, a_pf_in_the_hands_of_vfio);
	tcase_add_test(tcase, a_node_without_workers);
	return suite_main("preflight_vfs", tcase);
}
