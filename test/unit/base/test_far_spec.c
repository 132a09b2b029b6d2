/* Far ends as text: the names that an interface of the kernel's may have, and where they stand
 * behind a static VF. */
#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/far_spec.h"
#include "suite.h"

static struct error err;

START_TEST(usual_names)
{
	struct far_spec far = far_spec_kernel(63);

	ck_assert(far.kind == FAR_KERNEL);
	ck_assert_str_eq(far.interface, "vio4wd63");
	ck_assert_int_eq(far_interface_check(far.interface, &err), 0);
	far = far_spec_kernel(UINT32_MAX); /* a client's, who will be refused */
	ck_assert_uint_lt(strlen(far.interface), FAR_INTERFACE_MAX);
}
END_TEST

static const struct {
	const char *name;
	int rc;
} names[] = {
        {"a", 0},
        {"eth0.100", 0},
        {"fifteen_letters", 0},
        {"-", 0},
        {".a.", 0},
        {"", -EINVAL},
        {".", -EINVAL},
        {"..", -EINVAL},
        {"sixteen_letters_", -EINVAL},
        {"a b", -EINVAL},
        {"a/b", -EINVAL},
        {"a:b", -EINVAL},
        {"a,b", -EINVAL},
        {"a%d", -EINVAL},
        {"a\n", -EINVAL},
        {"\xc3\xa4", -EINVAL},
};

START_TEST(names_of_interfaces)
{
	ck_assert_int_eq(far_interface_check(names[_i].name, &err), names[_i].rc);
	if (names[_i].rc < 0)
		ck_assert_ptr_nonnull(strstr(err.text, "1 to 15 letters"));
}
END_TEST

static const struct {
	const char *text;
	int length;
	const char *interface;
} splits[] = {
        {"05:08.1=3", 9, ""},
        {"05:08.1=3,wan", 9, "wan"},
        {"net_tap0,iface=vf0=3,wan", 20, "wan"},
        {"net_tap0,iface=vf0=3", 20, ""},
        /* What stands behind the last '=' alone is looked at. */
        {"net_tap0,iface=vf0,mac=fixed", 28, ""},
        {"05:08.1", 7, ""},
        {"", 0, ""},
};

START_TEST(splits_of_static_vfs)
{
	char interface[FAR_INTERFACE_MAX];
	int length = far_spec_split(splits[_i].text, interface, &err);

	ck_assert_int_eq(length, splits[_i].length);
	ck_assert_str_eq(interface, splits[_i].interface);
}
END_TEST

START_TEST(bad_splits)
{
	char interface[FAR_INTERFACE_MAX];

	ck_assert_int_eq(far_spec_split("05:08.1=3,", interface, &err), -EINVAL);
	ck_assert_int_eq(far_spec_split("05:08.1=3,a,b", interface, &err), -EINVAL);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("far ends");

	tcase_add_test(tcase, usual_names);
	tcase_add_loop_test(tcase, names_of_interfaces, 0, sizeof(names) / sizeof(names[0]));
	tcase_add_loop_test(tcase, splits_of_static_vfs, 0, sizeof(splits) / sizeof(splits[0]));
	tcase_add_test(tcase, bad_splits);
	return suite_main("far_spec", tcase);
}
