/* The one place that reads the monotonic clock.
 */
#include "base/clock.h"

static uint64_t read_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_now_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_now_us(void)
{
	return clock_now_ns() / 1000;
}

uint64_t clock_now_ms(void)
{
	return clock_now_ns() / 1000000;
}

uint64_t clock_thread_ms(void)
{
	return read_ns(CLOCK_THREAD_CPUTIME_ID) / 1000000;
}

struct timespec clock_after_ms(unsigned ms)
{
	uint64_t then_ns = clock_now_ns() + ms * UINT64_C(1000000);

	return (struct timespec){.tv_sec = (time_t)(then_ns / 1000000000u),
	                         .tv_nsec = (long)(then_ns % 1000000000u)};
}
