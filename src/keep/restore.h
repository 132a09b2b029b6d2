/* What was saved before the restart comes back. Control thread only. */
#ifndef KEEP_RESTORE_H
#define KEEP_RESTORE_H

#include "keep/state.h"
#include "relay/relay.h"

/* Has back what the state holds and the configuration leaves room for; says what it does not. */
void restore_state(struct relays *relays, const struct state *state);

#endif
