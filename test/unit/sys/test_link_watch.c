/* Hearing of network interfaces: good messages, short ones, others; the kernel's own, and its word
 * that some were lost. */
/* WRAP: recvfrom */
#include <check.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "suite.h"
#include "sys/link_watch.h"

/* --- the kernel ---------------------------------------------------------------------------- */

static int failure; /* of the next recvfrom, 0 = none */

ssize_t __real_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from,
                        socklen_t *from_len);
ssize_t __wrap_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from,
                        socklen_t *from_len);

ssize_t __wrap_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from,
                        socklen_t *from_len)
{
	if (failure == 0)
		return __real_recvfrom(fd, buffer, size, flags, from, from_len);
	errno = failure;
	failure = 0;
	return -1;
}

struct message {
	struct nlmsghdr head;
	struct ifinfomsg link;
};

static struct message message_of(uint16_t type, int ifindex, unsigned flags)
{
	return (struct message){.head = {.nlmsg_len = sizeof(struct message), .nlmsg_type = type},
	                        .link = {.ifi_index = ifindex, .ifi_flags = flags}};
}

START_TEST(tells_which_and_how)
{
	struct message up = message_of(RTM_NEWLINK, 7, IFF_UP | IFF_RUNNING);
	struct message down = message_of(RTM_NEWLINK, 8, IFF_RUNNING);
	struct link_event event;

	ck_assert(link_watch_parse(&up, sizeof(up), &event));
	ck_assert_uint_eq(event.ifindex, 7);
	ck_assert(event.up);
	ck_assert(link_watch_parse(&down, sizeof(down), &event));
	ck_assert_uint_eq(event.ifindex, 8);
	ck_assert(!event.up);
}
END_TEST

START_TEST(passes_over_what_is_no_event)
{
	struct message address = message_of(RTM_NEWADDR, 7, 0);
	struct message odd = message_of(RTM_NEWLINK, 0, 0);
	struct message lying = message_of(RTM_NEWLINK, 7, 0);
	struct message good = message_of(RTM_NEWLINK, 7, 0);
	struct link_event event;

	lying.head.nlmsg_len = sizeof(lying) - 1;
	ck_assert(!link_watch_parse(&address, sizeof(address), &event));
	ck_assert(!link_watch_parse(&odd, sizeof(odd), &event));
	ck_assert(!link_watch_parse(&lying, sizeof(lying), &event));
	for (size_t len = 0; len < sizeof(good); len++)
		ck_assert(!link_watch_parse(&good, len, &event));
}
END_TEST

/* One that goes tells where to, if anywhere; whatever else stands in its message, and however long
 * that says it is. */
START_TEST(tells_what_has_gone)
{
	struct {
		struct message message;
		struct rtattr heads[2];
		int32_t namespace_id;
	} moved = {.message = message_of(RTM_DELLINK, 7, IFF_UP),
	           .heads = {{.rta_len = sizeof(struct rtattr), .rta_type = IFLA_IFNAME},
	                     {.rta_len = sizeof(struct rtattr) + sizeof(int32_t),
	                      .rta_type = IFLA_NEW_NETNSID}}};
	struct message gone = message_of(RTM_DELLINK, 7, IFF_UP);
	struct link_event event;

	ck_assert(link_watch_parse(&gone, sizeof(gone), &event));
	ck_assert_uint_eq(event.ifindex, 7);
	ck_assert(event.gone && !event.moved && !event.up);
	moved.message.head.nlmsg_len = sizeof(moved);
	ck_assert(link_watch_parse(&moved, sizeof(moved), &event));
	ck_assert(event.gone && event.moved);
	for (size_t len = sizeof(moved.message); len < sizeof(moved); len++) {
		ck_assert(link_watch_parse(&moved, len, &event));
		ck_assert(event.gone && !event.moved);
	}
	moved.message.head.nlmsg_type = RTM_NEWLINK;
	ck_assert(link_watch_parse(&moved, sizeof(moved), &event));
	ck_assert(!event.gone && !event.moved && event.up);
	moved.message.head.nlmsg_type = RTM_DELLINK;
	for (unsigned len = 0; len < 64; len++) {
		moved.heads[0].rta_len = (unsigned short)len;
		ck_assert(link_watch_parse(&moved, sizeof(moved), &event));
		ck_assert(event.gone);
	}
}
END_TEST

static void set_flags(short flags)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = flags};

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

/* The loop-back interface of a network namespace of our own goes up and down. */
START_TEST(hears_the_kernel)
{
	struct link_event event;

	if (unshare(CLONE_NEWNET) < 0)
		return; /* not root */
	int fd = link_watch_open();
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(link_watch_next(fd, &event), 0);
	set_flags(IFF_UP);
	set_flags(0);
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	ck_assert_int_eq(poll(&wait, 1, 10000), 1);
	ck_assert_int_eq(link_watch_next(fd, &event), 1);
	ck_assert_uint_eq(event.ifindex, if_nametoindex("lo"));
	ck_assert(event.up);
	while (event.up)
		ck_assert_int_eq(link_watch_next(fd, &event), 1);
	ck_assert_uint_eq(event.ifindex, if_nametoindex("lo"));
	close(fd);
	ck_assert_int_eq(link_watch_next(-1, &event), -EBADF);
}
END_TEST

START_TEST(says_that_some_were_lost)
{
	static const int failures[] = {ENOBUFS, ENOMEM, EMSGSIZE};
	struct link_event event;
	int fd = link_watch_open();

	ck_assert_int_ge(fd, 0);
	while (link_watch_next(fd, &event) > 0)
		;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		failure = failures[i];
		ck_assert_int_eq(link_watch_next(fd, &event), 1);
		ck_assert(event.some_lost);
		ck_assert_int_eq(link_watch_next(fd, &event), 0); /* said once */
	}
	failure = EIO;
	ck_assert_int_eq(link_watch_next(fd, &event), -EIO);
	close(fd);
}
END_TEST

/* The kernel itself drops what its buffer does not hold. */
START_TEST(hears_that_the_kernel_has_dropped_some)
{
	struct link_event event;
	int small = 1, rc = 0, fd;
	unsigned n = 0;

	if (unshare(CLONE_NEWNET) < 0)
		return; /* not root */
	fd = link_watch_open();
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	for (int i = 0; i < 64; i++)
		set_flags(i % 2 == 0 ? IFF_UP : 0);
	for (bool lost = false; !lost; lost = event.some_lost, n++) {
		rc = link_watch_next(fd, &event);
		ck_assert_int_eq(rc, 1);
		ck_assert_uint_lt(n, 64);
	}
	while ((rc = link_watch_next(fd, &event)) > 0)
		ck_assert(!event.some_lost);
	ck_assert_int_eq(rc, 0);
	set_flags(IFF_UP); /* and it goes on */
	ck_assert_int_eq(link_watch_next(fd, &event), 1);
	ck_assert_uint_eq(event.ifindex, if_nametoindex("lo"));
	close(fd);
}
END_TEST

START_TEST(has_room_for_many)
{
	socklen_t len = sizeof(int);
	int fd = link_watch_open(), size = 0;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &len), 0);
	if (geteuid() == 0)
		ck_assert_int_ge(size, 4 * 1024 * 1024);
	close(fd);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, tells_which_and_how);
	tcase_add_test(tcase, passes_over_what_is_no_event);
	tcase_add_test(tcase, tells_what_has_gone);
	tcase_add_test(tcase, hears_the_kernel);
	tcase_add_test(tcase, says_that_some_were_lost);
	tcase_add_test(tcase, hears_that_the_kernel_has_dropped_some);
	tcase_add_test(tcase, has_room_for_many);
	return suite_main("link_watch", tcase);
}
