/* What was saved before the restart, set against the configuration, which wins: a relay or a device
 * that it names is no client's any more. Everything that is left out is said. Control thread only.
 */
#include "keep/restore.h"

#include "base/log.h"
#include "config/config.h"
#include "placement/pins.h"
#include "relay/pairing.h"
#include "relay/vf_life.h"

/* Whether the relay and its device are the configuration's by now. */
static bool is_overruled(const struct config *config, const struct state_relay *saved)
{
	for (size_t i = 0; i < config->n_static_vfs; i++) {
		const struct static_vf *vf = &config->static_vfs[i];
		bool same_device = device_spec_equal(&vf->device, &saved->device) &&
		                   bond_spec_equal(&vf->bond, &saved->bond) &&
		                   vf->far.kind == saved->far;

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

static void restore_vf(struct relay *relay, const struct state_relay *saved)
{
	const struct far_spec guest = {.kind = FAR_GUEST}, kernel = far_spec_kernel(saved->id);

	vf_life_begin(relay, &saved->device, &saved->bond,
	              saved->far == FAR_KERNEL ? &kernel : &guest, VF_ORIGIN_RESTORED,
	              VF_EVENT_RESTORE);
}

void restore_state(struct relays *relays, const struct state *state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < state->n_pins; i++)
		pins_restore(relays, &state->pins[i]);
	if (state->n_relays > 0 && state->dynamic_sockets != relays->config->dynamic_sockets) {
		log_warn("%u relays that clients had added before the restart are left out: they "
		         "were made with dynamic sockets %s, and these are %s now",
		         state->n_relays, state->dynamic_sockets ? "on" : "off",
		         state->dynamic_sockets ? "off" : "on");
		return;
	}
	for (unsigned i = 0; i < state->n_relays; i++) {
		const struct state_relay *saved = &state->relays[i];
		struct relay *relay = &relays->relay[saved->id];

		if (is_overruled(relays->config, saved))
			continue;
		n++;
		if (state->dynamic_sockets)
			pairing_restore(relay, &saved->device, &saved->bond, saved->socket);
		else
			restore_vf(relay, saved);
	}
	if (n > 0)
		log_notice("%u relays that clients had added come back", n);
}
