/* What was saved before the restart, set against the configuration, which wins: a relay or a device
 * that it names is no client's any more. Everything that is left out is said. Control thread only.
 */
#include "base/log.h"
#include "config/config.h"
#include "keep/state.h"
#include "relay/relay.h"

/* Whether the relay and its device are the configuration's by now. */
static bool is_overruled(const struct config *config, const struct state_relay *saved)
{
	for (size_t i = 0; i < config->n_static_vfs; i++) {
		const struct static_vf *vf = &config->static_vfs[i];
		bool same_device = device_spec_equal(&vf->device, &saved->device) &&
		                   bond_spec_equal(&vf->bond, &saved->bond);

		if (vf->relay_id != saved->id &&
		    !bond_spec_overlap(&vf->device, &vf->bond, &saved->device, &saved->bond))
			continue;
		if (vf->relay_id != saved->id || !same_device)
			log_warn("relay %u: %s, which a client had added before the restart, is "
			         "left out: the configuration has %s for relay %u",
			         saved->id, saved->device.name, vf->device.name, vf->relay_id);
		return true;
	}
	return false;
}

void restore_state(struct control *control, const struct state *state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < state->n_pins; i++)
		pins_restore(control, &state->pins[i]);
	if (state->n_relays > 0 && state->dynamic_sockets != control_dynamic_sockets(control)) {
		log_warn("%u relays that clients had added before the restart are left out: they "
		         "were made with dynamic sockets %s, and these are %s now",
		         state->n_relays, state->dynamic_sockets ? "on" : "off",
		         state->dynamic_sockets ? "off" : "on");
		return;
	}
	for (unsigned i = 0; i < state->n_relays; i++) {
		const struct state_relay *saved = &state->relays[i];
		struct relay *relay = &control->relays[saved->id];

		if (is_overruled(control->config, saved))
			continue;
		n++;
		if (state->dynamic_sockets)
			relay_pair_restore(relay, &saved->device, &saved->bond, saved->socket);
		else
			relay_vf_restore(relay, &saved->device, &saved->bond);
	}
	if (n > 0)
		log_notice("%u relays that clients had added come back", n);
}

void restore_yield(struct relay *relay, const struct control_vf_request *row)
{
	if (relay == NULL || !relay->restored || relay->vf_phase == VF_ABSENT)
		return;
	relay->restored = false;
	relay->owner = CONTROL_OWNER_OVSDB;
	if (relay->id == row->relay_id && device_spec_equal(&relay->device, &row->device)) {
		log_notice("relay %u: %s, which a client had added before the restart, is OVSDB's "
		           "from now on",
		           relay->id, relay->device.name);
		saved_changed(relay);
		return;
	}
	log_warn("relay %u: %s, which a client had added before the restart, is removed: OVSDB "
	         "wants %s for relay %u",
	         relay->id, relay->device.name, row->device.name, row->relay_id);
	relay_vf_leave(relay);
}
