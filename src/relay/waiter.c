/* Answers and waiters; see waiter.h.
 */
#include "relay/waiter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "relay/relay.h"

void answer_ok(control_done_fn done, void *context)
{
	done(context, &(struct control_result){.ok = true});
}

void answer_error(control_done_fn done, void *context, const char *source, int code,
                  const char *format, ...)
{
	struct control_result result = {.has_code = true, .code = code, .source = source};
	va_list args;

	va_start(args, format);
	vsnprintf(result.text, sizeof(result.text), format, args);
	va_end(args);
	done(context, &result);
}

int waiter_add(struct waiter_list *waiters, struct relay *relay, loop_fn on_late,
               control_done_fn done, void *context)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (waiter == NULL)
		return -ENOMEM;
	waiter->relay = relay;
	waiter->done = done;
	waiter->context = context;
	LIST_INSERT_HEAD(waiters, waiter, link);
	loop_timer_start(relay->control->loop, &waiter->timer, CONTROL_ANSWER_MS, on_late, waiter);
	return 0;
}

void waiter_free(struct waiter *waiter)
{
	loop_timer_stop(&waiter->timer);
	LIST_REMOVE(waiter, link);
	free(waiter);
}

/* Callbacks may ask for the next thing to do: by then each waiter is gone, and who joins the list
 * meanwhile waits for something else. */
static void answer_all(struct waiter_list *waiters, const struct control_result *result)
{
	struct waiter_list now = *waiters;

	LIST_INIT(waiters);
	if (!LIST_EMPTY(&now))
		LIST_FIRST(&now)->link.le_prev = &LIST_FIRST(&now);
	while (!LIST_EMPTY(&now)) {
		struct waiter waiter = *LIST_FIRST(&now);

		waiter_free(LIST_FIRST(&now));
		waiter.done(waiter.context, result);
	}
}

void waiters_answer_ok(struct waiter_list *waiters)
{
	answer_all(waiters, &(struct control_result){.ok = true});
}

void waiters_answer_error(struct waiter_list *waiters, const char *source, int code,
                          const char *text)
{
	struct control_result result = {.has_code = true, .code = code, .source = source};

	snprintf(result.text, sizeof(result.text), "%s", text);
	answer_all(waiters, &result);
}
