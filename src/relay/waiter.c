/* Those who wait. See waiter.h. */
#include "relay/waiter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int waiter_add(struct waiter_list *waiters, struct relay *relay, struct loop *loop, loop_fn on_late,
               outcome_fn done, void *context)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (waiter == NULL)
		return -ENOMEM;
	waiter->relay = relay;
	waiter->done = done;
	waiter->context = context;
	waiter->list = waiters;
	TAILQ_INSERT_TAIL(waiters, waiter, link);
	loop_timer_start(loop, &waiter->timer, WAITER_MS, on_late, waiter);
	return 0;
}

int waiter_join(struct waiter_list *waiters, struct relay *relay, struct loop *loop,
                loop_fn on_late, outcome_fn done, void *context)
{
	int rc = waiter_add(waiters, relay, loop, on_late, done, context);

	if (rc < 0)
		outcome_fail(done, context, OUTCOME_NO_MEMORY, "out of memory");
	return rc;
}

void waiter_move(struct waiter *waiter, struct waiter_list *to, loop_fn on_late)
{
	TAILQ_REMOVE(waiter->list, waiter, link);
	TAILQ_INSERT_TAIL(to, waiter, link);
	waiter->list = to;
	waiter->timer.callback = on_late;
}

void waiter_free(struct waiter *waiter)
{
	loop_timer_stop(&waiter->timer);
	TAILQ_REMOVE(waiter->list, waiter, link);
	free(waiter);
}

/* A callback may ask for the next thing to do: by then each waiter is gone, and who joins the list
 * meanwhile waits for something else. */
void waiters_answer(struct waiter_list *waiters, const struct outcome *outcome)
{
	struct waiter_list now = TAILQ_HEAD_INITIALIZER(now);
	struct waiter *waiter;

	TAILQ_CONCAT(&now, waiters, link);
	TAILQ_FOREACH (waiter, &now, link) {
		waiter->list = &now;
	}
	while ((waiter = TAILQ_FIRST(&now)) != NULL) {
		outcome_fn done = waiter->done;
		void *context = waiter->context;

		waiter_free(waiter);
		done(context, outcome);
	}
}

void waiters_answer_ok(struct waiter_list *waiters)
{
	waiters_answer(waiters, &(struct outcome){.reason = OUTCOME_OK});
}

void waiters_fail(struct waiter_list *waiters, enum outcome_reason reason, const char *text)
{
	struct outcome outcome = {.reason = reason};

	snprintf(outcome.text, sizeof(outcome.text), "%s", text);
	waiters_answer(waiters, &outcome);
}

void waiters_forget(struct waiter_list *waiters)
{
	struct waiter *waiter;

	while ((waiter = TAILQ_FIRST(waiters)) != NULL)
		waiter_free(waiter);
}
