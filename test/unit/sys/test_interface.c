/* The host's network interfaces: the loop-back one of a network namespace of our own. */
#include <check.h>
#include <errno.h>
#include <sched.h>

#include "suite.h"
#include "sys/interface.h"

START_TEST(reads_and_sets)
{
	struct interface now;
	unsigned index;

	if (unshare(CLONE_NEWNET) < 0)
		return; /* not root */
	index = if_nametoindex("lo");
	ck_assert_int_eq(interface_read(index, &now), 0);
	ck_assert_str_eq(now.name, "lo");
	ck_assert_uint_eq(now.mtu, 65536);
	ck_assert(now.flags & IFF_LOOPBACK && !(now.flags & IFF_UP));
	ck_assert_int_eq(interface_set_mtu("lo", 1400), 0);
	ck_assert_int_eq(interface_clear_flags("lo", IFF_PROMISC), 0);
	ck_assert_int_eq(interface_read(index, &now), 0);
	ck_assert_uint_eq(now.mtu, 1400);
	ck_assert(!(now.flags & IFF_PROMISC) && now.flags & IFF_LOOPBACK);
	ck_assert_int_eq(interface_set_carrier(index, false), -EOPNOTSUPP);
}
END_TEST

START_TEST(says_what_is_not_there)
{
	struct interface now = {.mtu = 7};

	ck_assert_int_eq(interface_read(0, &now), -ENODEV);
	ck_assert_int_eq(interface_read(0x7fffffff, &now), -ENODEV);
	ck_assert_uint_eq(now.mtu, 0);
	ck_assert_int_eq(interface_set_mtu("nosuchif0", 1500), -ENODEV);
	ck_assert_int_eq(interface_set_mtu("a name that is too long for one", 1500), -ENODEV);
	ck_assert_int_eq(interface_clear_flags("nosuchif0", IFF_PROMISC), -ENODEV);
	ck_assert_int_eq(interface_set_carrier(0x7fffffff, true), -ENODEV);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, reads_and_sets);
	tcase_add_test(tcase, says_what_is_not_there);
	return suite_main("interface", tcase);
}
