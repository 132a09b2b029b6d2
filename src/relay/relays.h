/* All relays together: their beginning, what other threads tell of them, what follows when plans
 * were published, and their end. Control thread only.
 */
#ifndef RELAY_RELAYS_H
#define RELAY_RELAYS_H

#include "base/error.h"
#include "relay/relay.h"

/* An idle relay in each slot. The caller sets the threads before it asks for anything; what relays
 * point to outlives them. 0 or -ENOMEM: then relays_free is due as well. */
int relays_init(struct relays *relays, const struct config *config, struct loop *loop,
                struct workers *workers, const struct relay_hooks *hooks);
/* Frees what relays_init has allocated, and stops the timers. The workers have stopped. */
void relays_free(struct relays *relays);

/* Hears from VFs and guests from now on. Before relays_open. 0 or -ENOMEM. */
int relays_listen(struct relays *relays);
/* Opens the sockets, and has the static VFs attached. 0 or -errno with err. */
int relays_open(struct relays *relays, struct error *err);
/* What of that has to be there before saved relays come back. */
void relays_start_static(struct relays *relays);
/* From now on PFs, guests' addresses and the sockets' files are watched. */
void relays_watch(struct relays *relays);

/* The relay's VF, or members of its bond, were reset or have gone. */
void relays_vf_lost(struct relay *relay);
/* The plans were published: what has left them goes on its way. */
void relays_unplanned(struct relays *relays);

/* No guest is admitted any more, and the sockets' names are gone. */
void relays_refuse_guests(struct relays *relays);
/* The workers have stopped: closes the sockets. */
void relays_close_guests(struct relays *relays);
/* The workers have stopped: what they held back is dropped, and every VF detached, which takes its
 * time. */
void relays_detach_all(struct relays *relays);
/* Nobody is answered any more. */
void relays_forget_waiters(struct relays *relays);

#endif
