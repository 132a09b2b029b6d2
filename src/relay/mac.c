/* The guest's MAC address: a VF receives unicast for its own, so a guest that uses another one (one
 * that was migrated here, say) hears nothing of what is sent to it. A few times a second each lane
 * from the guest is asked for the source address of one frame; when that is not the VF's, the
 * device thread programs the VF, if --sync-mac allows it and the PF agrees, or finds out what to
 * tell the operator, once a guest. Control thread only, but for mac_run.
 *
 * What is wanted is looked at anew each time, so that a VF which was reset and attached again, or
 * comes later than the guest, needs no code of its own.
 *
 * A guest may send what it likes. While it uses the VF's address too, others of its are taken for
 * those of machines behind it, which no VF can be programmed for; the first address that a guest is
 * heard to use may be such a one, and is given up easily while it is not heard again. And the
 * longer it goes on changing its address, the longer the next change has to wait.
 */
#include "relay/mac.h"

#include <string.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "base/log.h"
#include "config/config.h"

#define LISTEN_MS 250

/* An address that the VF has, and the guest was heard to use, is given up for another when that was
 * heard so many times, for that long, without the former. */
#define STRANGE_MIN 4
#define USED_MS     3000U

/* Between two addresses of a guest: first, at most, and after how long without one as at first. */
#define HOLD_FIRST_MS   1000U
#define HOLD_LONGEST_MS 64000U
#define HOLD_FORGET_MS  600000U

/* What was declined is asked for again, since the operator may have followed the advice. */
#define DECLINED_AGAIN_MS 60000U

static struct ether_addr address_of(uint64_t heard)
{
	struct ether_addr mac = {{0}};

	for (int i = ETH_ALEN - 1; i >= 0; i--, heard >>= 8)
		mac.ether_addr_octet[i] = (uint8_t)heard;
	return mac;
}

/* --- the device thread's part ---------------------------------------------------------------- */

static struct vf_mac *mac_of_job(struct job *job)
{
	return CONTAINER_OF(job, struct vf_mac, job);
}

static void mac_run(struct job *job)
{
	struct vf_mac *mac = mac_of_job(job);

	mac->outcome = vf_mac_set(&mac->vf, &mac->wanted, mac->may_program, &mac->why);
}

static void log_programmed(const struct relay *relay)
{
	const struct vf_mac *mac = &relay->vf_end.mac;
	bool beside = vf_mac_equal(&mac->vf.extra_mac, &mac->wanted);
	char guests[VF_MAC_TEXT_MAX], vfs[VF_MAC_TEXT_MAX];

	log_notice("relay %u: %s takes the guest's MAC address %s %s its %s%s%s", relay->id,
	           relay->vf_end.device.name, vf_mac_format(&mac->wanted, guests),
	           beside ? "beside" : "instead of", vf_mac_format(&relay->vf_end.vf.mac, vfs),
	           mac->outcome == VF_MAC_UNCONFIRMED ? "; " : "", mac->why.text);
}

static void mac_done(struct job *job)
{
	struct vf_mac *mac = mac_of_job(job);
	struct relay *relay = CONTAINER_OF(mac, struct relay, vf_end.mac);

	mac->busy = false;
	if (relay->vf_end.phase != VF_ATTACHED) /* on its way out; nothing attaches before this */
		return;
	if (mac->outcome == VF_MAC_PROGRAMMED || mac->outcome == VF_MAC_UNCONFIRMED)
		log_programmed(relay);
	if (mac->outcome == VF_MAC_DECLINED) {
		log_write(mac->warned ? LOG_DEBUG : LOG_WARNING, "relay %u: %s", relay->id,
		          mac->why.text);
		mac->warned = true;
	}
	/* Nothing else: what else is known of the VF may have changed meanwhile. */
	relay->vf_end.vf.mac = mac->vf.mac;
	relay->vf_end.vf.extra_mac = mac->vf.extra_mac;
}

/* --- the control thread's
 * ------------------------------------------------------------------------------- */

/* Another guest: what the lanes have heard may be the last one's. */
static void begin_session(struct relay *relay)
{
	struct vf_mac *mac = &relay->vf_end.mac;

	mac->session = relay->guest_end.guest.sessions;
	mac->guest = 0;
	mac->used_ms = 0;
	mac->n_strange = 0;
	mac->warned = false;
	for (unsigned i = 0; i < GUEST_QUEUES_MAX; i++)
		__atomic_store_n(&relay->lanes.vm_to_vf[i].heard, 0, __ATOMIC_RELAXED);
}

static void read_lanes(struct relay *relay, uint64_t now_ms)
{
	struct vf_mac *mac = &relay->vf_end.mac;
	uint64_t strange = 0;
	bool used = false;

	for (unsigned i = 0; i < GUEST_QUEUES_MAX; i++) {
		uint64_t heard =
		        __atomic_exchange_n(&relay->lanes.vm_to_vf[i].heard, 0, __ATOMIC_RELAXED);
		struct ether_addr address = address_of(heard);

		if (heard == 0)
			continue;
		if (relay->vf_end.phase != VF_ATTACHED ||
		    !vf_has_mac(&relay->vf_end.vf, &address)) {
			strange = heard;
			continue;
		}
		mac->guest = heard;
		mac->used_ms = now_ms;
		mac->n_strange = 0;
		used = true;
	}
	if (used || strange == 0)
		return;
	mac->n_strange++;
	if (mac->used_ms == 0 ||
	    (now_ms - mac->used_ms >= USED_MS && mac->n_strange >= STRANGE_MIN))
		mac->guest = strange;
}

/* Whether it is time to see to the address that the guest uses. */
static bool is_due(const struct relay *relay, uint64_t now_ms)
{
	const struct vf_mac *mac = &relay->vf_end.mac;
	struct ether_addr wanted = address_of(mac->guest);

	if (mac->busy || mac->guest == 0 || relay->vf_end.phase != VF_ATTACHED ||
	    vf_has_mac(&relay->vf_end.vf, &wanted))
		return false;
	if (!mac->asked)
		return true;
	if (vf_mac_equal(&mac->wanted, &wanted))
		return now_ms - mac->asked_ms >= DECLINED_AGAIN_MS;
	return now_ms - mac->asked_ms >= mac->hold_ms;
}

/* Another relay whose guest uses the same address, and whose VF has it: NULL = none. */
static const struct relay *find_user(const struct relay *relay)
{
	const struct ether_addr mac = address_of(relay->vf_end.mac.guest);

	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		const struct relay *other = &relay->relays->relay[i];

		if (other != relay && other->vf_end.phase == VF_ATTACHED &&
		    other->guest_end.guest.connected &&
		    other->vf_end.mac.session == other->guest_end.guest.sessions &&
		    other->vf_end.mac.guest == relay->vf_end.mac.guest &&
		    vf_has_mac(&other->vf_end.vf, &mac))
			return other;
	}
	return NULL;
}

/* No guest takes another's address away. */
static void refuse_used(struct relay *relay, const struct relay *user)
{
	const struct ether_addr mac = address_of(relay->vf_end.mac.guest);
	char text[VF_MAC_TEXT_MAX];

	if (relay->vf_end.mac.warned)
		return;
	relay->vf_end.mac.warned = true;
	log_write_limited(&relay->guest_end.log, LOG_WARNING,
	                  "relay %u: the guest uses the MAC address %s, which is that of relay "
	                  "%u's guest and VF; %s does not get it while that is there",
	                  relay->id, vf_mac_format(&mac, text), user->id,
	                  relay->vf_end.device.name);
}

static void submit(struct relay *relay, uint64_t now_ms)
{
	struct vf_mac *mac = &relay->vf_end.mac;
	struct ether_addr wanted = address_of(mac->guest);

	if (mac->hold_ms == 0 || now_ms - mac->asked_ms >= HOLD_FORGET_MS)
		mac->hold_ms = HOLD_FIRST_MS;
	else if (!vf_mac_equal(&mac->wanted, &wanted))
		mac->hold_ms = RTE_MIN(mac->hold_ms * 2, HOLD_LONGEST_MS);
	mac->asked_ms = now_ms;
	mac->asked = true;
	mac->busy = true;
	mac->job.run = mac_run;
	mac->job.done = mac_done;
	mac->wanted = wanted;
	mac->may_program = relay->relays->config->sync_mac;
	mac->vf = relay->vf_end.vf;
	job_submit(relay->relays->device_thread, &mac->job);
}

static void on_listen(void *context)
{
	struct relays *relays = context;
	uint64_t now_ms = clock_now_ms();

	for (unsigned i = 0; i < RELAYS_MAX && !relays->quiesced; i++) {
		struct relay *relay = &relays->relay[i];

		if (!relay->guest_end.guest.connected)
			continue;
		if (relay->vf_end.mac.session != relay->guest_end.guest.sessions)
			begin_session(relay);
		read_lanes(relay, now_ms);
		if (!is_due(relay, now_ms))
			continue;
		const struct relay *user = find_user(relay);
		if (user != NULL)
			refuse_used(relay, user);
		else
			submit(relay, now_ms);
	}
	loop_timer_start(relays->loop, &relays->mac_timer, LISTEN_MS, on_listen, relays);
}

void mac_start(struct relays *relays)
{
	loop_timer_start(relays->loop, &relays->mac_timer, LISTEN_MS, on_listen, relays);
}

void mac_stop(struct relays *relays)
{
	loop_timer_stop(&relays->mac_timer);
}

bool mac_read(const struct relay *relay, uint8_t out[ETH_ALEN])
{
	const struct ether_addr mac = address_of(relay->vf_end.mac.guest);

	if (!relay->guest_end.guest.connected || relay->vf_end.mac.guest == 0 ||
	    relay->vf_end.mac.session != relay->guest_end.guest.sessions)
		return false;
	memcpy(out, mac.ether_addr_octet, sizeof(mac.ether_addr_octet));
	return true;
}
