/* What differs between the DPDK releases that we build with (22.11, 24.11, 25.11 LTS): the only
 * file that asks for RTE_VERSION.
 */
#ifndef DPDK_COMPAT_H
#define DPDK_COMPAT_H

#include <stdint.h>

#include <rte_version.h>

/* The tap driver of these frees its receive queues when its port is reset, and then looks at them.
 */
#define DPDK_TAP_DIES_OF_RESETS (RTE_VERSION >= RTE_VERSION_NUM(24, 3, 0, 0))

/* For the one file that includes rte_vhost.h, before this header. */
#ifdef _RTE_VHOST_H_
/* Up to 23.11 the library takes as many queue pairs as it can (128), and cannot be told. */
static inline int dpdk_vhost_set_max_queue_pairs(const char *path, uint32_t n)
{
#if RTE_VERSION >= RTE_VERSION_NUM(24, 3, 0, 0)
	return rte_vhost_driver_set_max_queue_num(path, n);
#else
	(void)path;
	(void)n;
	return 0;
#endif
}

/* From 24.11 on the library ends its thread for events with its last socket, and waits for that for
 * up to a second: a stop, or a REMOVE_SOCK, takes as long. A socket that is registered, and never
 * made, keeps the thread. Harmless more than once. */
static inline void dpdk_vhost_keep_events(void)
{
#if RTE_VERSION >= RTE_VERSION_NUM(24, 11, 0, 0)
	(void)rte_vhost_driver_register("virtio-forwarder-keeps-events", 0);
#endif
}
#endif

/* Members were "slaves" once. */
#define DPDK_BONDS_HAVE_MEMBERS (RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0))

/* For the one file that includes rte_eth_bond.h, before this header. */
#ifdef _RTE_ETH_BOND_H_
static inline int dpdk_bond_member_add(uint16_t bond_port, uint16_t member_port)
{
#if DPDK_BONDS_HAVE_MEMBERS
	return rte_eth_bond_member_add(bond_port, member_port);
#else
	return rte_eth_bond_slave_add(bond_port, member_port);
#endif
}

static inline int dpdk_bond_member_remove(uint16_t bond_port, uint16_t member_port)
{
#if DPDK_BONDS_HAVE_MEMBERS
	return rte_eth_bond_member_remove(bond_port, member_port);
#else
	return rte_eth_bond_slave_remove(bond_port, member_port);
#endif
}

/* Returns how many. */
static inline int dpdk_bond_active_get(uint16_t bond_port, uint16_t members[], uint16_t n)
{
#if DPDK_BONDS_HAVE_MEMBERS
	return rte_eth_bond_active_members_get(bond_port, members, n);
#else
	return rte_eth_bond_active_slaves_get(bond_port, members, n);
#endif
}
#endif

#endif
