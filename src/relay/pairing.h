/* Dynamic sockets: relays that are made of a device and a socket together, and end together.
 * Control thread only.
 */
#ifndef RELAY_PAIRING_H
#define RELAY_PAIRING_H

#include "relay/judge.h"
#include "relay/outcome.h"

/* Makes a relay, the lowest idle one, of a device and the vhost-user socket at path: both, or
 * nothing. */
void pairing_add(struct relays *relays, const struct sock_request *request, outcome_fn done,
                 void *context);
/* Ends the relay that has the socket, the device, or both. */
void pairing_remove(struct relays *relays, const struct sock_request *request, outcome_fn done,
                    void *context);
/* Makes a pair that there was before. Both ends closed and absent only. */
void pairing_restore(struct relay *relay, const struct device_spec *device,
                     const struct bond_spec *bond, const char *path);

/* The ends report; error is NULL, or says what went wrong. No pair needs to be there. */
void pairing_opened(struct relay *relay, const char *error);
void pairing_closed(struct relay *relay);
void pairing_vf_gone(struct relay *relay, const char *error);

#endif
