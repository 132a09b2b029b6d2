/* The guest's VLANs: where its PF filters by VLAN, a VF receives frames of those that it was
 * programmed for, and a guest's trunk is silent without that. Lanes from the guest note the tags of
 * its frames; a few times a second they are looked at here, and the device thread asks the PF for
 * those that are new, and for those that the operator has named (--vlans). Control thread only, but
 * for trunk_run.
 *
 * What is wanted is looked at anew each time, so that a VF which was reset and attached again, or
 * comes later than the guest, needs no code of its own.
 *
 * A guest may send what it likes: the first VLANS_MAX count, together with those that were named,
 * and it is said once that there are more. They are forgotten when it goes.
 */
#include "relay/trunk.h"

#include "base/clock.h"
#include "base/container_of.h"
#include "base/log.h"
#include "config/config.h"

#define LISTEN_MS 250

/* What was refused is asked for again, since there may be room by now. */
#define REFUSED_AGAIN_MS 60000U

/* A guest that goes and comes costs its PF all its VLANs each time: how long the next change waits,
 * first and at most, and after how long without such a one as at first. */
#define HOLD_FIRST_MS   1000U
#define HOLD_LONGEST_MS 64000U
#define HOLD_FORGET_MS  600000U

static const struct vlan_set *named(const struct relay *relay)
{
	return &relay->relays->config->vlans[relay->id];
}

/* --- the device thread's part ---------------------------------------------------------------- */

static void trunk_run(struct job *job)
{
	struct vf_trunk *trunk = CONTAINER_OF(job, struct vf_trunk, job);

	vf_vlans_change(&trunk->vf, &trunk->change);
}

static void log_change(struct relay *relay)
{
	struct vf_trunk *trunk = &relay->vf_end.trunk;
	const struct vf_vlans_change *change = &trunk->change;
	char text[VLAN_SET_TEXT_MAX];

	if (!vlan_set_is_empty(&change->added))
		log_write_limited(&relay->guest_end.log, LOG_NOTICE,
		                  "relay %u: %s receives frames of VLAN %s now", relay->id,
		                  relay->vf_end.device.name,
		                  vlan_set_format(&change->added, text, sizeof(text)));
	if (!vlan_set_is_empty(&change->removed))
		log_write_limited(&relay->guest_end.log, LOG_INFO,
		                  "relay %u: %s receives frames of VLAN %s no more: the guest that "
		                  "used it has left",
		                  relay->id, relay->vf_end.device.name,
		                  vlan_set_format(&change->removed, text, sizeof(text)));
	if (vlan_set_is_empty(&change->refused))
		return;
	log_write_limited(&relay->guest_end.log, trunk->warned ? LOG_DEBUG : LOG_WARNING,
	                  "relay %u: %s receives no frames of VLAN %s: %s", relay->id,
	                  relay->vf_end.device.name,
	                  vlan_set_format(&change->refused, text, sizeof(text)), change->why.text);
	trunk->warned = true;
}

static void trunk_done(struct job *job)
{
	struct vf_trunk *trunk = CONTAINER_OF(job, struct vf_trunk, job);
	struct relay *relay = CONTAINER_OF(trunk, struct relay, vf_end.trunk);
	const struct vf_vlans_change *change = &trunk->change;

	trunk->busy = false;
	if (relay->vf_end.phase != VF_ATTACHED) /* on its way out; nothing attaches before this */
		return;
	log_change(relay);
	vlan_set_join(&trunk->received, &change->added);
	vlan_set_leave(&trunk->received, &change->removed);
	vlan_set_join(&trunk->refused, &change->refused);
	if (!vlan_set_is_empty(&change->refused))
		trunk->refused_ms = clock_now_ms();
	if (!change->unsupported)
		return;
	relay->vf_end.vf.filters_vlans = false; /* it receives whatever there is */
	relay_changed(relay);
}

/* --- the control thread's -------------------------------------------------------------------- */

static void hold(struct vf_trunk *trunk, uint64_t now_ms)
{
	if (trunk->hold_ms == 0 || now_ms - trunk->held_ms >= HOLD_FORGET_MS)
		trunk->hold_ms = HOLD_FIRST_MS;
	else
		trunk->hold_ms = RTE_MIN(trunk->hold_ms * 2, HOLD_LONGEST_MS);
	trunk->held_ms = now_ms;
}

/* Nobody, or another guest: what was heard was the last one's, unless that was forgotten before. */
static void begin_session(struct relay *relay, unsigned session, uint64_t now_ms)
{
	struct vf_trunk *trunk = &relay->vf_end.trunk;

	if (!vlan_set_is_empty(&trunk->guest))
		hold(trunk, now_ms);
	if (trunk->session != 0)
		vlan_set_forget(&relay->lanes.vlans_heard);
	if (session != 0)
		trunk->warned = trunk->warned_of_number = false;
	trunk->session = session;
	trunk->guest = (struct vlan_set){{0}};
}

static void warn_of_number(struct relay *relay)
{
	struct vf_trunk *trunk = &relay->vf_end.trunk;

	if (trunk->warned_of_number)
		return;
	trunk->warned_of_number = true;
	log_write_limited(&relay->guest_end.log, LOG_WARNING,
	                  "relay %u: the guest uses more than %d VLANs; %s receives frames of the "
	                  "first %d only, and of those that VIRTIOFWD_VLANS names",
	                  relay->id, VLANS_MAX, relay->vf_end.device.name, VLANS_MAX);
}

static void learn(struct relay *relay)
{
	struct vf_trunk *trunk = &relay->vf_end.trunk;
	struct vlan_set fresh = vlan_set_read(&relay->lanes.vlans_heard), known = *named(relay);

	vlan_set_join(&known, &trunk->guest);
	vlan_set_leave(&fresh, &known);
	unsigned room = VLANS_MAX - vlan_set_count(&known);

	for (int id = vlan_set_next(&fresh, -1); id >= 0; id = vlan_set_next(&fresh, id)) {
		if (room == 0) {
			warn_of_number(relay);
			return;
		}
		vlan_set_add(&trunk->guest, (unsigned)id);
		room--;
	}
}

/* Fills what is to be changed; false when nothing is. */
static bool plan_change(struct relay *relay, uint64_t now_ms)
{
	struct vf_trunk *trunk = &relay->vf_end.trunk;
	struct vf_vlans_change *change = &trunk->change;
	struct vlan_set wanted = *named(relay);

	vlan_set_join(&wanted, &trunk->guest);
	vlan_set_meet(&trunk->refused, &wanted);
	*change = (struct vf_vlans_change){.add = wanted, .remove = trunk->received};
	vlan_set_leave(&change->remove, &wanted);
	vlan_set_leave(&change->add, &trunk->received);
	if (!trunk->ask_again && now_ms - trunk->refused_ms < REFUSED_AGAIN_MS)
		vlan_set_leave(&change->add, &trunk->refused);
	return !vlan_set_is_empty(&change->add) || !vlan_set_is_empty(&change->remove);
}

static void submit(struct relay *relay)
{
	struct vf_trunk *trunk = &relay->vf_end.trunk;

	trunk->ask_again = false;
	vlan_set_leave(&trunk->refused, &trunk->change.add);
	trunk->busy = true;
	trunk->job.run = trunk_run;
	trunk->job.done = trunk_done;
	trunk->vf = relay->vf_end.vf;
	job_submit(relay->relays->device_thread, &trunk->job);
}

/* A VF whose PF is down is attached anew when that is up. */
static bool can_ask(const struct relay *relay, uint64_t now_ms)
{
	const struct vf_end *end = &relay->vf_end;

	return end->phase == VF_ATTACHED && end->vf.filters_vlans && !end->trunk.busy &&
	       (end->vf.host.pf_up || !end->vf.host.needs_pf) &&
	       now_ms - end->trunk.held_ms >= end->trunk.hold_ms;
}

static void listen_to(struct relay *relay, uint64_t now_ms)
{
	const struct guest_state *guest = &relay->guest_end.guest;
	struct vf_trunk *trunk = &relay->vf_end.trunk;
	unsigned session = guest->connected ? guest->sessions : 0;

	if (trunk->session != session)
		begin_session(relay, session, now_ms);
	learn(relay);
	if (can_ask(relay, now_ms) && plan_change(relay, now_ms))
		submit(relay);
}

static void on_listen(void *context)
{
	struct relays *relays = context;
	uint64_t now_ms = clock_now_ms();

	for (unsigned i = 0; i < RELAYS_MAX && !relays->quiesced; i++)
		listen_to(&relays->relay[i], now_ms);
	loop_timer_start(relays->loop, &relays->trunk_timer, LISTEN_MS, on_listen, relays);
}

void trunk_start(struct relays *relays)
{
	loop_timer_start(relays->loop, &relays->trunk_timer, LISTEN_MS, on_listen, relays);
}

void trunk_stop(struct relays *relays)
{
	loop_timer_stop(&relays->trunk_timer);
}

void trunk_ask_again(struct relay *relay)
{
	struct vf_trunk *trunk = &relay->vf_end.trunk;

	trunk->ask_again = !vlan_set_is_empty(&trunk->refused);
}

void trunk_read(const struct relay *relay, struct vlan_set *received, struct vlan_set *refused)
{
	const struct vf_trunk *trunk = &relay->vf_end.trunk;
	bool filters = relay->vf_end.phase == VF_ATTACHED && relay->vf_end.vf.filters_vlans;

	*received = filters ? trunk->received : (struct vlan_set){{0}};
	*refused = filters ? trunk->refused : (struct vlan_set){{0}};
}
