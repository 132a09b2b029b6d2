/* The host's network interfaces. See interface.h. The kernel reads by ioctl without the lock that
 * changes take, so reading waits for nobody.
 */
#include "sys/interface.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/parse.h"

static int read_by(int fd, unsigned index, struct interface *out)
{
	struct ifreq request = {.ifr_ifindex = (int)index};

	if (ioctl(fd, SIOCGIFNAME, &request) < 0)
		return -errno;
	memcpy(out->name, request.ifr_name, sizeof(out->name));
	out->name[sizeof(out->name) - 1] = '\0';
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	out->flags = (unsigned short)request.ifr_flags;
	if (ioctl(fd, SIOCGIFMTU, &request) < 0)
		return -errno;
	out->mtu = (uint32_t)request.ifr_mtu;
	return 0;
}

int interface_read(unsigned index, struct interface *out)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	*out = (struct interface){0};
	if (fd < 0)
		return -errno;
	rc = read_by(fd, index, out);
	close(fd);
	return rc;
}

/* apply is an ioctl or some, and fails as they do. */
static int change(const char *name, int (*apply)(int fd, struct ifreq *request, unsigned value),
                  unsigned value)
{
	struct ifreq request = {0};
	int fd, rc;

	if (string_copy(request.ifr_name, sizeof(request.ifr_name), name) < 0)
		return -ENODEV;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = apply(fd, &request, value) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

static int apply_mtu(int fd, struct ifreq *request, unsigned mtu)
{
	request->ifr_mtu = (int)mtu;
	return ioctl(fd, SIOCSIFMTU, request);
}

static int apply_cleared(int fd, struct ifreq *request, unsigned flags)
{
	if (ioctl(fd, SIOCGIFFLAGS, request) < 0)
		return -1;
	request->ifr_flags = (short)(request->ifr_flags & (short)~flags);
	return ioctl(fd, SIOCSIFFLAGS, request);
}

int interface_set_mtu(const char *name, uint32_t mtu)
{
	return change(name, apply_mtu, mtu);
}

int interface_clear_flags(const char *name, unsigned flags)
{
	return change(name, apply_cleared, flags);
}

/* The kernel has answered when the sending returns. */
static int request_carrier(int fd, unsigned index, bool carrier)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
		struct rtattr carrier_head;
		uint8_t carrier;
	} request = {
	        .head = {.nlmsg_len = sizeof(request),
	                 .nlmsg_type = RTM_NEWLINK,
	                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
	        .link = {.ifi_index = (int)index},
	        .carrier_head = {.rta_len = RTA_LENGTH(sizeof(uint8_t)), .rta_type = IFLA_CARRIER},
	        .carrier = carrier,
	};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		struct nlmsghdr more[4]; /* the request, and what the kernel says about it */
	} answer;
	ssize_t n;

	if (send(fd, &request, sizeof(request), 0) < 0)
		return -errno;
	n = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(answer.head) + sizeof(answer.error.error) ||
	    answer.head.nlmsg_type != NLMSG_ERROR)
		return -EBADMSG;
	return answer.error.error;
}

int interface_set_carrier(unsigned index, bool carrier)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int rc;

	if (fd < 0)
		return -errno;
	rc = request_carrier(fd, index, carrier);
	close(fd);
	return rc;
}
