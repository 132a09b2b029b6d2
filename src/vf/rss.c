/* The VF's RSS table. See rss.h. */
#include "vf/rss.h"

#include <errno.h>
#include <string.h>

#include <rte_ethdev.h>

int vf_rss_spread(const struct vf *vf, unsigned guest_queues)
{
	struct rte_eth_rss_reta_entry64 reta[RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE];
	struct rte_eth_dev_info info;
	int rc;

	if (!vf->has_rss)
		return -ENOTSUP;
	rc = rte_eth_dev_info_get(vf->port_id, &info);
	if (rc != 0)
		return rc;
	if (info.reta_size == 0 || info.reta_size > RTE_ETH_RSS_RETA_SIZE_512)
		return -ENOTSUP;
	memset(reta, 0, sizeof(reta));
	for (uint16_t i = 0; i < info.reta_size; i++) {
		struct rte_eth_rss_reta_entry64 *group = &reta[i / RTE_ETH_RETA_GROUP_SIZE];

		group->mask |= UINT64_C(1) << (i % RTE_ETH_RETA_GROUP_SIZE);
		group->reta[i % RTE_ETH_RETA_GROUP_SIZE] =
		        (uint16_t)(i % guest_queues % vf->n_queues);
	}
	rc = rte_eth_dev_rss_reta_update(vf->port_id, reta, info.reta_size);
	return rc != 0 ? rc : (int)RTE_MIN(guest_queues, (unsigned)vf->n_queues);
}
