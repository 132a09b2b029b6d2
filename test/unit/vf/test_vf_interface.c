/* The interface behind a stand-in: what has happened to it, by what is seen and what was told. */
#include <check.h>

#include "suite.h"
#include "vf/interface.h"

START_TEST(judges)
{
	static const struct vf_interface given = {.index = 7, .is_up = true, .mtu = 1500},
	                                 made = {.index = 7,
	                                         .is_made = true,
	                                         .is_up = true,
	                                         .mtu = 1500},
	                                 down = {.index = 7, .mtu = 1500};
	static const struct interface up_now = {.flags = IFF_UP | IFF_RUNNING, .mtu = 1500},
	                              down_now = {.flags = IFF_RUNNING, .mtu = 1500},
	                              small = {.flags = IFF_UP, .mtu = 1499},
	                              large_and_down = {.mtu = 9000};
	static const struct {
		const struct vf_interface *known;
		const struct interface *now;
		enum vf_interface_news news;
		enum vf_interface_change change;
	} cases[] = {
	        {&given, &up_now, VF_INTERFACE_NEWS, VF_INTERFACE_SAME},
	        {&given, &down_now, VF_INTERFACE_NEWS, VF_INTERFACE_DOWN},
	        {&down, &down_now, VF_INTERFACE_NEWS, VF_INTERFACE_SAME},
	        {&down, &up_now, VF_INTERFACE_NEWS, VF_INTERFACE_UP},
	        {&given, &small, VF_INTERFACE_NEWS, VF_INTERFACE_OTHER_MTU},
	        {&given, &large_and_down, VF_INTERFACE_NEWS, VF_INTERFACE_OTHER_MTU},
	        {&given, NULL, VF_INTERFACE_NEWS, VF_INTERFACE_GONE},
	        {&given, NULL, VF_INTERFACE_NEWS_DELETED, VF_INTERFACE_GONE},
	        {&given, NULL, VF_INTERFACE_NEWS_MOVED, VF_INTERFACE_GONE},
	        {&made, &up_now, VF_INTERFACE_NEWS, VF_INTERFACE_SAME},
	        {&made, &down_now, VF_INTERFACE_NEWS, VF_INTERFACE_DOWN},
	        {&made, &small, VF_INTERFACE_NEWS, VF_INTERFACE_OTHER_MTU},
	        {&made, NULL, VF_INTERFACE_NEWS, VF_INTERFACE_SAME},
	        {&made, NULL, VF_INTERFACE_NEWS_DELETED, VF_INTERFACE_GONE},
	        {&made, NULL, VF_INTERFACE_NEWS_MOVED, VF_INTERFACE_MOVED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(vf_interface_judge(cases[i].known, cases[i].now, cases[i].news) ==
		                      cases[i].change,
		              "case %zu", i);
}
END_TEST

START_TEST(takes_no_more_than_it_has)
{
	struct vf vf = {.interface = {.index = 7, .mtu = 1400}};

	ck_assert_uint_eq(vf_interface_mtu(&vf, 2100), 1400);
	ck_assert_uint_eq(vf_interface_mtu(&vf, 1000), 1000);
	vf.interface.mtu = 65536;
	ck_assert_uint_eq(vf_interface_mtu(&vf, 2100), 2100);
	vf.interface.mtu = 1400;
	vf.interface.is_made = true;
	ck_assert_uint_eq(vf_interface_mtu(&vf, 2100), 2100);
	vf.interface = (struct vf_interface){0};
	ck_assert_uint_eq(vf_interface_mtu(&vf, 2100), 2100);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, judges);
	tcase_add_test(tcase, takes_no_more_than_it_has);
	return suite_main("vf_interface", tcase);
}
