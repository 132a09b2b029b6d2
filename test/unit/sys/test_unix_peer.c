/* What is at a socket's path: looked at on real files, with listeners as the kernel tells of them.
 */
#include <check.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_tree.h"
#include "suite.h"
#include "sys/unix_peer.h"

static int serve(const char *name, int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", tree_path(name));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (backlog >= 0)
		ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

static int knock(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", tree_path(name));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static enum unix_peer look(const char *name)
{
	size_t count;
	struct unix_listener *listeners = unix_listeners_read(&count);
	enum unix_peer peer = unix_peer_look(tree_path(name), listeners, count);

	free(listeners);
	return peer;
}

START_TEST(what_is_no_socket)
{
	ck_assert_int_eq(look("nothing"), UNIX_PEER_NOTHING);
	ck_assert_int_eq(look("nowhere/nothing"), UNIX_PEER_NOTHING);
	tree_file("file", "");
	ck_assert_int_eq(look("file"), UNIX_PEER_FILE);
	ck_assert_int_eq(look("file/below"), UNIX_PEER_UNKNOWN);
	tree_file("directory/.keep", "");
	ck_assert_int_eq(look("directory"), UNIX_PEER_DIRECTORY);
	tree_link("loop", "loop");
	ck_assert_int_eq(look("loop"), UNIX_PEER_UNKNOWN);
	tree_link("link", "file");
	ck_assert_int_eq(look("link"), UNIX_PEER_FILE);
}
END_TEST

/* Where the kernel cannot say who listens, nobody does. */
START_TEST(who_listens)
{
	size_t count;
	int bound = serve("bound", -1), listening = serve("listening", 4);

	ck_assert_int_eq(look("bound"), UNIX_PEER_STALE);
	struct unix_listener *listeners = unix_listeners_read(&count);
	free(listeners);
	if (count > 0) {
		ck_assert_int_eq(look("listening"), UNIX_PEER_LISTENS);
		int stranger = knock("listening");
		ck_assert_int_eq(look("listening"), UNIX_PEER_BUSY);
		int fd = accept4(listening, NULL, NULL, 0);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(look("listening"), UNIX_PEER_LISTENS);
		close(fd);
		close(stranger);
	}
	close(listening);
	ck_assert_int_eq(look("listening"), UNIX_PEER_STALE);
	close(bound);
}
END_TEST

START_TEST(who_may_not_connect)
{
	int listening = serve("private", 4);

	if (getuid() != 0)
		return;
	ck_assert_int_eq(chmod(tree_root, 0755), 0);
	ck_assert_int_eq(chmod(tree_path("private"), 0700), 0);
	tree_file("closed/.keep", "");
	ck_assert_int_eq(chmod(tree_path("closed"), 0700), 0);
	ck_assert_int_eq(setresuid(12345, 12345, 0), 0);
	ck_assert_int_eq(look("private"), UNIX_PEER_CLOSED);
	ck_assert_int_eq(look("closed/socket"), UNIX_PEER_CLOSED);
	ck_assert_int_eq(setresuid(0, 0, 0), 0);
	close(listening);
}
END_TEST

/* --- the kernel's datagrams ----------------------------------------------------------------- */

static struct unix_listener *list;
static size_t count;

static int parse(const void *message, size_t len)
{
	free(list);
	list = NULL;
	count = 0;
	return unix_listeners_parse(message, len, &list, &count);
}

static struct message {
	struct nlmsghdr head;
	struct unix_diag_msg socket;
	struct rtattr vfs_head;
	struct unix_diag_vfs vfs;
	struct rtattr queue_head;
	struct unix_diag_rqlen queue;
} usual(void)
{
	return (struct message){
	        .head = {.nlmsg_len = sizeof(struct message), .nlmsg_type = SOCK_DIAG_BY_FAMILY},
	        .vfs_head = {.rta_len = RTA_LENGTH(sizeof(struct unix_diag_vfs)),
	                     .rta_type = UNIX_DIAG_VFS},
	        .vfs = {.udiag_vfs_ino = 5, .udiag_vfs_dev = 7},
	        .queue_head = {.rta_len = RTA_LENGTH(sizeof(struct unix_diag_rqlen)),
	                       .rta_type = UNIX_DIAG_RQLEN},
	        .queue = {.udiag_rqueue = 3},
	};
}

START_TEST(datagrams_are_read_within_their_bounds)
{
	struct message messages[2] = {usual(), usual()};
	struct nlmsghdr done = {.nlmsg_len = sizeof(done), .nlmsg_type = NLMSG_DONE};
	struct nlmsghdr error = {.nlmsg_len = sizeof(error), .nlmsg_type = NLMSG_ERROR};

	ck_assert_int_eq(parse(messages, sizeof(messages)), 1);
	ck_assert_uint_eq(count, 2);
	ck_assert_uint_eq(list[1].inode, 5);
	ck_assert_uint_eq(list[1].device, 7);
	ck_assert_uint_eq(list[1].waiting, 3);
	ck_assert_int_eq(parse(&done, sizeof(done)), 0);
	ck_assert_int_eq(parse(&error, sizeof(error)), -EOPNOTSUPP);
	ck_assert_int_eq(parse(messages, 3), 1);
	ck_assert_uint_eq(count, 0);
	/* lengths that lie */
	messages[0].head.nlmsg_len = sizeof(messages) + 1;
	ck_assert_int_eq(parse(messages, sizeof(messages)), -EBADMSG);
	messages[0].head.nlmsg_len = 0;
	ck_assert_int_eq(parse(messages, sizeof(messages)), -EBADMSG);
	messages[0] = usual();
	messages[0].vfs_head.rta_len = 0;
	ck_assert_int_eq(parse(messages, sizeof(messages[0])), 1);
	ck_assert_uint_eq(count, 0); /* one without a file */
	messages[0] = usual();
	messages[0].queue_head.rta_len = 500;
	ck_assert_int_eq(parse(messages, sizeof(messages[0])), 1);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(list[0].waiting, 0);
	messages[0] = usual();
	messages[0].vfs_head.rta_len = RTA_LENGTH(4);
	ck_assert_int_eq(parse(messages, sizeof(messages[0])), 1);
	ck_assert_uint_eq(count, 0);
	messages[0].head.nlmsg_len = sizeof(struct nlmsghdr) + 2;
	ck_assert_int_eq(parse(messages, sizeof(messages[0])), -EBADMSG);
	ck_assert_uint_eq(count, 0);
	free(list);
	list = NULL;
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, tree_create, tree_remove);
	tcase_add_test(tcase, what_is_no_socket);
	tcase_add_test(tcase, who_listens);
	tcase_add_test(tcase, who_may_not_connect);
	tcase_add_test(tcase, datagrams_are_read_within_their_bounds);
	return suite_main("unix_peer", tcase);
}
