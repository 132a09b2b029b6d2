/* In client mode QEMU serves the sockets, and the daemon comes: again and again, for nothing may be
 * there yet. This looks at what is there, and says what is not as it should be. Control thread
 * only.
 */
#ifndef RELAY_GUEST_WATCH_H
#define RELAY_GUEST_WATCH_H

#include "relay/relay.h"

/* Looks from now on, if the daemon is the client. Once the threads run. */
void guest_watch_start(struct relays *relays);
void guest_watch_stop(struct relays *relays);

/* What the relay's guest is waited for by, in words for an operator; NULL while that is as it
 * should be. A literal. */
const char *guest_watch_explain(const struct relay *relay);

#endif
