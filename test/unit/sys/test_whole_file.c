/* Files that are replaced as a whole: what is read, refused, written and set aside. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"
#include "sys/whole_file.h"

#define MAX 64

static char directory[32], path[PATH_MAX];
static struct error err;

static void set_up(void)
{
	snprintf(directory, sizeof(directory), "/tmp/whole-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/state", directory);
}

static void tear_down(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static void put(const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	ck_assert_int_eq(chmod(path, 0600), 0);
}

static void expect_content(const char *text)
{
	char *data;
	size_t size;

	ck_assert_int_eq(whole_file_read(path, MAX, &data, &size, &err), 0);
	ck_assert_uint_eq(size, strlen(text));
	ck_assert_str_eq(data, text);
	free(data);
}

static void expect_refused(int code)
{
	char *data;
	size_t size;

	err = (struct error){0};
	ck_assert_int_eq(whole_file_read(path, MAX, &data, &size, &err), -code);
	ck_assert_ptr_nonnull(strstr(err.text, path));
}

START_TEST(what_is_written_is_read)
{
	struct stat st;

	for (int i = 0; i < 3; i++) {
		char text[24];

		snprintf(text, sizeof(text), "content %d", i);
		ck_assert_int_eq(whole_file_write(path, text, strlen(text), &err), 0);
		expect_content(text);
	}
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(whole_file_write(path, "", 0, &err), 0);
	expect_content("");
}
END_TEST

START_TEST(the_directory_is_made)
{
	snprintf(path, sizeof(path), "%s/a/b/state", directory);
	ck_assert_int_eq(whole_file_write(path, "x", 1, &err), 0);
	expect_content("x");
}
END_TEST

/* A writer that was killed leaves its half behind; so does somebody who wishes us ill. */
START_TEST(the_rest_of_a_writer_is_no_hindrance)
{
	char fresh[PATH_MAX + 8];

	put("old");
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	ck_assert_int_eq(link(path, fresh), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(whole_file_write(path, "new", 3, &err), 0);
	expect_content("new");
	ck_assert_int_eq(access(fresh, F_OK), -1);
}
END_TEST

START_TEST(a_link_is_not_followed)
{
	char fresh[PATH_MAX + 8], precious[PATH_MAX];

	put("precious");
	memcpy(precious, path, sizeof(precious));
	snprintf(path, sizeof(path), "%s/other", directory);
	ck_assert_int_eq(symlink(precious, path), 0);
	expect_refused(ELOOP);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	ck_assert_int_eq(symlink(precious, fresh), 0);
	ck_assert_int_lt(whole_file_write(path, "x", 1, &err), 0);
	memcpy(path, precious, sizeof(path));
	expect_content("precious");
}
END_TEST

START_TEST(a_failed_write_leaves_the_old_content)
{
	char fresh[PATH_MAX + 8];

	put("old");
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	ck_assert_int_eq(mkdir(fresh, 0700), 0);
	ck_assert_int_lt(whole_file_write(path, "new", 3, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	expect_content("old");
}
END_TEST

START_TEST(names_that_cannot_be_written)
{
	char name[PATH_MAX];

	ck_assert_int_lt(whole_file_write("state", "x", 1, &err), 0);
	ck_assert_int_lt(whole_file_write("/state/", "x", 1, &err), 0);
	memset(name, 'x', sizeof(name));
	name[0] = '/';
	name[1] = 'a';
	name[2] = '/';
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_lt(whole_file_write(name, "x", 1, &err), 0);
	ck_assert_int_lt(whole_file_set_aside(name, path, &err), 0);
	snprintf(name, sizeof(name), "%s/file/state", directory);
	snprintf(path, sizeof(path), "%s/file", directory);
	put("no directory");
	ck_assert_int_lt(whole_file_write(name, "x", 1, &err), 0);
}
END_TEST

START_TEST(what_is_refused)
{
	char text[MAX + 2];

	expect_refused(ENOENT);
	memset(text, 'x', sizeof(text));
	text[MAX + 1] = '\0';
	put(text);
	expect_refused(EFBIG);
	text[MAX] = '\0';
	put(text);
	expect_content(text);
	ck_assert_int_eq(chmod(path, 0602), 0);
	expect_refused(EPERM);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	expect_refused(EINVAL);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	expect_refused(EINVAL);
}
END_TEST

START_TEST(another_users_file_is_refused)
{
	if (geteuid() != 0)
		return; /* only root can give files away */
	put("x");
	ck_assert_int_eq(chown(path, 65534, 65534), 0);
	expect_refused(EPERM);
}
END_TEST

START_TEST(damaged_files_are_kept_but_not_for_ever)
{
	static const char *const suffixes[] = {"",   "-1", "-2", "-3", "-4", "-5",
	                                       "-6", "-7", "-8", "-9", "-9", "-9"};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char name[PATH_MAX], expected[PATH_MAX + 16];

		put("damaged");
		ck_assert_int_eq(whole_file_set_aside(path, name, &err), 0);
		snprintf(expected, sizeof(expected), "%s.damaged%s", path, suffixes[i]);
		ck_assert_str_eq(name, expected);
		ck_assert_int_eq(access(path, F_OK), -1);
		ck_assert_int_eq(access(name, F_OK), 0);
	}
}
END_TEST

START_TEST(any_kind_of_file_is_set_aside)
{
	char name[PATH_MAX];

	ck_assert_int_eq(whole_file_set_aside(path, name, &err), -ENOENT);
	ck_assert_int_eq(symlink("/nowhere", path), 0);
	ck_assert_int_eq(whole_file_set_aside(path, name, &err), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(whole_file_set_aside(path, name, &err), 0);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, what_is_written_is_read);
	tcase_add_test(tcase, the_directory_is_made);
	tcase_add_test(tcase, the_rest_of_a_writer_is_no_hindrance);
	tcase_add_test(tcase, a_link_is_not_followed);
	tcase_add_test(tcase, a_failed_write_leaves_the_old_content);
	tcase_add_test(tcase, names_that_cannot_be_written);
	tcase_add_test(tcase, what_is_refused);
	tcase_add_test(tcase, another_users_file_is_refused);
	tcase_add_test(tcase, damaged_files_are_kept_but_not_for_ever);
	tcase_add_test(tcase, any_kind_of_file_is_set_aside);
	return suite_main("whole_file", tcase);
}
