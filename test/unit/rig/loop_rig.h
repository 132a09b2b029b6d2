/* A loop with descriptors that tests raise and lower, and a trace of what ran. Tests of the event
 * loop include it once.
 */
#ifndef LOOP_RIG_H
#define LOOP_RIG_H

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "event/loop.h"
#include "suite.h"

#define FDS 8

static struct loop *loop;
static int fds[FDS];
static unsigned calls[FDS];
static char trace[256]; /* what ran, in order */
static struct loop_task turn_task;
static unsigned turns_left;

static inline void note(char what)
{
	size_t len = strlen(trace);

	ck_assert_uint_lt(len, sizeof(trace) - 1);
	trace[len] = what;
}

static inline void set_up(void)
{
	loop = loop_create("test's");
	ck_assert_ptr_nonnull(loop);
	for (unsigned i = 0; i < FDS; i++) {
		fds[i] = eventfd(0, EFD_NONBLOCK);
		ck_assert_int_ge(fds[i], 0);
	}
	memset(calls, 0, sizeof(calls));
	memset(trace, 0, sizeof(trace));
}

static inline void tear_down(void)
{
	loop_destroy(loop);
	for (unsigned i = 0; i < FDS; i++)
		close(fds[i]);
}

static inline void raise_fd(unsigned i)
{
	uint64_t one = 1;

	ck_assert_int_eq(write(fds[i], &one, sizeof(one)), sizeof(one));
}

static inline void lower_fd(unsigned i)
{
	uint64_t count;

	ck_assert_int_eq(read(fds[i], &count, sizeof(count)), sizeof(count));
}

/* Counts turns down to the end. */
static inline void on_turn(void *context)
{
	(void)context;
	if (turns_left-- > 0)
		loop_task_raise(loop, &turn_task);
	else
		loop_quit(loop);
}

/* Runs the loop for so long, and then for so many turns as all that is ready needs: on a busy
 * machine the time alone may hold no turn. */
static inline void run_for(uint64_t ms)
{
	struct loop_timer end = {0};

	turns_left = 20;
	loop_task_init(&turn_task, on_turn, NULL);
	loop_timer_start(loop, &end, ms, on_turn, NULL);
	ck_assert_int_eq(loop_run(loop), 0);
	loop_timer_stop(&end);
}

/* --- callbacks ---------------------------------------------------------------------------------
 */

static inline void on_letter(void *context)
{
	note(*(const char *)context);
}

/* For a timer or a task in memory of its own: the loop must not look at it afterwards. */
static inline void on_free(void *context)
{
	note('f');
	free(context);
}

static inline void on_count(void *context)
{
	calls[*(const unsigned *)context]++;
}

static inline void on_lower(void *context)
{
	unsigned i = *(const unsigned *)context;

	calls[i]++;
	lower_fd(i);
}

static const unsigned numbers[FDS] = {0, 1, 2, 3, 4, 5, 6, 7};

static inline void on_fd_1(void *context)
{
	(void)context;
	calls[1]++;
	lower_fd(1);
	loop_quit(loop);
}

#endif
