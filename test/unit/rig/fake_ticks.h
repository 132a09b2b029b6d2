/* WRAP: loop_timer_start loop_timer_stop clock_now_ms log_write_limited */
/* What looks after all relays by a timer of its own: the clock, that timer, which the test lets
 * tick, and what the log is told of a relay. Included after RELAY, TICK (ms) and TICKS_TIMER (its
 * field of struct relays) are defined.
 */
#ifndef RIG_FAKE_TICKS_H
#define RIG_FAKE_TICKS_H

#include <check.h>
#include <stdarg.h>
#include <stdio.h>

#include "control_rig.h"

static uint64_t clock_ms;
static loop_fn on_timer;
static unsigned n_warnings, n_notices, n_infos;
static char last_line[1024];

uint64_t __wrap_clock_now_ms(void);
void __wrap_loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms,
                             loop_fn callback, void *context);
void __wrap_loop_timer_stop(struct loop_timer *timer);
void __wrap_log_write_limited(struct log_limit *limit, int severity, const char *format, ...);

uint64_t __wrap_clock_now_ms(void)
{
	return clock_ms;
}

void __wrap_loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms,
                             loop_fn callback, void *context)
{
	(void)loop;
	ck_assert_ptr_eq(timer, &rig->relays.TICKS_TIMER);
	ck_assert_uint_eq(delay_ms, TICK);
	ck_assert_ptr_eq(context, &rig->relays);
	on_timer = callback;
}

void __wrap_loop_timer_stop(struct loop_timer *timer)
{
	(void)timer;
}

static void ticks_note(int severity, const char *format, va_list args)
{
	vsnprintf(last_line, sizeof(last_line), format, args);
	n_warnings += severity == LOG_WARNING;
	n_notices += severity == LOG_NOTICE;
	n_infos += severity == LOG_INFO;
}

void __wrap_log_write_limited(struct log_limit *limit, int severity, const char *format, ...)
{
	va_list args;

	ck_assert_ptr_eq(limit, &rig->relays.relay[RELAY].guest_end.log);
	va_start(args, format);
	ticks_note(severity, format, args);
	va_end(args);
}

#endif
