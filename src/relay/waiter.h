/* Those who wait for the outcome of a request: each is answered when its work is done or when its
 * time is up, whichever comes first. Control thread only.
 */
#ifndef RELAY_WAITER_H
#define RELAY_WAITER_H

#include <stdint.h>
#include <sys/queue.h>

#include "event/loop.h"
#include "relay/outcome.h"

/* Clients wait 2 s for an answer; it is sent before that. */
#define WAITER_MS 1500

struct relay;

struct waiter {
	TAILQ_ENTRY(waiter) link;
	struct waiter_list *list; /* that it is in */
	struct loop_timer timer;
	struct relay *relay;
	uint64_t change; /* while it waits for the saved state: what has to be written */
	outcome_fn done;
	void *context;
};

TAILQ_HEAD(waiter_list, waiter);

/* Joins the list. After WAITER_MS on_late is called with the waiter, to answer it and to free it.
 * 0, or -ENOMEM: not answered. */
int waiter_add(struct waiter_list *waiters, struct relay *relay, struct loop *loop, loop_fn on_late,
               outcome_fn done, void *context);
/* The same; -ENOMEM: answered so. */
int waiter_join(struct waiter_list *waiters, struct relay *relay, struct loop *loop,
                loop_fn on_late, outcome_fn done, void *context);
/* Leaves its list for another one, and keeps its time; on_late is what its time ends in now. */
void waiter_move(struct waiter *waiter, struct waiter_list *to, loop_fn on_late);
/* Leaves its list, without an answer. */
void waiter_free(struct waiter *waiter);

/* Everyone in the list, which is empty then. */
void waiters_answer(struct waiter_list *waiters, const struct outcome *outcome);
void waiters_answer_ok(struct waiter_list *waiters);
void waiters_fail(struct waiter_list *waiters, enum outcome_reason reason, const char *text);
/* Nobody is answered any more. */
void waiters_forget(struct waiter_list *waiters);

#endif
