/* What a PF's kernel driver was told about one of its VFs (`ip link show PF`): a VF's own driver
 * may claim success where the PF refuses, so the PF is asked. Only reads. Any thread; blocks for
 * PF_NETLINK_TIMEOUT_MS at most.
 */
#ifndef SYS_PF_NETLINK_H
#define SYS_PF_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PF_NETLINK_TIMEOUT_MS 500

enum pf_vf_link { PF_VF_LINK_AUTO, PF_VF_LINK_UP, PF_VF_LINK_DOWN };

struct pf_vf {
	/* what the PF's driver reports */
	bool has_mac, has_trust, has_spoof_check, has_link, has_vlan;
	uint8_t mac[6]; /* zeros: the host has set none */
	bool trusted;
	bool spoof_check;
	enum pf_vf_link link;
	unsigned vlan; /* that the host has put the VF into, 0 = none */
};

/* 0, -ENODEV (no such interface here, or no such VF on it: no PF in sight), -ETIMEDOUT, -EBADMSG,
 * or the kernel's -errno. */
int pf_netlink_read_vf(const char *pf_netdev, unsigned vf_index, struct pf_vf *out);

/* The same from one answer of the kernel, a whole RTM_NEWLINK message (for tests). */
int pf_netlink_parse(const void *message, size_t len, unsigned vf_index, struct pf_vf *out);

#endif
