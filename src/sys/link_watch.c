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

/* Bytes of waiting events, some two thousand. The kernel's default holds a few hundred, which a
 * host that starts its containers or makes its VFs may outdo. */
#define RECEIVE_BUFFER (4 * 1024 * 1024)

/* A message about an interface without its VFs, with much to spare. */
#define MESSAGE_MAX 16384

#define HEAD_LEN (NLMSG_ALIGN(sizeof(struct nlmsghdr)) + sizeof(struct ifinfomsg))

/* As large as we may: only privileged processes go beyond net.core.rmem_max. What we get will do.
 */
static void buffer_enlarge(int fd)
{
	int size = RECEIVE_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

int link_watch_open(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	buffer_enlarge(fd);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

/* Of one that goes: whether the kernel says where to. Lengths that lie end the list. */
static bool tells_of_a_move(const uint8_t *attributes, size_t len)
{
	struct rtattr head;

	while (len >= sizeof(head)) {
		memcpy(&head, attributes, sizeof(head));
		if (head.rta_len < sizeof(head) || head.rta_len > len)
			return false;
		if ((head.rta_type & NLA_TYPE_MASK) == IFLA_NEW_NETNSID)
			return true;
		size_t step = RTA_ALIGN((size_t)head.rta_len);
		if (step > len)
			return false;
		attributes += step;
		len -= step;
	}
	return false;
}

bool link_watch_parse(const void *message, size_t len, struct link_event *event)
{
	struct nlmsghdr head;
	struct ifinfomsg link;

	if (len < HEAD_LEN)
		return false;
	memcpy(&head, message, sizeof(head));
	if ((head.nlmsg_type != RTM_NEWLINK && head.nlmsg_type != RTM_DELLINK) ||
	    head.nlmsg_len < HEAD_LEN)
		return false;
	memcpy(&link, (const uint8_t *)message + NLMSG_ALIGN(sizeof(head)), sizeof(link));
	if (link.ifi_index <= 0)
		return false;
	*event = (struct link_event){.ifindex = (unsigned)link.ifi_index,
	                             .up = link.ifi_flags & IFF_UP,
	                             .gone = head.nlmsg_type == RTM_DELLINK};
	if (event->gone) {
		size_t start = NLMSG_ALIGN(HEAD_LEN);
		size_t end = head.nlmsg_len < len ? head.nlmsg_len : len;

		event->up = false;
		event->moved = end > start &&
		               tells_of_a_move((const uint8_t *)message + start, end - start);
	}
	return true;
}

/* The kernel had no room for an event, no memory for it, or could not put it together. */
static bool tells_of_loss(int error)
{
	return error == ENOBUFS || error == ENOMEM || error == EMSGSIZE;
}

int link_watch_next(int fd, struct link_event *event)
{
	/* Each comes in a datagram of its own; of one that is longer the rest is of no interest. */
	uint8_t message[MESSAGE_MAX];

	for (;;) {
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(fd, message, sizeof(message), MSG_DONTWAIT,
		                     (struct sockaddr *)&from, &from_len);

		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && tells_of_loss(errno)) {
			*event = (struct link_event){.some_lost = true};
			return 1;
		}
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && from.nl_pid == 0 && link_watch_parse(message, (size_t)n, event))
			return 1;
	}
}
