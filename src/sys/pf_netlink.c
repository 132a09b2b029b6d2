/* One RTM_GETLINK and its answer. See pf_netlink.h.
 *
 * The attributes are walked with explicit bounds rather than the RTA_ macros, whose arithmetic
 * trusts the lengths in the message.
 */
#include "sys/pf_netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define ANSWER_MAX (256 * 1024) /* some 250 VFs with 400 bytes each, and much to spare */

/* A stretch of attributes, or the payload of one. */
struct span {
	const uint8_t *data;
	size_t len;
};

/* Takes the next attribute off the front of rest. False at the end, or where lengths lie. */
static bool attribute_next(struct span *rest, uint16_t *type, struct span *payload)
{
	struct rtattr head;

	if (rest->len < sizeof(head))
		return false;
	memcpy(&head, rest->data, sizeof(head));
	if (head.rta_len < sizeof(head) || head.rta_len > rest->len)
		return false;
	*type = head.rta_type & NLA_TYPE_MASK;
	*payload = (struct span){rest->data + sizeof(head), head.rta_len - sizeof(head)};

	size_t step = RTA_ALIGN((size_t)head.rta_len);
	if (step > rest->len)
		step = rest->len;
	*rest = (struct span){rest->data + step, rest->len - step};
	return true;
}

static bool attribute_find(struct span list, uint16_t wanted, struct span *payload)
{
	uint16_t type;

	while (attribute_next(&list, &type, payload)) {
		if (type == wanted)
			return true;
	}
	return false;
}

/* The kernel's structs of this family start with the VF's number and a setting, 32 bits each. */
static bool setting_read(struct span info, uint16_t type, unsigned vf_index, uint32_t *setting)
{
	uint32_t words[2];
	struct span payload;

	if (!attribute_find(info, type, &payload) || payload.len < sizeof(words))
		return false;
	memcpy(words, payload.data, sizeof(words));
	*setting = words[1];
	return words[0] == vf_index && words[1] != UINT32_MAX; /* all ones: not supported */
}

/* One IFLA_VF_INFO: false when it is about another VF. */
static bool vf_info_read(struct span info, unsigned vf_index, struct pf_vf *out)
{
	struct ifla_vf_mac mac;
	struct span payload;
	uint32_t setting;

	if (!attribute_find(info, IFLA_VF_MAC, &payload) || payload.len < sizeof(mac))
		return false;
	memcpy(&mac, payload.data, sizeof(mac));
	if (mac.vf != vf_index)
		return false;
	out->has_mac = true;
	memcpy(out->mac, mac.mac, sizeof(out->mac));
	out->has_trust = setting_read(info, IFLA_VF_TRUST, vf_index, &setting);
	out->trusted = out->has_trust && setting != 0;
	out->has_spoof_check = setting_read(info, IFLA_VF_SPOOFCHK, vf_index, &setting);
	out->spoof_check = out->has_spoof_check && setting != 0;
	out->has_vlan = setting_read(info, IFLA_VF_VLAN, vf_index, &setting);
	out->vlan = out->has_vlan ? setting : 0;
	out->has_link = setting_read(info, IFLA_VF_LINK_STATE, vf_index, &setting);
	if (out->has_link)
		out->link = setting == IFLA_VF_LINK_STATE_ENABLE    ? PF_VF_LINK_UP
		            : setting == IFLA_VF_LINK_STATE_DISABLE ? PF_VF_LINK_DOWN
		                                                    : PF_VF_LINK_AUTO;
	return true;
}

int pf_netlink_parse(const void *message, size_t len, unsigned vf_index, struct pf_vf *out)
{
	struct nlmsghdr head;
	struct span vfs, info;
	uint16_t type;

	*out = (struct pf_vf){0};
	if (len < sizeof(head))
		return -EBADMSG;
	memcpy(&head, message, sizeof(head));
	if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > len)
		return -EBADMSG;
	struct span body = {(const uint8_t *)message + sizeof(head), head.nlmsg_len - sizeof(head)};
	if (head.nlmsg_type == NLMSG_ERROR) {
		int32_t code;

		if (body.len < sizeof(code))
			return -EBADMSG;
		memcpy(&code, body.data, sizeof(code));
		return code < 0 && code >= -4095 ? code : -EBADMSG;
	}
	if (head.nlmsg_type != RTM_NEWLINK || body.len < NLMSG_ALIGN(sizeof(struct ifinfomsg)))
		return -EBADMSG;
	body.data += NLMSG_ALIGN(sizeof(struct ifinfomsg));
	body.len -= NLMSG_ALIGN(sizeof(struct ifinfomsg));

	if (!attribute_find(body, IFLA_VFINFO_LIST, &vfs))
		return -ENODEV;
	while (attribute_next(&vfs, &type, &info)) {
		if (type == IFLA_VF_INFO && vf_info_read(info, vf_index, out))
			return 0;
	}
	return -ENODEV;
}

static int request_send(int fd, const char *netdev)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
		struct rtattr mask_head;
		uint32_t mask;
		struct rtattr name_head;
		char name[IF_NAMESIZE];
	} request = {
	        .head = {.nlmsg_len = sizeof(request),
	                 .nlmsg_type = RTM_GETLINK,
	                 .nlmsg_flags = NLM_F_REQUEST,
	                 .nlmsg_seq = 1},
	        .mask_head = {.rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = IFLA_EXT_MASK},
	        .mask = RTEXT_FILTER_VF,
	        .name_head = {.rta_len = RTA_LENGTH(IF_NAMESIZE), .rta_type = IFLA_IFNAME},
	};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	if (strlen(netdev) >= sizeof(request.name))
		return -ENODEV;
	memcpy(request.name, netdev, strlen(netdev));
	ssize_t n = sendto(fd, &request, sizeof(request), 0, (struct sockaddr *)&kernel,
	                   sizeof(kernel));
	return n < 0 ? -errno : 0;
}

/* One datagram from the kernel itself; others are passed over. Its length or -errno. */
static ssize_t answer_receive(int fd, void *buffer, size_t size)
{
	int64_t deadline = (int64_t)clock_now_ms() + PF_NETLINK_TIMEOUT_MS;

	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		int64_t left = deadline - (int64_t)clock_now_ms();
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof(from);

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&wait, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
		ssize_t n = recvfrom(fd, buffer, size, MSG_DONTWAIT | MSG_TRUNC,
		                     (struct sockaddr *)&from, &from_len);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n >= 0 && from.nl_pid == 0)
			return (size_t)n > size ? -EMSGSIZE : n;
	}
}

int pf_netlink_read_vf(const char *pf_netdev, unsigned vf_index, struct pf_vf *out)
{
	*out = (struct pf_vf){0};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	void *buffer = malloc(ANSWER_MAX);
	int rc = buffer != NULL ? request_send(fd, pf_netdev) : -ENOMEM;
	if (rc == 0) {
		ssize_t n = answer_receive(fd, buffer, ANSWER_MAX);

		rc = n < 0 ? (int)n : pf_netlink_parse(buffer, (size_t)n, vf_index, out);
	}
	free(buffer);
	close(fd);
	return rc;
}
