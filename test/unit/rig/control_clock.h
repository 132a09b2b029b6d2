/* A clock that the test turns, and clients who ask and are answered by it.
 *
 * A test of something that asks for the time wraps clock_now_ms, too.
 * WRAP: loop_timer_start loop_timer_stop
 */
#ifndef TEST_CONTROL_CLOCK_H
#define TEST_CONTROL_CLOCK_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "control/control.h"
#include "fake_path.h"
#include "rpc/contract.h"

/* --- the clock ----------------------------------------------------------------------------------
 */

#define TIMERS_MAX 256

static uint64_t clock_ms;
static struct loop_timer *timers[TIMERS_MAX];
static unsigned n_timers;

void __wrap_loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms,
                             loop_fn callback, void *context);
void __wrap_loop_timer_stop(struct loop_timer *timer);
uint64_t __wrap_clock_now_ms(void);

uint64_t __wrap_clock_now_ms(void)
{
	return clock_ms;
}

void __wrap_loop_timer_stop(struct loop_timer *timer)
{
	if (!timer->running)
		return;
	timer->running = false;
	for (unsigned i = 0; i < n_timers; i++)
		if (timers[i] == timer)
			timers[i] = timers[--n_timers];
}

void __wrap_loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms,
                             loop_fn callback, void *context)
{
	(void)loop;
	loop_timer_stop(timer);
	fake_expect(n_timers < TIMERS_MAX);
	timer->deadline_ms = clock_ms + delay_ms;
	timer->callback = callback;
	timer->context = context;
	timer->running = true;
	timers[n_timers++] = timer;
}

/* Called after each timer: the end of the loop's turn, if the test has one. */
static void (*clock_turn_ends)(void);

static inline void turn_ends(void)
{
	if (clock_turn_ends != NULL)
		clock_turn_ends();
}

static inline struct loop_timer *next_timer(void)
{
	struct loop_timer *next = NULL;

	for (unsigned i = 0; i < n_timers; i++)
		if (next == NULL || timers[i]->deadline_ms < next->deadline_ms)
			next = timers[i];
	return next;
}

static inline void pass_ms(uint64_t ms)
{
	uint64_t until = clock_ms + ms;
	struct loop_timer *timer;

	while ((timer = next_timer()) != NULL && timer->deadline_ms <= until) {
		clock_ms = timer->deadline_ms;
		loop_timer_stop(timer);
		timer->callback(timer->context);
		turn_ends();
	}
	clock_ms = until;
}

/* --- clients ------------------------------------------------------------------------------------
 */

/* An answer as rpc tells it. */
struct answer {
	enum contract_request request; /* what was asked */
	unsigned n;
	bool ok, has_code;
	int code;
	const char *source;
	char text[ERROR_TEXT_MAX];
	uint64_t asked_ms, took_ms;
};

static inline void on_answer(void *context, const struct outcome *outcome)
{
	struct answer *answer = context;

	answer->n++;
	answer->ok = outcome->reason == OUTCOME_OK;
	answer->has_code = !answer->ok;
	if (!answer->ok) {
		struct contract_error error = contract_error(answer->request, outcome);

		answer->code = error.code;
		answer->source = error.source;
	}
	memcpy(answer->text, outcome->text, sizeof(answer->text));
	answer->took_ms = clock_ms - answer->asked_ms;
}

static inline void expect_ok(const struct answer *answer)
{
	ck_assert_uint_eq(answer->n, 1);
	ck_assert(answer->ok);
	ck_assert_str_eq(answer->text, "");
}

static inline void expect_error(const struct answer *answer, const char *source, int code)
{
	ck_assert_uint_eq(answer->n, 1);
	ck_assert(!answer->ok);
	ck_assert(answer->has_code);
	ck_assert_int_eq(answer->code, code);
	ck_assert_str_eq(answer->source, source);
	ck_assert_str_ne(answer->text, "");
}

#endif
