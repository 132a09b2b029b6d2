/* The saved state: what clients have added and pinned, kept in a file for the daemon's next start.
 * Control thread only.
 */
#ifndef KEEP_SAVED_H
#define KEEP_SAVED_H

#include "relay/relay.h"

struct saved;

/* Restores what was saved, and saves from here on. *out is NULL when nothing can be saved, which is
 * said and stops nothing: the other functions take it as "nothing is kept". relays outlive it. 0 or
 * -ENOMEM. */
int saved_start(struct relays *relays, struct saved **out);
/* Something about the relay that shall outlive the daemon has changed. Written soon, by a helper
 * thread. */
void saved_changed(struct saved *saved, const struct relay *relay);
/* Whether all that has changed about the relay is written, or cannot be. */
bool saved_is_written(const struct saved *saved, const struct relay *relay);
/* Answers OK, now or when what has changed about the relay is written. The waiters are one relay's;
 * the list is empty then. */
void saved_answer(struct saved *saved, struct waiter_list *waiters);
/* Writes what is to be written, and nothing from then on. */
void saved_stop(struct saved *saved);
void saved_destroy(struct saved *saved);

#endif
