/* What a PF tells of its VFs: good answers, short ones, and lying ones. */
#include <check.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "sys/pf_netlink.h"

#define VFS 3

struct message {
	uint8_t bytes[1024];
	size_t len;
};

static size_t begin(struct message *m, uint16_t type)
{
	struct rtattr head = {.rta_type = type};
	size_t at = m->len;

	memcpy(m->bytes + m->len, &head, sizeof(head));
	m->len += sizeof(head);
	return at;
}

static void end(struct message *m, size_t at)
{
	uint16_t len = (uint16_t)(m->len - at);

	memcpy(m->bytes + at, &len, sizeof(len)); /* rta_len comes first */
	m->len = RTA_ALIGN(m->len);
	ck_assert_uint_le(m->len, sizeof(m->bytes));
}

static void put(struct message *m, uint16_t type, const void *data, size_t len)
{
	size_t at = begin(m, type);

	memcpy(m->bytes + m->len, data, len);
	m->len += len;
	end(m, at);
}

static void finish(struct message *m)
{
	struct nlmsghdr head = {.nlmsg_len = (uint32_t)m->len, .nlmsg_type = RTM_NEWLINK};

	memcpy(m->bytes, &head, sizeof(head));
}

/* Three VFs: the second is trusted, checked and up; of the third trust is not supported. */
static struct message link_with_vfs(void)
{
	struct message m = {.len = NLMSG_ALIGN(sizeof(struct nlmsghdr)) +
	                           NLMSG_ALIGN(sizeof(struct ifinfomsg))};
	size_t list, info;

	put(&m, IFLA_IFNAME, "eno1", 5);
	list = begin(&m, IFLA_VFINFO_LIST);
	for (uint32_t vf = 0; vf < VFS; vf++) {
		struct ifla_vf_mac mac = {.vf = vf, .mac = {2, 0, 0, 0, 0, (uint8_t)vf}};
		struct ifla_vf_trust trust = {vf, vf == 2 ? UINT32_MAX : vf == 1};
		struct ifla_vf_spoofchk check = {vf, vf == 1};
		struct ifla_vf_vlan vlan = {.vf = vf, .vlan = vf == 1 ? 12 : 0, .qos = 3};
		struct ifla_vf_link_state state = {vf, vf};

		info = begin(&m, IFLA_VF_INFO | (vf == 1 ? NLA_F_NESTED : 0));
		put(&m, IFLA_VF_MAC, &mac, sizeof(mac));
		put(&m, IFLA_VF_VLAN, &vlan, sizeof(vlan));
		put(&m, IFLA_VF_SPOOFCHK, &check, sizeof(check));
		put(&m, IFLA_VF_LINK_STATE, &state, sizeof(state));
		put(&m, IFLA_VF_TRUST, &trust, sizeof(trust));
		end(&m, info);
	}
	end(&m, list);
	finish(&m);
	return m;
}

START_TEST(reads_the_vf_asked_for)
{
	struct message m = link_with_vfs();
	struct pf_vf vf;

	ck_assert_int_eq(pf_netlink_parse(m.bytes, m.len, 0, &vf), 0);
	ck_assert(vf.has_trust && !vf.trusted && vf.has_spoof_check && !vf.spoof_check);
	ck_assert(vf.has_link && vf.link == PF_VF_LINK_AUTO);
	ck_assert(vf.has_vlan && vf.vlan == 0);
	ck_assert_int_eq(pf_netlink_parse(m.bytes, m.len, 1, &vf), 0);
	ck_assert(vf.has_mac && vf.mac[0] == 2 && vf.mac[5] == 1);
	ck_assert(vf.has_trust && vf.trusted && vf.spoof_check);
	ck_assert(vf.has_vlan && vf.vlan == 12);
	ck_assert(vf.link == PF_VF_LINK_UP);
	ck_assert_int_eq(pf_netlink_parse(m.bytes, m.len, 2, &vf), 0);
	ck_assert(!vf.has_trust && !vf.trusted);
	ck_assert(vf.link == PF_VF_LINK_DOWN);
	ck_assert_int_eq(pf_netlink_parse(m.bytes, m.len, 3, &vf), -ENODEV);
}
END_TEST

START_TEST(takes_the_kernels_errors)
{
	struct message m = {.len = sizeof(struct nlmsghdr) + sizeof(struct nlmsgerr)};
	struct nlmsghdr head = {.nlmsg_len = (uint32_t)m.len, .nlmsg_type = NLMSG_ERROR};
	struct pf_vf vf;
	int32_t code = -EPERM;

	memcpy(m.bytes, &head, sizeof(head));
	memcpy(m.bytes + sizeof(head), &code, sizeof(code));
	ck_assert_int_eq(pf_netlink_parse(m.bytes, m.len, 0, &vf), -EPERM);
	code = 0;
	memcpy(m.bytes + sizeof(head), &code, sizeof(code));
	ck_assert_int_eq(pf_netlink_parse(m.bytes, m.len, 0, &vf), -EBADMSG);
}
END_TEST

/* Every prefix, each in an allocation of just that size, and every length or type overwritten:
 * the sanitizers watch. */
START_TEST(bears_short_and_lying_messages)
{
	struct message m = link_with_vfs();
	struct pf_vf vf;

	for (size_t len = 0; len < m.len; len++) {
		uint8_t *copy = malloc(len + 1);

		memcpy(copy + 1, m.bytes, len);
		(void)pf_netlink_parse(copy + 1, len, 1, &vf);
		if (len >= sizeof(uint32_t)) {
			uint32_t shorter = (uint32_t)len;

			memcpy(copy + 1, &shorter, sizeof(shorter));
			(void)pf_netlink_parse(copy + 1, len, 1, &vf);
		}
		free(copy);
	}
	for (size_t at = 0; at + 2 <= m.len; at += 2) {
		static const uint16_t values[] = {0, 1, 3, 4, 5, 0x7fff, 0xffff};

		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			uint8_t *copy = malloc(m.len);

			memcpy(copy, m.bytes, m.len);
			memcpy(copy + at, &values[i], 2);
			(void)pf_netlink_parse(copy, m.len, 2, &vf);
			free(copy);
		}
	}
}
END_TEST

START_TEST(asks_this_kernel)
{
	struct pf_vf vf;

	ck_assert_int_eq(pf_netlink_read_vf("lo", 0, &vf), -ENODEV);
	ck_assert_int_eq(pf_netlink_read_vf("no-such-if", 0, &vf), -ENODEV);
	ck_assert_int_eq(pf_netlink_read_vf("a-name-that-is-far-too-long", 0, &vf), -ENODEV);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, reads_the_vf_asked_for);
	tcase_add_test(tcase, takes_the_kernels_errors);
	tcase_add_test(tcase, bears_short_and_lying_messages);
	tcase_add_test(tcase, asks_this_kernel);
	return suite_main("pf_netlink", tcase);
}
