/* Answers to requests, and those who wait for one: each is answered when its work is done or when
 * its time is up, whichever comes first. Control thread only.
 */
#ifndef RELAY_WAITER_H
#define RELAY_WAITER_H

#include <sys/queue.h>

#include "control/control.h"
#include "event/loop.h"

struct relay;

struct waiter {
	LIST_ENTRY(waiter) link;
	struct loop_timer timer;
	struct relay *relay;
	uint64_t change; /* while it waits for the saved state: what has to be written */
	control_done_fn done;
	void *context;
};

LIST_HEAD(waiter_list, waiter);

void answer_ok(control_done_fn done, void *context);
void answer_error(control_done_fn done, void *context, const char *source, int code,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Joins the list. After CONTROL_ANSWER_MS on_late is called with the waiter, to answer it and to
 * free it. 0, or -ENOMEM: not answered. */
int waiter_add(struct waiter_list *waiters, struct relay *relay, loop_fn on_late,
               control_done_fn done, void *context);
void waiter_free(struct waiter *waiter);

/* Everyone in the list, which is empty then. */
void waiters_answer_ok(struct waiter_list *waiters);
void waiters_answer_error(struct waiter_list *waiters, const char *source, int code,
                          const char *text);

#endif
