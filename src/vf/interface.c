/* The host's network interface behind a stand-in for a VF. See interface.h.
 *
 * net_af_packet sets the MTU of the interface that it was given to what it can do, and makes it
 * promiscuous; it leaves both so. net_tap makes an interface of its own, with which it may do as it
 * likes; that goes with it, and may have been moved to another namespace.
 */
#include "vf/interface.h"

#include <stdio.h>
#include <string.h>

#include <rte_ethdev.h>

#include "base/log.h"
#include "vf/quirks.h"

#define FLAGS_CHANGED ((unsigned)(IFF_PROMISC | IFF_ALLMULTI))

void vf_interface_find(struct vf *vf)
{
	const struct vf_quirks *quirks = vf_quirks_of(vf->port_id);
	struct vf_interface *interface = &vf->interface;
	struct rte_eth_dev_info info;
	struct interface now;

	*interface = (struct vf_interface){0};
	if ((!quirks->uses_interface && !quirks->makes_interface) ||
	    rte_eth_dev_info_get(vf->port_id, &info) != 0 ||
	    interface_read(info.if_index, &now) < 0)
		return;
	interface->index = info.if_index;
	memcpy(interface->name, now.name, sizeof(interface->name));
	interface->is_made = quirks->makes_interface;
	interface->is_up = now.flags & IFF_UP;
	interface->mtu = interface->first_mtu = now.mtu;
	interface->first_flags = now.flags;
}

uint16_t vf_interface_mtu(const struct vf *vf, uint16_t wanted)
{
	bool given = vf->interface.index != 0 && !vf->interface.is_made;

	return given && vf->interface.mtu < wanted ? (uint16_t)vf->interface.mtu : wanted;
}

void vf_interface_settle(struct vf *vf, unsigned relay_id)
{
	struct vf_interface *interface = &vf->interface;
	struct interface now;

	if (interface->index == 0 || interface_read(interface->index, &now) < 0)
		return;
	interface->is_up = now.flags & IFF_UP;
	interface->mtu = now.mtu;
	if (interface->is_made)
		return;
	/* A tag is no part of the MTU, but the kernel takes a longer frame only if it has one. */
	if (vf->max_frame > vf->mtu + RTE_ETHER_HDR_LEN)
		vf->max_frame = vf->mtu + RTE_ETHER_HDR_LEN;
	if (now.mtu != interface->first_mtu)
		log_notice("relay %u: the MTU of %s is %u for now, and was %u: that is the most "
		           "that %s does",
		           relay_id, interface->name, now.mtu, interface->first_mtu, vf->spec.name);
}

void vf_interface_restore(const struct vf *vf)
{
	const struct vf_interface *interface = &vf->interface;
	struct interface now;
	unsigned flags;
	int rc = 0;

	if (interface->index == 0 || interface->is_made ||
	    interface_read(interface->index, &now) < 0)
		return;
	flags = now.flags & ~interface->first_flags & FLAGS_CHANGED;
	if (flags != 0)
		rc = interface_clear_flags(now.name, flags);
	if (now.mtu == interface->mtu && now.mtu != interface->first_mtu) {
		rc = interface_set_mtu(now.name, interface->first_mtu);
		if (rc == 0)
			log_notice("%s, which was %s's, has its MTU %u again", now.name,
			           vf->spec.name, interface->first_mtu);
	}
	if (rc < 0)
		log_warn("%s, which was %s's, cannot have back what it came with (MTU %u): %s",
		         now.name, vf->spec.name, interface->first_mtu, strerror(-rc));
}

enum vf_interface_change vf_interface_judge(const struct vf_interface *known,
                                            const struct interface *now,
                                            enum vf_interface_news news)
{
	bool up = now != NULL && (now->flags & IFF_UP);

	if (now == NULL && !known->is_made)
		return VF_INTERFACE_GONE;
	if (now == NULL)
		return news == VF_INTERFACE_NEWS_DELETED ? VF_INTERFACE_GONE
		       : news == VF_INTERFACE_NEWS_MOVED ? VF_INTERFACE_MOVED
		                                         : VF_INTERFACE_SAME;
	if (now->mtu != known->mtu)
		return VF_INTERFACE_OTHER_MTU;
	if (up != known->is_up)
		return up ? VF_INTERFACE_UP : VF_INTERFACE_DOWN;
	return VF_INTERFACE_SAME;
}
