/* Pins: which CPU a direction of a relay is bound to, by the configuration or by a client. They are
 * part of a relay, not of its VF or guest. Control thread only.
 */
#ifndef PLACEMENT_PINS_H
#define PLACEMENT_PINS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cpu_set.h"
#include "relay/outcome.h"
#include "relay/relay.h"

/* What the configuration pins. */
void pins_init(struct relays *relays);
/* Pins as a client once did, where the configuration does not say otherwise. */
void pins_restore(struct relays *relays, const struct cpu_pin *pin);
/* Whether one direction of the relay at least is pinned; -1 in *out for the one that is not.
 * relay_id < RELAYS_MAX. */
bool pins_read(const struct relays *relays, unsigned relay_id, struct cpu_pin *out);
/* Whether a client has pinned the relay otherwise than the configuration does, and how. */
bool pins_are_changed(const struct relays *relays, unsigned relay_id, struct cpu_pin *out);
/* As control_pins_update in control/control.h. */
void pins_update(struct relays *relays, const struct cpu_pin *pins, size_t count, outcome_fn done,
                 void *context);

#endif
