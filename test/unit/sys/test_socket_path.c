/* Paths of sockets: which may be used, and which are the same.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "suite.h"
#include "sys/socket_path.h"

#define SIZE 108

static char root[32];
static char path[PATH_MAX + 64];

static const char *at(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void set_up(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(root, sizeof(root), "/tmp/vf-path-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", root);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	close(open(at("file"), O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(mkdir(at("dir"), 0700), 0);
	ck_assert_int_eq(symlink(root, at("link")), 0);
	ck_assert_int_eq(symlink("socket", at("to-socket")), 0);
}

static void tear_down(void)
{
	static const char *const names[] = {"socket", "file", "link", "to-socket"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(at(names[i]));
	rmdir(at("dir"));
	ck_assert_int_eq(rmdir(root), 0);
}

static void expect_refused(const char *text, int code)
{
	struct error err = {0};

	ck_assert_int_eq(socket_path_check(text, SIZE, &err), -code);
	ck_assert_int_eq(err.code, code);
	ck_assert_str_ne(err.text, "");
}

static void expect_fine(const char *text)
{
	struct error err = {0};

	ck_assert_msg(socket_path_check(text, SIZE, &err) == 0, "%s: %s", text, err.text);
}

START_TEST(paths_that_may_be_used)
{
	expect_fine(at("new"));
	expect_fine(at("socket"));
	expect_fine(at("dir/new"));
	expect_fine(at("link/new"));
	expect_fine(at("..new"));
	expect_fine("/new-in-the-root-directory");
}
END_TEST

START_TEST(paths_that_may_not)
{
	char longest[SIZE + 1];

	expect_refused("", EINVAL);
	expect_refused("new", EINVAL);
	expect_refused("./new", EINVAL);
	expect_refused("/", EINVAL);
	expect_refused(at("dir/"), EINVAL);
	expect_refused(at("."), EINVAL);
	expect_refused(at(".."), EINVAL);
	expect_refused(at("dir"), EEXIST);
	expect_refused(at("file"), EEXIST);
	expect_refused(at("link"), EEXIST);
	expect_refused(at("to-socket"), EEXIST);
	expect_refused(at("file/new"), ENOTDIR);
	expect_refused(at("nowhere/new"), ENOENT);
	expect_refused("/dev/null", EEXIST);

	snprintf(longest, sizeof(longest), "%s/", root);
	memset(longest + strlen(longest), 'x', sizeof(longest) - strlen(longest));
	longest[SIZE] = '\0';
	expect_refused(longest, ENAMETOOLONG);
	longest[SIZE - 1] = '\0';
	expect_fine(longest);
}
END_TEST

/* Names are below the test's directory, unless they begin with a slash. */
static void complete(char out[PATH_MAX], const char *name)
{
	snprintf(out, PATH_MAX, "%s%s%s", name[0] == '/' ? "" : root, name[0] == '/' ? "" : "/",
	         name);
}

static bool same(const char *a, const char *b)
{
	char left[PATH_MAX], right[PATH_MAX];

	complete(left, a);
	complete(right, b);
	ck_assert(socket_path_same(left, right) == socket_path_same(right, left));
	return socket_path_same(left, right);
}

START_TEST(paths_that_are_the_same)
{
	ck_assert(same("a", "a"));
	ck_assert(same("/nowhere/a", "/nowhere/a"));
	ck_assert(same("a", "./a"));
	ck_assert(same("a", "dir/..//a"));
	ck_assert(same("a", "link/a"));
	ck_assert(same("dir/a", "link/dir/a"));
}
END_TEST

START_TEST(paths_that_are_not)
{
	static const char nothing[] = "";
	char longest[2 * PATH_MAX];

	ck_assert(!same("a", "b"));
	ck_assert(!same("a", "/a"));
	ck_assert(!same("a", "a/"));
	ck_assert(!same("a", "dir/a"));
	ck_assert(!same("socket", "to-socket"));
	ck_assert(!same("nowhere/a", "nowhere/./a"));
	ck_assert(!socket_path_same("a", "a")); /* whose current directory? */
	ck_assert(!socket_path_same(nothing, "/a"));
	ck_assert(!socket_path_same("NONE", "NONE"));
	memset(longest, '/', sizeof(longest));
	snprintf(longest + sizeof(longest) - 3, 3, "/a");
	ck_assert(!socket_path_same(longest, "/a")); /* no call would take it */
	ck_assert(!socket_path_same("/a", longest));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, paths_that_may_be_used);
	tcase_add_test(tcase, paths_that_may_not);
	tcase_add_test(tcase, paths_that_are_the_same);
	tcase_add_test(tcase, paths_that_are_not);
	return suite_main("socket_path", tcase);
}
