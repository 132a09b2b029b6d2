/* The kernel's RTM_NEWLINK messages. See link_watch.h. */
#include "sys/link_watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_LEN (NLMSG_ALIGN(sizeof(struct nlmsghdr)) + sizeof(struct ifinfomsg))

int link_watch_open(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

bool link_watch_parse(const void *message, size_t len, struct link_event *event)
{
	struct nlmsghdr head;
	struct ifinfomsg link;

	if (len < HEAD_LEN)
		return false;
	memcpy(&head, message, sizeof(head));
	if (head.nlmsg_type != RTM_NEWLINK || head.nlmsg_len < HEAD_LEN)
		return false;
	memcpy(&link, (const uint8_t *)message + NLMSG_ALIGN(sizeof(head)), sizeof(link));
	if (link.ifi_index <= 0)
		return false;
	*event = (struct link_event){(unsigned)link.ifi_index, link.ifi_flags & IFF_UP};
	return true;
}

int link_watch_next(int fd, struct link_event *event)
{
	/* What is of interest comes first in a message, and each comes in a datagram of its own. */
	uint8_t message[HEAD_LEN];

	for (;;) {
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(fd, message, sizeof(message), MSG_DONTWAIT,
		                     (struct sockaddr *)&from, &from_len);

		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno != EINTR && errno != ENOBUFS) /* some were dropped */
			return -errno;
		if (n > 0 && from.nl_pid == 0 && link_watch_parse(message, (size_t)n, event))
			return 1;
	}
}
