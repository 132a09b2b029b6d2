/* The record of what --bind has bound, from which --unbind gives it back.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_kernel.h"
#include "suite.h"
#include "sys/bind_record.h"
#include "sys/pci_bind.h"

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
	tcase_add_test(tcase, record_survives_interruptions);
	tcase_add_test(tcase, damaged_records_are_refused);
	tcase_add_test(tcase, finds_its_directory);
	return suite_main("bind_record", tcase);
}
