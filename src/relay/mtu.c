/* Guests that may send longer packets than their VF carries. See mtu.h. Control thread only. */
#include "relay/mtu.h"

#include "base/log.h"
#include "relay/relay.h"

void mtu_compare(struct relay *relay)
{
	const struct guest_state *guest = &relay->guest_end.guest;
	const struct guest_mtu now = {
	        .session = guest->sessions, .guest = guest->mtu, .vf = relay->vf_end.vf.mtu};
	struct guest_mtu *warned = &relay->guest_end.mtu_warned;

	if (!guest->connected || relay->vf_end.phase != VF_ATTACHED || now.guest <= now.vf)
		return;
	if (warned->session == now.session && warned->guest == now.guest && warned->vf == now.vf)
		return;
	*warned = now;
	log_write_limited(&relay->guest_end.log, LOG_WARNING,
	                  "relay %u: the guest was told an MTU of %u, and %s carries %u: longer "
	                  "packets of the guest's are lost (pkts_dropped_too_long). "
	                  "Give the guest no more (QEMU: host_mtu=), or the VF's PF that MTU",
	                  relay->id, now.guest, relay->vf_end.device.name, now.vf);
}
