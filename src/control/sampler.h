/* Once a second: the relays' packet rates, what everything costs (placement/loads.h), and the VFs'
 * health. Control thread only.
 */
#ifndef CONTROL_SAMPLER_H
#define CONTROL_SAMPLER_H

#include "control/control.h"
#include "placement/loads.h"
#include "relay/relay.h"

struct sampler;

/* relays and loads, which it fills, outlive it. NULL + errno. */
struct sampler *sampler_create(struct relays *relays, struct loads *loads);
void sampler_destroy(struct sampler *sampler);

/* What the relay's lanes have counted in that direction since the daemon's start. */
void sampler_read_counters(const struct relay *relay, enum lane_direction direction,
                           struct lane_counters *out);
/* Over the last second. */
const struct control_rates *sampler_rates(const struct sampler *sampler, unsigned relay_id,
                                          enum lane_direction direction);

#endif
