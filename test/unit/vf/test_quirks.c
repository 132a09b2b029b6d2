/* The table of drivers' traits: whose row it is that counts. */
#include <check.h>

#include "suite.h"
#include "vf/quirks.h"

START_TEST(a_family_and_its_vfs)
{
	static const char *const families[][2] = {{"net_e1000_igb", "net_e1000_igb_vf"},
	                                          {"net_ixgbe", "net_ixgbe_vf"}};
	static const char *const filters[] = {"net_e1000_igb_vf", "net_ixgbe_vf", "net_txgbe_vf",
	                                      "net_iavf", "net_hns3_vf"};

	for (int i = 0; i < 2; i++) {
		const struct vf_quirks *family = vf_quirks_of_driver(families[i][0]);
		const struct vf_quirks *vf = vf_quirks_of_driver(families[i][1]);

		ck_assert(family->counts_whole_kb && vf->counts_whole_kb);
		ck_assert(!family->needs_pf_up && vf->needs_pf_up);
		ck_assert(!family->hides_refusals && vf->hides_refusals);
		ck_assert(!family->filters_vlans); /* it filters nothing unless it is told to */
	}
	for (int i = 0; i < 5; i++)
		ck_assert(vf_quirks_of_driver(filters[i])->filters_vlans);
	ck_assert(vf_quirks_of_driver("net_txgbe_vf")->counts_whole_kb);
	ck_assert(vf_quirks_of_driver("net_e1000_igb_vf")->never_promiscuous);
	ck_assert(!vf_quirks_of_driver("net_ixgbe_vf")->never_promiscuous);
	ck_assert(vf_quirks_of_driver("net_e1000_em")->counts_whole_kb);
}
END_TEST

START_TEST(software_devices)
{
	const struct vf_quirks *tap = vf_quirks_of_driver("net_tap");

	ck_assert_uint_eq(tap->max_mtu, 1500);
	ck_assert_uint_eq(tap->max_frame, 1522);
	ck_assert(tap->no_rss && tap->spreads_by_itself && tap->loses_link_changes);
	ck_assert(tap->counts_refusals && tap->makes_interface && !tap->uses_interface);
	ck_assert(vf_quirks_of_driver("net_af_packet")->uses_interface);
	ck_assert(!vf_quirks_of_driver("net_af_packet")->counts_refusals);
	ck_assert(vf_quirks_of_driver("net_virtio_user")->spreads_by_itself);
	ck_assert(vf_quirks_of_driver("net_null")->makes_any_size);
	ck_assert(vf_quirks_of_driver("net_bonding")->many_pfs);
}
END_TEST

static void expect_none(const struct vf_quirks *quirks)
{
	ck_assert_ptr_nonnull(quirks);
	ck_assert(quirks->max_mtu == 0 && quirks->max_frame == 0);
	ck_assert(!quirks->counts_whole_kb && !quirks->makes_any_size && !quirks->no_rss);
	ck_assert(!quirks->spreads_by_itself && !quirks->loses_link_changes);
	ck_assert(!quirks->counts_refusals && !quirks->uses_interface && !quirks->makes_interface);
	ck_assert(!quirks->needs_pf_up && !quirks->hides_refusals);
	ck_assert(!quirks->never_promiscuous && !quirks->many_pfs && !quirks->filters_vlans);
}

START_TEST(all_others_have_none)
{
	expect_none(vf_quirks_of_driver("net_ena"));
	expect_none(vf_quirks_of_driver("net_hns3"));
	expect_none(vf_quirks_of_driver("mlx5_pci"));
	expect_none(vf_quirks_of_driver("net_ta"));
	expect_none(vf_quirks_of_driver(""));
	expect_none(vf_quirks_of_driver(NULL));
	expect_none(vf_quirks_of(31)); /* there is no such port */
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, a_family_and_its_vfs);
	tcase_add_test(tcase, software_devices);
	tcase_add_test(tcase, all_others_have_none);
	return suite_main("quirks", tcase);
}
