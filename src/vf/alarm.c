/* See alarm.h. Which drivers those are is quirks.c's to say: many answer that they can and never
 * send an interrupt.
 */
#include "vf/alarm.h"

#include <rte_ethdev.h>

#include "base/log.h"

bool vf_alarm_wanted(const struct vf *vf, const struct vf_quirks *quirks,
                     const struct vf_params *params)
{
	return params->rx_interrupts && vf->n_members == 0 && quirks->rx_alarm != VF_ALARM_NONE;
}

/* Disabled at first, as the workers are awake. Some NICs hold descriptors back until they are told.
 */
static bool find(const struct vf *vf, uint16_t queue, enum vf_alarm_kind kind,
                 struct vf_alarm *alarm)
{
	alarm->fd = rte_eth_dev_rx_intr_ctl_q_get_fd(vf->port_id, queue);
	if (alarm->fd < 0)
		return false;
	alarm->kind = kind;
	if (kind == VF_ALARM_READABLE)
		return true;
	if (rte_eth_dev_rx_intr_enable(vf->port_id, queue) != 0)
		return false;
	(void)rte_eth_dev_rx_intr_disable(vf->port_id, queue);
	return true;
}

/* Queues that share a descriptor would wake each other's workers. */
static bool is_shared(const struct vf *vf, uint16_t queue)
{
	for (uint16_t other = 0; other < queue; other++)
		if (vf->alarms[other].fd == vf->alarms[queue].fd)
			return true;
	return false;
}

void vf_alarm_find(struct vf *vf, const struct vf_params *params)
{
	const struct vf_quirks *quirks = vf_quirks_of(vf->port_id);
	bool all = vf_alarm_wanted(vf, quirks, params);

	for (uint16_t queue = 0; all && queue < vf->n_queues; queue++)
		all = find(vf, queue, quirks->rx_alarm, &vf->alarms[queue]) &&
		      !is_shared(vf, queue);
	log_info("relay %u: workers that sleep %s", params->relay_id,
	         all ? "are woken by its VF" : "look at its VF by the clock");
	if (all)
		return;
	for (uint16_t queue = 0; queue < VF_QUEUES_MAX; queue++)
		vf->alarms[queue] = (struct vf_alarm){.kind = VF_ALARM_NONE};
}
