/* The names of sockets that we serve: what is taken away comes back, what is somebody else's stays.
 */
#include <check.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "fake_tree.h"
#include "suite.h"
#include "sys/socket_name.h"

static struct socket_name name;
static struct error err;
static char path[108], spare[128];
static int server;

static int serve(const char *at)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", at);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	return fd;
}

static bool reaches(const char *at)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", at);
	bool ok = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return ok;
}

static bool is_there(const char *at)
{
	struct stat st;

	return lstat(at, &st) == 0;
}

static void set_up(void)
{
	tree_create();
	ck_assert_int_eq(mkdir(tree_path("d"), 0751), 0);
	ck_assert_int_eq(chmod(tree_path("d"), 0751), 0);
	snprintf(path, sizeof(path), "%s", tree_path("d/one.sock"));
	snprintf(spare, sizeof(spare), "%s", tree_path("d/.one.sock.kept"));
	server = serve(path);
	ck_assert_int_eq(socket_name_hold(&name, path, true), 0);
}

static void tear_down(void)
{
	socket_name_remove(&name);
	close(server);
	tree_remove();
}

START_TEST(judges)
{
	static const struct stat held = {.st_dev = 1, .st_ino = 2, .st_nlink = 1};
	static const struct stat nameless = {.st_dev = 1, .st_ino = 2, .st_nlink = 0};
	static const struct stat there[] = {
	        {.st_dev = 1, .st_ino = 2}, {.st_dev = 1, .st_ino = 3}, {.st_dev = 2, .st_ino = 2}};

	ck_assert_int_eq(socket_name_judge(&held, &there[0]), SOCKET_NAME_WELL);
	ck_assert_int_eq(socket_name_judge(&held, &there[1]), SOCKET_NAME_TAKEN);
	ck_assert_int_eq(socket_name_judge(&held, &there[2]), SOCKET_NAME_TAKEN);
	ck_assert_int_eq(socket_name_judge(&held, NULL), SOCKET_NAME_GONE);
	ck_assert_int_eq(socket_name_judge(&nameless, NULL), SOCKET_NAME_LOST);
	ck_assert_int_eq(socket_name_judge(&nameless, &there[1]), SOCKET_NAME_TAKEN);
}
END_TEST

START_TEST(comes_back_while_it_is_in_use)
{
	ck_assert_int_eq(socket_name_look(&name, true, &err), SOCKET_NAME_WELL);
	ck_assert(is_there(spare));
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(unlink(path), 0);
		ck_assert_int_eq(socket_name_look(&name, true, &err), SOCKET_NAME_MENDED);
		ck_assert(reaches(path));
		ck_assert_int_eq(socket_name_look(&name, true, &err), SOCKET_NAME_WELL);
	}
	ck_assert_int_eq(unlink(spare), 0);
	ck_assert_int_eq(socket_name_look(&name, true, &err), SOCKET_NAME_WELL);
	ck_assert(is_there(spare));
	ck_assert_int_eq(socket_name_look(&name, false, &err), SOCKET_NAME_WELL);
	ck_assert(!is_there(spare) && is_there(path));
}
END_TEST

START_TEST(is_lost_when_it_is_not_in_use)
{
	ck_assert_int_eq(socket_name_look(&name, false, &err), SOCKET_NAME_WELL);
	ck_assert(!is_there(spare));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(socket_name_look(&name, false, &err), SOCKET_NAME_LOST);
	ck_assert(!is_there(path));
	socket_name_remove(&name);
	ck_assert_int_eq(socket_name_look(&name, false, &err), SOCKET_NAME_LOST);
}
END_TEST

START_TEST(comes_back_from_where_it_was_moved)
{
	char away[108];

	snprintf(away, sizeof(away), "%s", tree_path("away.sock"));
	ck_assert_int_eq(rename(path, away), 0);
	ck_assert_int_eq(socket_name_look(&name, false, &err), SOCKET_NAME_MENDED);
	ck_assert(reaches(path) && is_there(away));
}
END_TEST

START_TEST(leaves_others_files_alone)
{
	ck_assert_int_eq(socket_name_look(&name, true, &err), SOCKET_NAME_WELL);
	ck_assert_int_eq(unlink(path), 0);
	tree_file("d/one.sock", "precious");
	ck_assert_int_eq(socket_name_look(&name, true, &err), SOCKET_NAME_TAKEN);
	socket_name_guard(&name);
	ck_assert(!is_there(path));
	socket_name_unguard(&name);
	socket_name_unlink(&name);
	ck_assert(is_there(path) && !is_there(spare));
	socket_name_remove(&name);
	ck_assert(is_there(path));
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(guards_nothing_of_its_own)
{
	socket_name_guard(&name);
	ck_assert(is_there(path));
	ck_assert_int_eq(unlink(path), 0);
	socket_name_unguard(&name);
	ck_assert(!is_there(path));
}
END_TEST

static void take_directory_away(void)
{
	ck_assert(unlink(path) == 0 && rmdir(tree_path("d")) == 0);
}

START_TEST(makes_its_directory_as_it_was)
{
	struct stat st;

	take_directory_away();
	ck_assert_int_eq(socket_name_look(&name, false, &err), SOCKET_NAME_LOST);
	ck_assert_int_eq(stat(tree_path("d"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0751);
}
END_TEST

START_TEST(waits_for_others_directories)
{
	name.makes_directory = false;
	take_directory_away();
	ck_assert_int_eq(socket_name_look(&name, false, &err), SOCKET_NAME_FAILED);
	ck_assert_ptr_nonnull(strstr(err.text, "make it"));
	ck_assert(!is_there(tree_path("d")));
	ck_assert_int_eq(mkdir(tree_path("d"), 0700), 0);
	ck_assert_int_eq(socket_name_look(&name, false, &err), SOCKET_NAME_LOST);
}
END_TEST

START_TEST(follows_a_directory_that_was_replaced)
{
	char directory[108];

	snprintf(directory, sizeof(directory), "%s", tree_path("d"));
	ck_assert_int_eq(rename(directory, tree_path("old")), 0);
	ck_assert_int_eq(mkdir(tree_path("d"), 0700), 0);
	ck_assert_int_eq(socket_name_look(&name, true, &err), SOCKET_NAME_MENDED);
	ck_assert(reaches(path));
}
END_TEST

START_TEST(a_directory_that_cannot_be)
{
	take_directory_away();
	tree_file("d", "a file");
	ck_assert_int_eq(socket_name_look(&name, false, &err), SOCKET_NAME_FAILED);
	ck_assert_ptr_nonnull(strstr(err.text, strerror(ENOTDIR)));
	ck_assert_int_eq(unlink(tree_path("d")), 0);
}
END_TEST

START_TEST(clears_what_a_killed_daemon_has_left)
{
	socket_name_remove(&name);
	close(server);
	close(serve(spare));
	ck_assert(is_there(spare));
	server = serve(path);
	ck_assert_int_eq(socket_name_hold(&name, path, true), 0);
	ck_assert(!is_there(spare));
	socket_name_remove(&name);
	tree_file("d/.one.sock.kept", "no socket");
	close(server);
	server = serve(path);
	ck_assert_int_eq(socket_name_hold(&name, path, true), 0);
	ck_assert_int_eq(socket_name_look(&name, true, &err), SOCKET_NAME_WELL);
	socket_name_unlink(&name);
	ck_assert(is_there(spare)); /* it is not ours */
}
END_TEST

START_TEST(holds_sockets_only)
{
	struct socket_name other;

	tree_file("file", "");
	ck_assert_int_eq(socket_name_hold(&other, tree_path("nothing"), true), -ENOENT);
	ck_assert_int_eq(socket_name_hold(&other, tree_path("file"), true), -EEXIST);
	ck_assert_int_eq(socket_name_hold(&other, "relative", true), -ENAMETOOLONG);
	ck_assert(!other.held);
	socket_name_guard(&other);
	socket_name_unguard(&other);
	socket_name_remove(&other);
	ck_assert(is_there(tree_path("file")));
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, judges);
	tcase_add_test(tcase, comes_back_while_it_is_in_use);
	tcase_add_test(tcase, is_lost_when_it_is_not_in_use);
	tcase_add_test(tcase, comes_back_from_where_it_was_moved);
	tcase_add_test(tcase, leaves_others_files_alone);
	tcase_add_test(tcase, guards_nothing_of_its_own);
	tcase_add_test(tcase, makes_its_directory_as_it_was);
	tcase_add_test(tcase, waits_for_others_directories);
	tcase_add_test(tcase, follows_a_directory_that_was_replaced);
	tcase_add_test(tcase, a_directory_that_cannot_be);
	tcase_add_test(tcase, clears_what_a_killed_daemon_has_left);
	tcase_add_test(tcase, holds_sockets_only);
	return suite_main("socket_name", tcase);
}
