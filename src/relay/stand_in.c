/* Stand-ins for VFs whose network interface on the host is taken down, changed or deleted. See
 * stand_in.h. Drivers notice little of that: net_af_packet takes packets for what is not there any
 * more, and counts them as sent.
 *
 * While the interface is down its VF stays, since some interfaces would go with it, but nothing is
 * given to it: the relay is not ready. When it has gone, or has an MTU that the relay was not made
 * for, the VF counts as lost, and is attached anew as soon as that succeeds.
 */
#include "relay/stand_in.h"

#include "base/log.h"
#include "events/events.h"

static void warn_that_it_is_down(const struct relay *relay)
{
	const char *interface = relay->vf_end.vf.interface.name;
	const char *device = relay->vf_end.device.name;

	events_tell(&(struct event){.id = EVENT_INTERFACE_DOWN,
	                            .relay = (int)relay->id,
	                            .values = {{EVENT_FIELD_DEVICE, 0, device},
	                                       {EVENT_FIELD_INTERFACE, 0, interface}}},
	            EVENT_UNLIMITED,
	            "relay %u: %s, the interface of %s, is down: nothing passes until 'ip link set "
	            "%s up'",
	            relay->id, interface, device, interface);
}

static void tell_that_it_is_up(const struct relay *relay)
{
	const char *interface = relay->vf_end.vf.interface.name;
	const char *device = relay->vf_end.device.name;

	events_tell(&(struct event){.id = EVENT_INTERFACE_UP,
	                            .relay = (int)relay->id,
	                            .values = {{EVENT_FIELD_DEVICE, 0, device},
	                                       {EVENT_FIELD_INTERFACE, 0, interface}}},
	            EVENT_UNLIMITED, "relay %u: %s, the interface of %s, is up", relay->id,
	            interface, device);
}

static void on_other_mtu(struct relay *relay, uint32_t mtu)
{
	struct vf_interface *interface = &relay->vf_end.vf.interface;

	if (interface->is_made) {
		log_warn(
		        "relay %u: the MTU of %s, the interface of %s, is %u now; the relay's stays "
		        "%u, and longer frames are lost",
		        relay->id, interface->name, relay->vf_end.device.name, mtu,
		        relay->vf_end.vf.mtu);
		interface->mtu = mtu;
		return;
	}
	log_warn(
	        "relay %u: the MTU of %s, the interface of %s, is %u now, and was %u; attaching it "
	        "anew",
	        relay->id, interface->name, relay->vf_end.device.name, mtu, interface->mtu);
	relay->relays->reports.vf_lost(relay);
}

void stand_in_look(struct relay *relay, enum vf_interface_news news)
{
	struct vf_interface *interface = &relay->vf_end.vf.interface;
	struct interface now;
	bool is_there;

	if (interface->index == 0)
		return;
	is_there = interface_read(interface->index, &now) == 0;
	switch (vf_interface_judge(interface, is_there ? &now : NULL, news)) {
	case VF_INTERFACE_SAME:
		break;
	case VF_INTERFACE_MOVED:
		interface->index = 0;
		break;
	case VF_INTERFACE_GONE:
		log_warn("relay %u: %s, the interface of %s, is gone", relay->id, interface->name,
		         relay->vf_end.device.name);
		relay->relays->reports.vf_lost(relay);
		break;
	case VF_INTERFACE_OTHER_MTU:
		on_other_mtu(relay, now.mtu);
		break;
	case VF_INTERFACE_DOWN:
		interface->is_up = false;
		warn_that_it_is_down(relay);
		relay_changed(relay);
		break;
	case VF_INTERFACE_UP:
		interface->is_up = true;
		tell_that_it_is_up(relay);
		relay_changed(relay);
		break;
	}
}

void stand_in_attached(struct relay *relay)
{
	struct vf_interface *interface = &relay->vf_end.vf.interface;
	struct interface now;

	if (interface->index == 0)
		return;
	if (interface_read(interface->index, &now) ==
	    0) /* a driver may take its own up at the end */
		interface->is_up = now.flags & IFF_UP;
	if (!interface->is_up)
		warn_that_it_is_down(relay);
	stand_in_look(relay, VF_INTERFACE_NEWS); /* what has happened since */
}
