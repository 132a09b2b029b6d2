/* Link bonding. See bond.h.
 *
 * The PMD watches its members' links by itself: a member whose link goes down is not used until it
 * is up again, within BOND_MONITOR_MS. What it does not do is to notice that a member has been
 * reset by its PF, or has left the machine: mend.c takes such a one out, and puts it back when it
 * is there again.
 */
#include "vf/bond.h"

#include <errno.h>
#include <stdio.h>

#include <rte_eth_bond.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/log.h"
#include "dpdk/compat.h"
#include "dpdk/pool.h"
#include "vf/dpdk_mac.h"
#include "vf/events.h"
#include "vf/probe.h"
#include "vf/quirks.h"
#include "vf/vlans.h"

/* How often the links of members without interrupts are looked at. */
#define BOND_MONITOR_MS 50

/* The PMD's own packets in 802.3ad: frames of 124 bytes from small pools, one for each member. */
#define LACP_MBUF_SIZE  (RTE_PKTMBUF_HEADROOM + 128)
#define LACP_POOL_CACHE 32
#define LACP_BYTES      (UINT64_C(2) << 20) /* some, for each member */

/* Fills err with an enum vf_error. Evaluates to -1. */
#define refuse(err, code, ...) (error_set((err), (code), __VA_ARGS__), -1)

/* --- members ------------------------------------------------------------------------------- */

/* The PMD gives its members the bond's MAC address, some when it starts and some when they take
 * over, and does not start without. */
static int check_mac(uint16_t port_id, const char *name, struct error *err)
{
	struct rte_ether_addr mac;
	int rc = rte_eth_macaddr_get(port_id, &mac);

	if (rc == 0)
		rc = rte_eth_dev_default_mac_addr_set(port_id, &mac);
	if (rc == 0)
		return 0;
	return refuse(err, BOND_ERROR_MEMBER,
	              "%s cannot be a bond's member: its driver does not set MAC addresses (%s), "
	              "which DPDK's bonding asks for",
	              name, vf_explain(rc));
}

int bond_member_unprobe(struct vf *vf, unsigned index, struct error *err)
{
	struct vf_member *member = &vf->members[index];

	member->present = false;
	vf_events_ignore(member->port_id);
	return vf_unprobe(member->port_id, err);
}

/* A driver with an interrupt for link changes is not polled for them. One that keeps them to itself
 * has to be without that interrupt, and its flag is to be had in no other way. */
static void poll_link_if_mute(uint16_t port_id)
{
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(port_id, &info) == 0 &&
	    vf_quirks_of_driver(info.driver_name)->loses_link_changes)
		*(uint32_t *)(uintptr_t)info.dev_flags &= ~RTE_ETH_DEV_INTR_LSC;
}

int bond_member_probe(struct vf *vf, unsigned index, const struct vf_params *params,
                      struct error *err)
{
	struct vf_member *member = &vf->members[index];
	struct error ignored;
	int rc = vf_probe(&params->bond->members[index], params->relay_id, &member->port_id, err);

	if (rc < 0) {
		err->code = rc == -EBUSY ? BOND_ERROR_MEMBER_IN_USE : BOND_ERROR_MEMBER;
		return rc == -EAGAIN ? -EAGAIN : -1;
	}
	vf_events_listen(member->port_id, params->relay_id, index);
	member->present = true;
	poll_link_if_mute(member->port_id);
	if (check_mac(member->port_id, params->bond->members[index].name, err) == 0)
		return 0;
	(void)bond_member_unprobe(vf, index, &ignored); /* the reason is what counts */
	return -1;
}

static void members_unprobe(struct vf *vf)
{
	struct error err;

	for (unsigned i = 0; i < vf->n_members; i++)
		if (vf->members[i].present && bond_member_unprobe(vf, i, &err) < 0)
			log_warn("%s, given up: %s", vf->spec.name, err.text);
}

static int members_probe(struct vf *vf, const struct vf_params *params, struct error *err)
{
	unsigned present = 0;
	int failure = -1;

	for (unsigned i = 0; i < vf->n_members; i++) {
		int rc = bond_member_probe(vf, i, params, err);

		if (rc == 0)
			present++;
		else if (!params->partial)
			return rc;
		else
			failure = rc;
	}
	return present > 0 ? 0 : failure;
}

const char *bond_member_name(const struct vf_params *params, unsigned index)
{
	return params->bond->members[index].name;
}

/* --- the bond ------------------------------------------------------------------------------ */

/* In mode 6 the PMD (seen in 22.11) may hand back other packets than it was given if some of
 * several were ARP, and it divides by zero when it gets an ARP reply while no member is active.
 * Workers call this one. */
static uint16_t send_alb(uint16_t port_id, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t active[BOND_MEMBERS_MAX], sent = 0;

	if (dpdk_bond_active_get(port_id, active, BOND_MEMBERS_MAX) < 1)
		return 0;
	while (sent < n && rte_eth_tx_burst(port_id, queue, pkts + sent, 1) == 1)
		sent++;
	return sent;
}

static int bond_create(struct vf *vf, const struct vf_params *params, struct error *err)
{
	uint8_t mode = params->bond->mode;
	unsigned first = 0;
	int node, port;

	while (!vf->members[first].present)
		first++;
	node = rte_eth_dev_socket_id(vf->members[first].port_id);
	if (rte_eth_dev_count_total() >= RTE_MAX_ETHPORTS)
		return refuse(err, BOND_ERROR_CREATE,
		              "no room for %s: this DPDK build holds %d ports, a bond takes one "
		              "beside its members', and all are in use",
		              vf->spec.name, RTE_MAX_ETHPORTS);
	port = rte_eth_bond_create(vf->spec.name, mode, (uint8_t)RTE_MAX(node, 0));
	if (port < 0)
		return refuse(
		        err, BOND_ERROR_CREATE,
		        "DPDK cannot make the bond %s, mode %u (%s): %s; its lines in the log "
		        "(dpdk:) say more",
		        vf->spec.name, mode, bond_mode_text(mode), vf_explain(port));
	vf->port_id = (uint16_t)port;
	vf->needs_tx_polls = mode == BONDING_MODE_8023AD;
	vf->send = mode == BONDING_MODE_ALB ? send_alb : NULL;
	vf_mark_owner(vf->port_id, params->relay_id);
	int rc = rte_eth_bond_link_monitoring_set(vf->port_id, BOND_MONITOR_MS);
	if (rc != 0)
		log_warn("%s: the interval of its monitor cannot be set: %s", vf->spec.name,
		         vf_explain(rc));
	return 0;
}

int bond_member_join(const struct vf *vf, unsigned index)
{
	return dpdk_bond_member_add(vf->port_id, vf->members[index].port_id);
}

int bond_member_leave(const struct vf *vf, unsigned index)
{
	uint16_t port = vf->members[index].port_id;

	if (!vf_quirks_of(port)->dies_of_resets)
		return dpdk_bond_member_remove(vf->port_id, port);
	/* The bonding PMD resets who leaves, after all else, and complains when that one runs. */
	(void)rte_eth_dev_start(port);
	(void)dpdk_bond_member_remove(vf->port_id, port);
	return 0;
}

static int members_join(const struct vf *vf, const struct vf_params *params, struct error *err)
{
	for (unsigned i = 0; i < vf->n_members; i++) {
		int rc = vf->members[i].present ? bond_member_join(vf, i) : 0;

		if (rc != 0)
			return refuse(err, BOND_ERROR_MEMBER,
			              "%s cannot become a member of %s: %s; DPDK's lines in the "
			              "log (dpdk:) say more",
			              bond_member_name(params, i), vf->spec.name, vf_explain(rc));
	}
	return 0;
}

int bond_probe(const struct device_spec *spec, const struct vf_params *params, struct vf *vf,
               struct error *err)
{
	struct error ignored;
	uint16_t port_id;

	vf->n_members = (uint8_t)params->bond->n_members;
	if (rte_eth_dev_get_port_by_name(spec->name, &port_id) == 0)
		return refuse(err, BOND_ERROR_CREATE, "%s is in use by DPDK already (port %u)",
		              spec->name, port_id);
	int rc = members_probe(vf, params, err);
	if (rc == 0)
		rc = bond_create(vf, params, err);
	if (rc < 0)
		goto fail_members;
	rc = members_join(vf, params, err);
	if (rc == 0)
		return 0;
	if (vf_unprobe(vf->port_id, &ignored) < 0)
		log_warn("relay %u: %s, given up: %s", params->relay_id, spec->name, ignored.text);
fail_members:
	members_unprobe(vf);
	return rc;
}

int bond_unprobe(struct vf *vf, struct error *err)
{
	struct error later;

	for (unsigned i = 0; i < vf->n_members; i++)
		if (vf->members[i].present && vf_quirks_of(vf->members[i].port_id)->dies_of_resets)
			(void)bond_member_leave(vf, i);
	int rc = vf_unprobe(vf->port_id, err); /* lets the other members go */

	for (unsigned i = 0; i < vf->n_members; i++) {
		if (!vf->members[i].present || bond_member_unprobe(vf, i, &later) == 0)
			continue;
		if (rc == 0)
			*err = later; /* the first failure: the others follow from it */
		rc = -1;
	}
	return rc;
}

/* When a member of a bond in 802.3ad comes up for the first time, the PMD makes it a pool and
 * rings, on DPDK's interrupt thread, and panics if there is no memory. So the same is made here,
 * and given back. */
int bond_check_memory(const struct vf *vf, const struct vf_params *params, struct error *err)
{
	struct rte_mempool *pools[BOND_MEMBERS_MAX];
	unsigned size = params->ring_size * vf->n_queues + LACP_POOL_CACHE, n = 0;

	if (params->bond->mode != BONDING_MODE_8023AD)
		return 0;
	for (; n < vf->n_members; n++) {
		char name[RTE_MEMPOOL_NAMESIZE];

		snprintf(name, sizeof(name), "lacp%u.%u", params->relay_id, n);
		pools[n] = rte_pktmbuf_pool_create(name, size, LACP_POOL_CACHE, 0, LACP_MBUF_SIZE,
		                                   vf->numa_node);
		if (pools[n] == NULL)
			break;
	}
	for (unsigned i = 0; i < n; i++)
		rte_mempool_free(pools[i]);
	if (n == vf->n_members)
		return 0;
	pool_explain(params->no_huge, params->huge_dir, vf->numa_node,
	             (vf->n_members - n) * LACP_BYTES, err);
	error_prefix(err, "%s: not enough memory for 802.3ad, which takes some 2 MB a member: ",
	             vf->spec.name);
	err->code = BOND_ERROR_CONFIGURE;
	return -1;
}

/* The ordinary call leaves the members as they are. */
static int set_mac(uint16_t port_id, struct rte_ether_addr *mac)
{
	return rte_eth_bond_mac_address_set(port_id, mac);
}

int bond_set_mac(const struct vf *vf, const struct ether_addr *mac)
{
	struct rte_ether_addr wanted = mac_to_dpdk(mac);

	return set_mac(vf->port_id, &wanted);
}

void bond_renew_reception(const struct vf *vf)
{
	struct rte_ether_addr mac;

	if (rte_eth_macaddr_get(vf->port_id, &mac) == 0)
		(void)set_mac(vf->port_id, &mac);
	if (rte_eth_promiscuous_get(vf->port_id) == 1) {
		(void)rte_eth_promiscuous_disable(vf->port_id);
		(void)rte_eth_promiscuous_enable(vf->port_id);
	}
	if (rte_eth_allmulticast_get(vf->port_id) == 1) {
		(void)rte_eth_allmulticast_disable(vf->port_id);
		(void)rte_eth_allmulticast_enable(vf->port_id);
	}
	vf_vlans_renew(vf);
}

int bond_active_members(const struct vf *vf, uint16_t ports[BOND_MEMBERS_MAX])
{
	return dpdk_bond_active_get(vf->port_id, ports, BOND_MEMBERS_MAX);
}
