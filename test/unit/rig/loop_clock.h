/* Time that passes only while the event loop sleeps, and then at once: seconds of timers take no
 * time, and a busy machine makes no difference. For tests whose peers are in the same thread: what
 * is ready is heard of without waiting.
 *
 * WRAP: clock_now_ms zmq_poll
 */
#ifndef LOOP_CLOCK_H
#define LOOP_CLOCK_H

#include <check.h>
#include <stdint.h>
#include <zmq.h>

static uint64_t loop_clock_ms = 1000000;

uint64_t __wrap_clock_now_ms(void);
int __real_zmq_poll(zmq_pollitem_t *items, int n_items, long timeout_ms);
int __wrap_zmq_poll(zmq_pollitem_t *items, int n_items, long timeout_ms);

uint64_t __wrap_clock_now_ms(void)
{
	return loop_clock_ms;
}

int __wrap_zmq_poll(zmq_pollitem_t *items, int n_items, long timeout_ms)
{
	int rc = __real_zmq_poll(items, n_items, 0);

	ck_assert_int_ge(timeout_ms, 0); /* or the loop would sleep for ever */
	if (rc == 0)
		loop_clock_ms += (uint64_t)timeout_ms;
	return rc;
}

#endif
