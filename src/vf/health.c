/* What ports tell of themselves. See health.h. */
#include "vf/health.h"

#include <rte_ethdev.h>

#include "vf/bond.h"
#include "vf/quirks.h"

void vf_health_read_port(uint16_t port_id, bool *link_up, uint32_t *link_speed_mbps,
                         struct vf_counts *counts)
{
	struct rte_eth_stats stats;
	struct rte_eth_link link;

	if (rte_eth_stats_get(port_id, &stats) == 0)
		*counts = (struct vf_counts){
		        .missed = stats.imissed,
		        .no_mbuf = stats.rx_nombuf,
		        .rx_errors = stats.ierrors,
		        .tx_errors = stats.oerrors,
		        .rx_pkts = stats.ipackets,
		        .rx_bytes = stats.ibytes,
		        .tx_pkts = stats.opackets,
		        .tx_bytes = stats.obytes,
		};
	/* Refused packets stay with the lane, which counts those that it drops in the end. */
	if (vf_quirks_of(port_id)->counts_refusals)
		counts->tx_errors = 0;
	if (rte_eth_link_get_nowait(port_id, &link) == 0) {
		*link_up = link.link_status == RTE_ETH_LINK_UP;
		*link_speed_mbps =
		        link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN ? link.link_speed : 0;
	}
}

static bool others_took_over(const struct vf *vf, const struct vf_health *before,
                             const struct vf_health *now)
{
	for (unsigned i = 0; i < vf->n_members; i++)
		if (now->members[i].active && !before->members[i].active)
			return true;
	return false;
}

static bool is_active(const uint16_t *active, int n_active, uint16_t port_id)
{
	for (int i = 0; i < n_active; i++)
		if (active[i] == port_id)
			return true;
	return false;
}

static void members_read(const struct vf *vf, struct vf_health *health)
{
	uint16_t active[BOND_MEMBERS_MAX];
	int n_active = bond_active_members(vf, active);

	for (unsigned i = 0; i < vf->n_members; i++) {
		struct vf_member_health *member = &health->members[i];

		if (!vf->members[i].present)
			continue;
		vf_health_read_port(vf->members[i].port_id, &member->link_up,
		                    &member->link_speed_mbps, &member->counts);
		member->active = is_active(active, n_active, vf->members[i].port_id);
	}
}

void vf_health_read(const struct vf *vf, struct vf_health *health)
{
	const struct vf_health before = *health;

	vf_health_read_port(vf->port_id, &health->link_up, &health->link_speed_mbps,
	                    &health->counts);
	if (vf->n_members == 0)
		return;
	members_read(vf, health);
	health->counts.tx_errors = 0;
	for (unsigned i = 0; i < vf->n_members; i++)
		if (vf->members[i].present)
			health->counts.tx_errors += health->members[i].counts.tx_errors;
	if (others_took_over(vf, &before, health))
		bond_renew_reception(vf);
}
