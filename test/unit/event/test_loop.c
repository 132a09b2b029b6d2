/* The event loop: timers in time and order, sources that come and go in the middle of a turn, turns
 * that take too long.
 */
/* WRAP: log_write_limited */
#include <stdarg.h>
#include <stdio.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop_rig.h"

/* --- timers -------------------------------------------------------------------------------------
 */

START_TEST(timers_run_in_order)
{
	struct loop_timer a = {0}, b = {0}, c = {0}, d = {0};
	uint64_t begun = clock_now_ms();

	loop_timer_start(loop, &c, 30, on_letter, "c");
	loop_timer_start(loop, &a, 10, on_letter, "a");
	loop_timer_start(loop, &d, 40, on_letter, "d");
	loop_timer_start(loop, &b, 20, on_letter, "b");
	run_for(60);
	ck_assert_str_eq(trace, "abcd");
	ck_assert_uint_ge(clock_now_ms() - begun, 60);
	ck_assert(!a.running && !d.running);
}
END_TEST

START_TEST(equal_timers_run_in_the_order_of_their_start)
{
	struct loop_timer t[3] = {0};

	/* Within one ms, as good as always. */
	loop_timer_start(loop, &t[0], 20, on_letter, "a");
	loop_timer_start(loop, &t[1], 20, on_letter, "b");
	loop_timer_start(loop, &t[2], 20, on_letter, "c");
	run_for(40);
	ck_assert_str_eq(trace, "abc");
}
END_TEST

START_TEST(a_timer_runs_once)
{
	struct loop_timer a = {0};

	loop_timer_start(loop, &a, 0, on_letter, "a");
	run_for(30);
	ck_assert_str_eq(trace, "a");
}
END_TEST

START_TEST(starting_again_means_later)
{
	struct loop_timer a = {0}, b = {0};

	loop_timer_start(loop, &a, 5, on_letter, "a");
	loop_timer_start(loop, &b, 20, on_letter, "b");
	loop_timer_start(loop, &a, 30, on_letter, "a");
	run_for(50);
	ck_assert_str_eq(trace, "ba");
}
END_TEST

START_TEST(stopping_is_harmless)
{
	struct loop_timer a = {0}, never = {0};

	loop_timer_stop(&never);
	loop_timer_start(loop, &a, 5, on_letter, "a");
	loop_timer_stop(&a);
	loop_timer_stop(&a);
	run_for(20);
	ck_assert_str_eq(trace, "");
}
END_TEST

static struct loop_timer *victim;

static void on_stop_other(void *context)
{
	note(*(const char *)context);
	loop_timer_stop(victim);
}

START_TEST(a_timer_may_stop_another_that_is_due)
{
	struct loop_timer a = {0}, b = {0};

	victim = &b;
	loop_timer_start(loop, &a, 5, on_stop_other, "a");
	loop_timer_start(loop, &b, 6, on_letter, "b");
	usleep(10000);
	run_for(10);
	ck_assert_str_eq(trace, "a");
}
END_TEST

START_TEST(a_timer_may_free_itself)
{
	struct loop_timer *timer = calloc(1, sizeof(*timer)), other = {0};

	loop_timer_start(loop, &other, 6, on_letter, "o");
	loop_timer_start(loop, timer, 5, on_free, timer);
	run_for(20);
	ck_assert_str_eq(trace, "fo");
}
END_TEST

static struct loop_timer again;

static void on_again(void *context)
{
	calls[0]++;
	loop_timer_start(loop, &again, 0, on_again, context);
}

/* A timer that is always due must not keep the sources waiting. */
START_TEST(an_eager_timer_starves_nobody)
{
	ck_assert_int_eq(loop_add_fd(loop, fds[1], LOOP_READABLE, on_fd_1, NULL), 0);
	loop_timer_start(loop, &again, 0, on_again, NULL);
	raise_fd(1);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(calls[1], 1);
	loop_timer_stop(&again);
}
END_TEST

/* --- sources ------------------------------------------------------------------------------------
 */

START_TEST(sources_are_level_triggered)
{
	ck_assert_int_eq(loop_add_fd(loop, fds[0], LOOP_READABLE, on_count, (void *)&numbers[0]),
	                 0);
	ck_assert_int_eq(loop_add_fd(loop, fds[1], LOOP_READABLE, on_lower, (void *)&numbers[1]),
	                 0);
	ck_assert_int_eq(loop_add_fd(loop, fds[2], LOOP_READABLE, on_count, (void *)&numbers[2]),
	                 0);
	raise_fd(0);
	raise_fd(1);
	run_for(20);
	ck_assert_uint_gt(calls[0], 2);
	ck_assert_uint_eq(calls[1], 1);
	ck_assert_uint_eq(calls[2], 0);
}
END_TEST

static void on_remove_self(void *context)
{
	unsigned i = *(const unsigned *)context;

	calls[i]++;
	loop_remove_fd(loop, fds[i]);
}

START_TEST(a_source_may_remove_itself)
{
	for (unsigned i = 0; i < FDS; i++) {
		ck_assert_int_eq(loop_add_fd(loop, fds[i], LOOP_READABLE, on_remove_self,
		                             (void *)&numbers[i]),
		                 0);
		raise_fd(i);
	}
	run_for(30);
	for (unsigned i = 0; i < FDS; i++)
		ck_assert_uint_eq(calls[i], 1);
}
END_TEST

/* Every callback removes all the others: one has run, whichever, and no removed one after it. */
static void on_remove_others(void *context)
{
	unsigned i = *(const unsigned *)context;

	calls[i]++;
	for (unsigned j = 0; j < FDS; j++)
		if (j != i)
			loop_remove_fd(loop, fds[j]);
	lower_fd(i);
}

START_TEST(a_source_may_remove_others_that_are_due)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < FDS; i++) {
		ck_assert_int_eq(loop_add_fd(loop, fds[i], LOOP_READABLE, on_remove_others,
		                             (void *)&numbers[i]),
		                 0);
		raise_fd(i);
	}
	run_for(20);
	for (unsigned i = 0; i < FDS; i++)
		sum += calls[i];
	ck_assert_uint_eq(sum, 1);
}
END_TEST

static void on_replace(void *context)
{
	unsigned i = *(const unsigned *)context;

	calls[i]++;
	loop_remove_fd(loop, fds[i]);
	if (i + 1 < FDS)
		ck_assert_int_eq(loop_add_fd(loop, fds[i + 1], LOOP_READABLE, on_replace,
		                             (void *)&numbers[i + 1]),
		                 0);
}

START_TEST(a_source_may_add_others)
{
	for (unsigned i = 0; i < FDS; i++)
		raise_fd(i);
	ck_assert_int_eq(loop_add_fd(loop, fds[0], LOOP_READABLE, on_replace, (void *)&numbers[0]),
	                 0);
	run_for(30);
	for (unsigned i = 0; i < FDS; i++)
		ck_assert_uint_eq(calls[i], 1);
}
END_TEST

/* A timer's callback runs between zmq_poll and the sources that it found ready. */
static void on_timer_removes(void *context)
{
	(void)context;
	loop_remove_fd(loop, fds[0]);
	ck_assert_int_eq(loop_add_fd(loop, fds[5], LOOP_READABLE, on_count, (void *)&numbers[5]),
	                 0);
}

START_TEST(a_timer_may_change_the_sources)
{
	struct loop_timer timer = {0};

	ck_assert_int_eq(loop_add_fd(loop, fds[0], LOOP_READABLE, on_count, (void *)&numbers[0]),
	                 0);
	ck_assert_int_eq(loop_add_fd(loop, fds[1], LOOP_READABLE, on_lower, (void *)&numbers[1]),
	                 0);
	loop_timer_start(loop, &timer, 1, on_timer_removes, NULL);
	usleep(2000);
	raise_fd(0);
	raise_fd(1);
	run_for(20);
	ck_assert_uint_eq(calls[0], 0);
	ck_assert_uint_eq(calls[1], 1);
	ck_assert_uint_eq(calls[5], 0); /* it is not ready */
}
END_TEST

START_TEST(so_many_sockets_and_no_more)
{
	void *many[LOOP_ZMQ_SOURCES_MAX + 1], *last;
	void *zmq = zmq_ctx_new();

	for (unsigned i = 0; i <= LOOP_ZMQ_SOURCES_MAX; i++)
		many[i] = zmq_socket(zmq, ZMQ_PULL);
	last = many[LOOP_ZMQ_SOURCES_MAX];
	for (unsigned i = 0; i < LOOP_ZMQ_SOURCES_MAX; i++)
		ck_assert_int_eq(loop_add_zmq(loop, many[i], on_count, (void *)&numbers[0]), 0);
	ck_assert_int_eq(loop_add_zmq(loop, last, on_count, (void *)&numbers[0]), -ENOSPC);
	loop_remove_zmq(loop, last); /* never was there */
	loop_remove_zmq(loop, many[7]);
	ck_assert_int_eq(loop_add_zmq(loop, last, on_count, (void *)&numbers[0]), 0);
	/* Descriptors need none of that room. */
	ck_assert_int_eq(loop_add_fd(loop, fds[1], LOOP_READABLE, on_lower, (void *)&numbers[1]),
	                 0);
	raise_fd(1);
	run_for(20);
	ck_assert_uint_eq(calls[1], 1);
	for (unsigned i = 0; i <= LOOP_ZMQ_SOURCES_MAX; i++) {
		loop_remove_zmq(loop, many[i]);
		zmq_close(many[i]);
	}
	zmq_ctx_term(zmq);
}
END_TEST

/* --- ZeroMQ -------------------------------------------------------------------------------------
 */

static void *pull;

static void on_zmq(void *context)
{
	char text[8];

	(void)context;
	while (zmq_recv(pull, text, sizeof(text), ZMQ_DONTWAIT) >= 0)
		calls[0]++;
}

START_TEST(zeromq_sockets_and_descriptors_side_by_side)
{
	void *zmq = zmq_ctx_new(), *push = zmq_socket(zmq, ZMQ_PUSH);

	pull = zmq_socket(zmq, ZMQ_PULL);
	ck_assert_int_eq(zmq_bind(pull, "inproc://loop"), 0);
	ck_assert_int_eq(zmq_connect(push, "inproc://loop"), 0);
	ck_assert_int_eq(loop_add_zmq(loop, pull, on_zmq, NULL), 0);
	ck_assert_int_eq(loop_add_fd(loop, fds[1], LOOP_READABLE, on_lower, (void *)&numbers[1]),
	                 0);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(zmq_send(push, "x", 1, 0), 1);
	raise_fd(1);
	run_for(30);
	ck_assert_uint_eq(calls[0], 5);
	ck_assert_uint_eq(calls[1], 1);
	loop_remove_zmq(loop, pull);
	loop_remove_fd(loop, fds[1]);
	zmq_close(pull);
	zmq_close(push);
	zmq_ctx_term(zmq);
}
END_TEST

/* --- slow turns ----------------------------------------------------------------------------- */

static char warning[512];
static unsigned n_warnings;
static unsigned sleep_ms;

void __wrap_log_write_limited(struct log_limit *limit, int severity, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

void __wrap_log_write_limited(struct log_limit *limit, int severity, const char *format, ...)
{
	va_list args;

	ck_assert_uint_eq(limit->interval_ms, 60000);
	ck_assert_uint_eq(limit->burst, 1);
	ck_assert_int_eq(severity, LOG_WARNING);
	va_start(args, format);
	vsnprintf(warning, sizeof(warning), format, args);
	va_end(args);
	n_warnings++;
}

static void on_sleep(void *context)
{
	(void)context;
	usleep(sleep_ms * 1000);
}

static void on_sleepy_fd(void *context)
{
	on_sleep(context);
	lower_fd(0);
}

/* Takes its timer with it: the loop must not look at it afterwards. */
static void on_sleep_and_free(void *context)
{
	on_sleep(NULL);
	free(context);
}

START_TEST(warns_of_a_slow_turn)
{
	struct loop_timer *mortal = calloc(1, sizeof(*mortal));
	struct loop_timer quick = {0};
	struct loop_task task;

	sleep_ms = LOOP_SLOW_MS + 100;
	loop_timer_start(loop, mortal, 10, on_sleep_and_free, mortal);
	loop_timer_start(loop, &quick, 10, on_letter, (void *)"a");
	run_for(50);
	ck_assert_uint_eq(n_warnings, 1);
	ck_assert_msg(strstr(warning, "by on_sleep_and_free (test/unit/event/test_loop.c)") != NULL,
	              "%s", warning);
	ck_assert_ptr_nonnull(strstr(warning, "the test's thread was held up for "));

	raise_fd(0);
	ck_assert_int_eq(loop_add_fd(loop, fds[0], LOOP_READABLE, on_sleepy_fd, NULL), 0);
	run_for(50);
	ck_assert_uint_eq(n_warnings, 2);
	ck_assert_ptr_nonnull(strstr(warning, "by on_sleepy_fd (test/unit/event/test_loop.c)"));

	loop_task_init(&task, on_sleep, NULL);
	loop_task_raise(loop, &task);
	run_for(50);
	ck_assert_uint_eq(n_warnings, 3);
	ck_assert_ptr_nonnull(strstr(warning, "by on_sleep (test/unit/event/test_loop.c)"));
}
END_TEST

START_TEST(says_nothing_of_waiting)
{
	sleep_ms = 10;
	raise_fd(0);
	ck_assert_int_eq(loop_add_fd(loop, fds[0], LOOP_READABLE, on_sleepy_fd, NULL), 0);
	run_for(LOOP_SLOW_MS + 200);
	ck_assert_uint_eq(n_warnings, 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, timers_run_in_order);
	tcase_add_test(tcase, equal_timers_run_in_the_order_of_their_start);
	tcase_add_test(tcase, a_timer_runs_once);
	tcase_add_test(tcase, starting_again_means_later);
	tcase_add_test(tcase, stopping_is_harmless);
	tcase_add_test(tcase, a_timer_may_stop_another_that_is_due);
	tcase_add_test(tcase, a_timer_may_free_itself);
	tcase_add_test(tcase, an_eager_timer_starves_nobody);
	tcase_add_test(tcase, sources_are_level_triggered);
	tcase_add_test(tcase, a_source_may_remove_itself);
	tcase_add_test(tcase, a_source_may_remove_others_that_are_due);
	tcase_add_test(tcase, a_source_may_add_others);
	tcase_add_test(tcase, a_timer_may_change_the_sources);
	tcase_add_test(tcase, so_many_sockets_and_no_more);
	tcase_add_test(tcase, zeromq_sockets_and_descriptors_side_by_side);
	tcase_add_test(tcase, warns_of_a_slow_turn);
	tcase_add_test(tcase, says_nothing_of_waiting);
	return suite_main("loop", tcase);
}
