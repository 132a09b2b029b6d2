/* The clock goes on, in each of its units, and does not go back. */
#include <check.h>
#include <unistd.h>

#include "base/clock.h"
#include "suite.h"

START_TEST(all_units_tell_the_same_time)
{
	uint64_t ms = clock_now_ms(), us = clock_now_us(), ns = clock_now_ns();
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ck_assert_uint_le(ms, us / 1000);
	ck_assert_uint_le(us, ns / 1000);
	ck_assert_uint_le(ns, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
	ck_assert_uint_lt((uint64_t)now.tv_sec - ms / 1000, 60); /* of a busy machine's */
}
END_TEST

START_TEST(time_goes_by_and_cpu_time_only_when_used)
{
	uint64_t ms = clock_now_ms(), used_ms = clock_thread_ms();

	usleep(100000);
	ck_assert_uint_ge(clock_now_ms() - ms, 100);
	ck_assert_uint_lt(clock_thread_ms() - used_ms, 50);
	while (clock_thread_ms() < used_ms + 20)
		;
}
END_TEST

START_TEST(a_point_in_time_is_a_sound_timespec)
{
	for (unsigned ms = 0; ms < 3000; ms += 7) {
		uint64_t before_ns = clock_now_ns() + ms * 1000000ull, then_ns;
		struct timespec then = clock_after_ms(ms);

		ck_assert_int_ge(then.tv_nsec, 0);
		ck_assert_int_lt(then.tv_nsec, 1000000000);
		then_ns = (uint64_t)then.tv_sec * 1000000000u + (uint64_t)then.tv_nsec;
		ck_assert_uint_ge(then_ns, before_ns);
		ck_assert_uint_le(then_ns, clock_now_ns() + ms * 1000000ull);
	}
}
END_TEST

START_TEST(the_longest_wait_does_not_wrap)
{
	struct timespec then = clock_after_ms(UINT32_MAX), now = clock_after_ms(0);

	ck_assert_int_ge(then.tv_sec - now.tv_sec, UINT32_MAX / 1000 - 60);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, all_units_tell_the_same_time);
	tcase_add_test(tcase, time_goes_by_and_cpu_time_only_when_used);
	tcase_add_test(tcase, a_point_in_time_is_a_sound_timespec);
	tcase_add_test(tcase, the_longest_wait_does_not_wrap);
	return suite_main("clock", tcase);
}
