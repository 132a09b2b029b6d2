/* The directory of the guests' sockets: made and given, or left alone. Giving takes root. */
#include <check.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "fake_tree.h"
#include "suite.h"
#include "sys/socket_dir.h"

#define QEMU  12346
#define GROUP 12347

static struct error err;

static const struct socket_dir_users nobody = {
        .owner = (uid_t)-1, .group = (gid_t)-1, .group_if_new = (gid_t)-1};
static const struct socket_dir_users qemu = {
        .owner = QEMU, .group = GROUP, .group_if_new = (gid_t)-1, .group_writes = true};

static int prepare(const char *path, const struct socket_dir_users *users)
{
	return socket_dir_prepare(tree_path(path), users, &err);
}

static void is(const char *path, mode_t mode, uid_t owner, gid_t group)
{
	struct stat st;

	ck_assert_int_eq(lstat(tree_path(path), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, mode);
	ck_assert_uint_eq(st.st_uid, owner);
	ck_assert_uint_eq(st.st_gid, group);
}

static void make_directory(const char *path, mode_t mode)
{
	ck_assert_int_eq(mkdir(tree_path(path), mode), 0);
	ck_assert_int_eq(chmod(tree_path(path), mode), 0);
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", tree_path(path));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(chmod(address.sun_path, 0755), 0);
	close(fd);
}

START_TEST(makes_what_is_missing)
{
	ck_assert_int_eq(prepare("a/b/c", &nobody), SOCKET_DIR_READY);
	is("a/b/c", 0755, geteuid(), getegid());
	tree_file("file", "");
	ck_assert_int_eq(prepare("file/a", &nobody), -ENOTDIR);
	ck_assert_ptr_nonnull(strstr(err.text, "/file/a"));
}
END_TEST

START_TEST(gives_what_it_makes)
{
	struct socket_dir_users users = qemu;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(prepare("both/sockets", &users), SOCKET_DIR_READY);
	is("both/sockets", 0775, QEMU, GROUP);
	is("both", 0755, 0, 0);
	users.group_writes = false;
	ck_assert_int_eq(prepare("reach", &users), SOCKET_DIR_READY);
	is("reach", 0755, QEMU, GROUP);
	users = nobody;
	users.group_if_new = GROUP;
	users.group_writes = true;
	ck_assert_int_eq(prepare("new", &users), SOCKET_DIR_READY);
	is("new", 0775, 0, GROUP);
	users.owner = QEMU; /* who is named suffices */
	ck_assert_int_eq(prepare("owned", &users), SOCKET_DIR_READY);
	is("owned", 0755, QEMU, 0);
}
END_TEST

/* As what was made for another owner, or at boot, and has QEMU's sockets in it. */
START_TEST(gives_what_holds_sockets_alone)
{
	struct socket_dir_users users = nobody;

	if (geteuid() != 0)
		return;
	make_directory("sockets", 0700);
	make_socket("sockets/one");
	ck_assert(socket_dir_is_for_sockets(tree_path("sockets")));
	users.group_if_new = GROUP; /* it is not new */
	ck_assert_int_eq(prepare("sockets", &users), SOCKET_DIR_READY);
	is("sockets", 0700, 0, 0);
	ck_assert_int_eq(prepare("sockets", &qemu), SOCKET_DIR_READY);
	is("sockets", 0770, QEMU, GROUP);
	is("sockets/one", 0755, 0, 0);
	ck_assert_int_eq(prepare("sockets", &qemu), SOCKET_DIR_READY);
}
END_TEST

START_TEST(leaves_what_is_others)
{
	if (geteuid() != 0)
		return;
	make_directory("shared", 01777); /* as /tmp */
	ck_assert_int_eq(prepare("shared", &qemu), SOCKET_DIR_FOREIGN);
	is("shared", 01777, 0, 0);
	ck_assert(!socket_dir_is_for_sockets(tree_path("shared")));
	tree_file("var/log", "");
	make_socket("var/socket");
	ck_assert_int_eq(prepare("var", &qemu), SOCKET_DIR_FOREIGN);
	is("var", 0755, 0, 0);
	make_directory("run", 0755);
	make_directory("run/of-others", 0755);
	ck_assert_int_eq(prepare("run", &qemu), SOCKET_DIR_FOREIGN);
	is("run", 0755, 0, 0);
	make_directory("empty", 0755);
	tree_link("link", "empty");
	ck_assert_int_eq(prepare("link", &qemu), SOCKET_DIR_FOREIGN);
	is("empty", 0755, 0, 0);
	ck_assert(!socket_dir_is_for_sockets(tree_path("link")));
	ck_assert(!socket_dir_is_for_sockets(tree_path("missing")));
	/* What is theirs already may hold what it likes. */
	ck_assert_int_eq(chown(tree_path("var"), QEMU, GROUP), 0);
	ck_assert_int_eq(chmod(tree_path("var"), 0775), 0);
	ck_assert_int_eq(prepare("var", &qemu), SOCKET_DIR_READY);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, tree_create, tree_remove);
	tcase_add_test(tcase, makes_what_is_missing);
	tcase_add_test(tcase, gives_what_it_makes);
	tcase_add_test(tcase, gives_what_holds_sockets_alone);
	tcase_add_test(tcase, leaves_what_is_others);
	return suite_main("socket_dir", tcase);
}
