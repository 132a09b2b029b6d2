/* The files of unix sockets, owners by name, directories. */
#include <check.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "fake_tree.h"
#include "suite.h"
#include "sys/accounts.h"
#include "sys/socket_file.h"

static struct error err;

static int serve(const char *name, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", tree_path(name));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

static enum socket_file_kind look(const char *name)
{
	enum socket_file_kind kind;

	ck_assert_int_eq(socket_file_look(tree_path(name), &kind), 0);
	return kind;
}

START_TEST(tells_what_stands_at_a_path)
{
	enum socket_file_kind kind;
	int live = serve("live", SOCK_STREAM), datagram = serve("datagram", SOCK_DGRAM);

	close(serve("stale", SOCK_STREAM));
	tree_file("file", "precious");
	tree_link("to-stale", "stale");
	tree_link("to-nothing", "nothing");
	ck_assert_int_eq(mkfifo(tree_path("fifo"), 0600), 0);
	ck_assert_int_eq(look("nothing"), SOCKET_FILE_NONE);
	ck_assert_int_eq(look("live"), SOCKET_FILE_LIVE);
	ck_assert_int_eq(look("datagram"), SOCKET_FILE_LIVE);
	ck_assert_int_eq(look("stale"), SOCKET_FILE_STALE);
	ck_assert_int_eq(look("file"), SOCKET_FILE_FOREIGN);
	ck_assert_int_eq(look("to-stale"), SOCKET_FILE_FOREIGN);
	ck_assert_int_eq(look("to-nothing"), SOCKET_FILE_FOREIGN);
	ck_assert_int_eq(look("fifo"), SOCKET_FILE_FOREIGN);
	ck_assert_int_eq(look(""), SOCKET_FILE_FOREIGN);
	ck_assert_int_eq(socket_file_look(tree_path("file/below"), &kind), -ENOTDIR);
	close(live);
	close(datagram);
}
END_TEST

START_TEST(clears_stale_ones_only)
{
	int live = serve("live", SOCK_STREAM);
	struct stat st;

	close(serve("stale", SOCK_STREAM));
	tree_file("file", "precious");
	tree_link("link", "stale");
	ck_assert_int_eq(socket_file_clear(tree_path("nothing"), &err), 0);
	ck_assert_int_eq(socket_file_clear(tree_path("live"), &err), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.text, "/live"));
	ck_assert_int_eq(socket_file_clear(tree_path("file"), &err), -EEXIST);
	ck_assert_int_eq(socket_file_clear(tree_path("link"), &err), -EEXIST);
	ck_assert_int_eq(lstat(tree_path("stale"), &st), 0);
	ck_assert_int_eq(socket_file_clear(tree_path("stale"), &err), 0);
	ck_assert_int_lt(lstat(tree_path("stale"), &st), 0);
	close(live);
}
END_TEST

/* vhost-user backends of one front end: a queue of connections that is full is not a dead one. */
START_TEST(a_full_queue_is_alive)
{
	int live = serve("live", SOCK_STREAM), clients[8];
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", tree_path("live"));
	for (int i = 0; i < 8; i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(clients[i], (struct sockaddr *)&address, sizeof(address));
	}
	ck_assert_int_eq(look("live"), SOCKET_FILE_LIVE);
	for (int i = 0; i < 8; i++)
		close(clients[i]);
	close(live);
}
END_TEST

START_TEST(gives_a_socket_its_owner)
{
	int fd = serve("given", SOCK_STREAM);
	struct stat st;

	ck_assert_int_eq(socket_file_give(tree_path("given"), (uid_t)-1, (gid_t)-1, 0660, &err), 0);
	ck_assert_int_eq(lstat(tree_path("given"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	ck_assert_uint_eq(st.st_uid, geteuid());
	if (geteuid() == 0) {
		ck_assert_int_eq(socket_file_give(tree_path("given"), 1234, 4321, 0660, &err), 0);
		ck_assert_int_eq(lstat(tree_path("given"), &st), 0);
		ck_assert_uint_eq(st.st_uid, 1234);
		ck_assert_uint_eq(st.st_gid, 4321);
		ck_assert_uint_eq(st.st_mode & 07777, 0660);
	}
	close(fd);
}
END_TEST

START_TEST(never_follows_a_link)
{
	struct stat before, after;

	tree_file("secret", "x");
	tree_link("link", "secret");
	ck_assert_int_eq(stat(tree_path("secret"), &before), 0);
	ck_assert_int_eq(socket_file_give(tree_path("link"), 1234, 4321, 0666, &err), -EEXIST);
	ck_assert_int_eq(socket_file_give(tree_path("secret"), 1234, 4321, 0666, &err), -EEXIST);
	ck_assert_int_eq(stat(tree_path("secret"), &after), 0);
	ck_assert_uint_eq(before.st_mode, after.st_mode);
	ck_assert_uint_eq(before.st_uid, after.st_uid);
	ck_assert_int_eq(socket_file_give(tree_path("nothing"), 0, 0, 0660, &err), -ENOENT);
}
END_TEST

START_TEST(makes_directories)
{
	mode_t mask = umask(0077);
	struct stat st;

	ck_assert_int_eq(socket_file_make_directory(tree_path("a/b//c/"), &err), 0);
	umask(mask);
	ck_assert_int_eq(stat(tree_path("a/b/c"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0755);
	ck_assert_int_eq(chmod(tree_path("a/b/c"), 0700), 0);
	ck_assert_int_eq(socket_file_make_directory(tree_path("a/b/c"), &err), 0);
	ck_assert_int_eq(stat(tree_path("a/b/c"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	tree_file("file", "x");
	ck_assert_int_eq(socket_file_make_directory(tree_path("file"), &err), -ENOTDIR);
	ck_assert_int_eq(socket_file_make_directory(tree_path("file/below"), &err), -ENOTDIR);
}
END_TEST

START_TEST(finds_accounts)
{
	uid_t uid = 77;
	gid_t gid = 77;

	ck_assert_int_eq(account_find_user("root", &uid, &err), 0);
	ck_assert_uint_eq(uid, 0);
	ck_assert_int_eq(account_find_group("root", &gid, &err), 0);
	ck_assert_uint_eq(gid, 0);
	ck_assert_int_eq(account_find_user("54321", &uid, &err), 0);
	ck_assert_uint_eq(uid, 54321);
	ck_assert_int_eq(account_find_group("4294967294", &gid, &err), 0);
	ck_assert_int_eq(account_find_user("4294967295", &uid, &err), -ENOENT);
	ck_assert_int_eq(account_find_user("nobody-of-that-name", &uid, &err), -ENOENT);
	ck_assert_str_eq(err.text, "there is no user nobody-of-that-name on this machine");
	ck_assert_int_eq(account_find_group("", &gid, &err), -ENOENT);
	ck_assert_int_eq(account_find_group("-1", &gid, &err), -ENOENT);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, tree_create, tree_remove);
	tcase_add_test(tcase, tells_what_stands_at_a_path);
	tcase_add_test(tcase, clears_stale_ones_only);
	tcase_add_test(tcase, a_full_queue_is_alive);
	tcase_add_test(tcase, gives_a_socket_its_owner);
	tcase_add_test(tcase, never_follows_a_link);
	tcase_add_test(tcase, makes_directories);
	tcase_add_test(tcase, finds_accounts);
	return suite_main("socket_file", tcase);
}
