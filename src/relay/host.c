/* What hosts do to their VFs by the PF while relays use them: take it down and up again, which some
 * VFs do not survive, or give the VF another MAC address, which many a driver reads at its start
 * only. In both cases the VF is attached anew. Control thread only.
 *
 * The kernel tells when something about an interface changes; what it is, the PF is asked for with
 * the VFs' next health. NICs that tell their VFs themselves (RTE_ETH_EVENT_INTR_RESET) may be
 * quicker, and do no harm.
 */
#include "relay/host.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "events/events.h"
#include "relay/stand_in.h"
#include "relay/trunk.h"
#include "sys/link_watch.h"

/* Events read in one turn of the loop, which has others to serve; the rest waits for the next. */
#define EVENTS_PER_TURN 256

#define LOSS_LOG_MS 60000

/* What is to be asked already is asked too. */
static void ask(struct relay *relay, enum vf_host_question question)
{
	relay->vf_end.host_question = RTE_MAX(relay->vf_end.host_question, question);
}

static void warn_of_pf(const struct relay *relay)
{
	const char *pf = relay->vf_end.vf.host.pf, *device = relay->vf_end.device.name;

	events_tell(&(struct event){.id = EVENT_INTERFACE_DOWN,
	                            .relay = (int)relay->id,
	                            .values = {{EVENT_FIELD_DEVICE, 0, device},
	                                       {EVENT_FIELD_INTERFACE, 0, pf}}},
	            EVENT_UNLIMITED,
	            "relay %u: %s, the PF of %s, is down: nothing passes until 'ip link set %s up'",
	            relay->id, pf, device, pf);
}

/* Noted at once: it may be up again before anybody asks. */
static void pf_went_down(struct relay *relay)
{
	if (!relay->vf_end.vf.host.pf_up)
		return;
	relay->vf_end.vf.host.pf_up = false;
	warn_of_pf(relay);
}

/* Whatever they were about: every PF is asked with the next health. */
static void on_lost_events(struct relays *relays)
{
	log_write_limited(&relays->link_log, LOG_WARNING,
	                  "the kernel had more to tell of network interfaces than was read, and "
	                  "left some of it out; all PFs are asked for their state");
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		if (relays->relay[i].vf_end.phase == VF_ATTACHED) {
			relays->relay[i].vf_end.host_question = VF_HOST_CHANGED_TWICE;
			stand_in_look(&relays->relay[i], VF_INTERFACE_NEWS);
		}
}

static enum vf_interface_news news_of(const struct link_event *event)
{
	if (!event->gone)
		return VF_INTERFACE_NEWS;
	return event->moved ? VF_INTERFACE_NEWS_MOVED : VF_INTERFACE_NEWS_DELETED;
}

static void on_event(struct relays *relays, const struct link_event *event)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &relays->relay[i];

		if (relay->vf_end.phase != VF_ATTACHED)
			continue;
		if (relay->vf_end.vf.interface.index == event->ifindex)
			stand_in_look(relay, news_of(event));
		if (relay->vf_end.vf.host.pf_ifindex != event->ifindex || event->gone)
			continue;
		ask(relay, VF_HOST_CHANGED);
		if (!event->up && relay->vf_end.vf.host.needs_pf)
			pf_went_down(relay);
	}
}

static void on_links(void *context)
{
	struct relays *relays = context;
	struct link_event event;
	bool lost = false;
	int rc = 0;

	for (int n = 0; n < EVENTS_PER_TURN; n++) {
		rc = link_watch_next(relays->link_fd, &event);
		if (rc <= 0)
			break;
		if (event.some_lost)
			lost = true;
		else
			on_event(relays, &event);
	}
	if (lost)
		on_lost_events(relays);
	if (rc < 0) {
		log_warn("the kernel tells no more of changes to PFs: %s", strerror(-rc));
		host_stop(relays);
	}
}

void host_attached(struct relay *relay)
{
	stand_in_attached(relay);
	/* What happened since vf_attach asked; the PF's carrier may just be coming up, though. */
	relay->vf_end.host_question = VF_HOST_CHANGED;
	if (relay->vf_end.vf.host.needs_pf && !relay->vf_end.vf.host.pf_up)
		warn_of_pf(relay);
}

static void tell_pf_up(const struct relay *relay)
{
	const char *pf = relay->vf_end.vf.host.pf, *device = relay->vf_end.device.name;

	events_tell(&(struct event){.id = EVENT_INTERFACE_UP,
	                            .relay = (int)relay->id,
	                            .values = {{EVENT_FIELD_DEVICE, 0, device},
	                                       {EVENT_FIELD_INTERFACE, 0, pf}}},
	            EVENT_UNLIMITED, "relay %u: %s, the PF of %s, is up again", relay->id, pf,
	            device);
}

static void tell_reset(const struct relay *relay, const char *reason)
{
	const struct vf_end *end = &relay->vf_end;

	events_tell(&(struct event){.id = EVENT_VF_RESET,
	                            .relay = (int)relay->id,
	                            .values = {{EVENT_FIELD_DEVICE, 0, end->device.name},
	                                       {EVENT_FIELD_INTERFACE, 0, end->vf.host.pf},
	                                       {EVENT_FIELD_REASON, 0, reason}}},
	            EVENT_UNLIMITED, "relay %u: %s", relay->id, reason);
}

/* What an unheard PF did and undid again leaves its trace in its carrier's count alone. A cable
 * that was pulled leaves the same one: then the VF is attached anew without need, which costs less
 * than a VF that is deaf for good. */
static bool may_have_been_down(const struct vf_host *before, const struct vf_host *host)
{
	return host->needs_pf && before->pf_ifindex == host->pf_ifindex &&
	       before->carrier_changes != host->carrier_changes;
}

bool host_told(struct relay *relay, const struct vf_host *host, enum vf_host_question question)
{
	const struct vf_host before = relay->vf_end.vf.host;
	char mac[VF_MAC_TEXT_MAX], text[ERROR_TEXT_MAX];

	if (host->incomplete)
		ask(relay, question);
	if (host->pf_ifindex == 0)
		return false;
	if (!host->pf_up) {
		pf_went_down(relay);
		return false;
	}
	trunk_ask_again(relay);
	relay->vf_end.vf.host = *host;
	if (host->incomplete)
		relay->vf_end.vf.host.mac = before.mac;
	if (question == VF_HOST_CHANGED_TWICE && before.pf_up &&
	    may_have_been_down(&before, host)) {
		snprintf(text, sizeof(text), "%s, the PF of %s, may have been down meanwhile",
		         host->pf, relay->vf_end.device.name);
		tell_reset(relay, text);
		return true;
	}
	if (!before.pf_up) {
		tell_pf_up(relay);
		return true;
	}
	if (vf_mac_is_zero(&host->mac) || vf_mac_equal(&before.mac, &host->mac) ||
	    vf_has_mac(&relay->vf_end.vf, &host->mac))
		return false;
	snprintf(text, sizeof(text), "the host gives %s the MAC address %s",
	         relay->vf_end.device.name, vf_mac_format(&host->mac, mac));
	tell_reset(relay, text);
	return true;
}

void host_start(struct relays *relays)
{
	int fd = link_watch_open();

	relays->link_log = (struct log_limit)LOG_LIMIT(LOSS_LOG_MS, 1);
	if (fd >= 0 && loop_add_fd(relays->loop, fd, LOOP_READABLE, on_links, relays) == 0) {
		relays->link_fd = fd;
		return;
	}
	if (fd >= 0)
		close(fd);
	log_warn("the kernel does not tell of changes to PFs: a VF whose PF goes down and up may "
	         "have to be removed and added again");
}

void host_stop(struct relays *relays)
{
	if (relays->link_fd < 0)
		return;
	loop_remove_fd(relays->loop, relays->link_fd);
	close(relays->link_fd);
	relays->link_fd = -1;
}
