/* The life of a relay's guest end: its socket, which is open from the start or, with dynamic
 * sockets, from ADD_SOCK to REMOVE_SOCK, and the guests that come and go behind it. Control thread
 * only.
 */
#ifndef RELAY_GUEST_LIFE_H
#define RELAY_GUEST_LIFE_H

#include "relay/relay.h"

/* What the sockets have in common; and, unless sockets are dynamic, all of them. 0 or -errno. */
int guest_life_start(struct relays *relays, struct error *err);
/* Opens the socket at guest_end.path; the report socket_opened tells the result. GUEST_CLOSED only.
 */
void guest_life_open(struct relay *relay);
/* Begins the end of the guest and its socket, if it is GUEST_OPEN; the report socket_closed tells
 * when it is over. */
void guest_life_close(struct relay *relay);
/* The plans were published: what is GUEST_LEAVING is in none of them any more. */
void guest_life_unplanned(struct relay *relay);
/* Reads the guest's state again, because something about it has changed. True: another guest has
 * come meanwhile. Then the one before has left, and what its lanes hold goes with it; the next turn
 * of the loop is to look again. */
bool guest_life_changed(struct relay *relay);
/* Has the guest thread run a job about the relay's socket, whose params are filled in here; done is
 * called on the control thread. Jobs run one after the other. */
void guest_life_submit(struct relay *relay, struct guest_job *guest_job, void (*run)(struct job *),
                       void (*done)(struct job *));
/* For the shutdown: no guest is admitted any more, and the sockets' names are gone. */
void guest_life_refuse_all(struct relays *relays);
/* The workers have stopped. False when a peer keeps the vhost library busy: then its thread lives
 * on, and nothing that it may still touch can be freed. */
bool guest_life_close_all(struct relays *relays);

#endif
