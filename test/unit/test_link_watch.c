/* Hearing of network interfaces: good messages, short ones, others; and the kernel's own. */
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
	struct message gone = message_of(RTM_DELLINK, 7, 0);
	struct message odd = message_of(RTM_NEWLINK, 0, 0);
	struct message lying = message_of(RTM_NEWLINK, 7, 0);
	struct message good = message_of(RTM_NEWLINK, 7, 0);
	struct link_event event;

	lying.head.nlmsg_len = sizeof(lying) - 1;
	ck_assert(!link_watch_parse(&gone, sizeof(gone), &event));
	ck_assert(!link_watch_parse(&odd, sizeof(odd), &event));
	ck_assert(!link_watch_parse(&lying, sizeof(lying), &event));
	for (size_t len = 0; len < sizeof(good); len++)
		ck_assert(!link_watch_parse(&good, len, &event));
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

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, tells_which_and_how);
	tcase_add_test(tcase, passes_over_what_is_no_event);
	tcase_add_test(tcase, hears_the_kernel);
	return suite_main("link_watch", tcase);
}
