/* MAC addresses on their way to and from DPDK, whose header for them brings so much with it that no
 * header of ours includes it. Copies: DPDK's are read as 16-bit words, and want to be aligned.
 */
#ifndef VF_DPDK_MAC_H
#define VF_DPDK_MAC_H

#include <net/ethernet.h>
#include <string.h>

#include <rte_ether.h>

static inline struct rte_ether_addr mac_to_dpdk(const struct ether_addr *mac)
{
	struct rte_ether_addr out;

	memcpy(&out, mac, sizeof(out));
	return out;
}

static inline struct ether_addr mac_of_dpdk(const struct rte_ether_addr *mac)
{
	struct ether_addr out;

	memcpy(&out, mac, sizeof(out));
	return out;
}

#endif
