/* Directories that are taken away: ours come back as they were, others' are missed. */
#include <check.h>

#include "fake_tree.h"
#include "suite.h"
#include "sys/directory.h"

static struct error err;
static struct stat noted, now;

START_TEST(comes_back_as_it_was)
{
	char path[108];

	snprintf(path, sizeof(path), "%s", tree_path("a/b/file"));
	tree_make_parents(path);
	ck_assert_int_eq(chmod(tree_path("a/b"), 02710), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(chown(tree_path("a/b"), 1234, 4321), 0);
	ck_assert_int_eq(chmod(tree_path("a/b"), 02710), 0);
	directory_note(path, &noted);
	ck_assert_int_eq(directory_mend(path, &noted, true, &err), 0);
	ck_assert(rmdir(tree_path("a/b")) == 0 && rmdir(tree_path("a")) == 0);
	directory_note(path, &noted); /* leaves what it knows alone */
	ck_assert_int_eq(directory_mend(path, &noted, false, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "make it"));
	ck_assert_int_eq(directory_mend(path, &noted, true, &err), 0);
	ck_assert_int_eq(stat(tree_path("a/b"), &now), 0);
	ck_assert_uint_eq(now.st_mode, noted.st_mode);
	ck_assert(now.st_uid == noted.st_uid && now.st_gid == noted.st_gid);
	ck_assert_int_eq(stat(tree_path("a"), &now), 0);
	ck_assert_uint_eq(now.st_mode & 0777, 0755);
}
END_TEST

START_TEST(is_new_when_nothing_was_noted)
{
	const struct stat nothing = {0};

	ck_assert_int_eq(directory_mend(tree_path("d/file"), &nothing, true, &err), 0);
	ck_assert_int_eq(stat(tree_path("d"), &now), 0);
	ck_assert_uint_eq(now.st_mode & 07777, 0755);
}
END_TEST

/* Whatever it is like: somebody has made it since. */
START_TEST(leaves_one_that_is_there_alone)
{
	ck_assert_int_eq(mkdir(tree_path("d"), 0700), 0);
	directory_note("/tmp/file", &noted);
	ck_assert_int_eq(directory_mend(tree_path("d/file"), &noted, true, &err), 0);
	ck_assert_int_eq(stat(tree_path("d"), &now), 0);
	ck_assert_uint_eq(now.st_mode & 07777, 0700);
	ck_assert_int_eq(directory_mend("/file", &noted, false, &err), 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, tree_create, tree_remove);
	tcase_add_test(tcase, comes_back_as_it_was);
	tcase_add_test(tcase, is_new_when_nothing_was_noted);
	tcase_add_test(tcase, leaves_one_that_is_there_alone);
	return suite_main("directory", tcase);
}
