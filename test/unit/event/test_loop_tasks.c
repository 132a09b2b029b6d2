/* Tasks of the event loop: once, at the end of a turn, and no sleep before.
 */
#include "loop_rig.h"

static struct loop_task tasks[3];
static unsigned n_again; /* how often a task still raises itself */

static void on_raise(void *context)
{
	note(*(const char *)context);
	loop_task_raise(loop, &tasks[0]);
}

static void on_raise_by_fd(void *context)
{
	(void)context;
	note('f');
	lower_fd(0);
	loop_task_raise(loop, &tasks[0]);
}

START_TEST(a_task_runs_once_after_all_else)
{
	struct loop_timer a = {0}, b = {0};

	loop_task_init(&tasks[0], on_letter, "T");
	ck_assert_int_eq(loop_add_fd(loop, fds[0], LOOP_READABLE, on_raise_by_fd, NULL), 0);
	loop_timer_start(loop, &a, 1, on_raise, "a");
	loop_timer_start(loop, &b, 1, on_raise, "b");
	raise_fd(0);
	usleep(3000); /* all of them are due */
	run_for(20);
	ck_assert_str_eq(trace, "abfT");
	loop_timer_start(loop, &a, 1, on_raise, "a");
	run_for(20);
	ck_assert_str_eq(trace, "abfTaT");
}
END_TEST

static void on_raise_and_quit(void *context)
{
	on_raise(context);
	loop_quit(loop);
}

START_TEST(the_last_turn_has_its_tasks_too)
{
	struct loop_timer a = {0};

	loop_task_init(&tasks[0], on_letter, "T");
	loop_timer_start(loop, &a, 1, on_raise_and_quit, "a");
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_str_eq(trace, "aT");
}
END_TEST

static void on_task_and_quit(void *context)
{
	note(*(const char *)context);
	loop_quit(loop);
}

/* There is nothing else in the loop: if it slept, it would do so for ever. */
START_TEST(the_loop_does_not_sleep_on_a_task)
{
	loop_task_init(&tasks[0], on_task_and_quit, "T");
	loop_task_raise(loop, &tasks[0]);
	loop_task_raise(loop, &tasks[0]);
	ck_assert_str_eq(trace, "");
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_str_eq(trace, "T");
}
END_TEST

static void on_task_again(void *context)
{
	note(*(const char *)context);
	if (n_again-- > 0)
		loop_task_raise(loop, &tasks[0]);
	else
		loop_quit(loop);
}

START_TEST(a_task_may_raise_itself)
{
	ck_assert_int_eq(loop_add_fd(loop, fds[0], LOOP_READABLE, on_raise_by_fd, NULL), 0);
	loop_task_init(&tasks[0], on_task_again, "T");
	n_again = 3;
	raise_fd(0);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_str_eq(trace, "fTTTT");
}
END_TEST

/* A turn lies between, so that sources get theirs. */
START_TEST(an_eager_task_starves_nobody)
{
	ck_assert_int_eq(loop_add_fd(loop, fds[1], LOOP_READABLE, on_fd_1, NULL), 0);
	loop_task_init(&tasks[0], on_task_again, "T");
	n_again = 100;
	raise_fd(1);
	loop_task_raise(loop, &tasks[0]);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(calls[1], 1);
	ck_assert_str_eq(trace, "T");
}
END_TEST

static void on_raise_next(void *context)
{
	struct loop_task *task = context;

	note((char)('0' + (task - tasks)));
	loop_task_raise(loop, &tasks[1]); /* raised in this turn already: it runs in this turn */
	loop_task_raise(loop, &tasks[2]); /* that one is new: the next turn */
}

static void on_second(void *context)
{
	(void)context;
	note('1');
	raise_fd(0); /* is looked at in the next turn, before that turn's tasks */
}

static void on_fd_between(void *context)
{
	(void)context;
	lower_fd(0);
	note('f');
}

START_TEST(tasks_that_raise_others)
{
	ck_assert_int_eq(loop_add_fd(loop, fds[0], LOOP_READABLE, on_fd_between, NULL), 0);
	loop_task_init(&tasks[0], on_raise_next, &tasks[0]);
	loop_task_init(&tasks[1], on_second, NULL);
	loop_task_init(&tasks[2], on_task_and_quit, "2");
	loop_task_raise(loop, &tasks[0]);
	loop_task_raise(loop, &tasks[1]);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_str_eq(trace, "01f2");
}
END_TEST

static void on_cancel_next(void *context)
{
	(void)context;
	note('0');
	loop_task_cancel(loop, &tasks[1]);
}

START_TEST(a_task_may_be_cancelled)
{
	loop_task_init(&tasks[0], on_cancel_next, NULL);
	loop_task_init(&tasks[1], on_letter, "1");
	loop_task_init(&tasks[2], on_letter, "2");
	loop_task_cancel(loop, &tasks[2]);
	for (unsigned i = 0; i < 3; i++)
		loop_task_raise(loop, &tasks[i]);
	run_for(20);
	ck_assert_str_eq(trace, "02");
}
END_TEST

/* A task lives in what it may free. */
START_TEST(a_task_may_free_itself)
{
	struct loop_task *task = calloc(1, sizeof(*task));

	loop_task_init(task, on_free, task);
	loop_task_raise(loop, task);
	run_for(20);
	ck_assert_str_eq(trace, "f");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_task_runs_once_after_all_else);
	tcase_add_test(tcase, the_last_turn_has_its_tasks_too);
	tcase_add_test(tcase, the_loop_does_not_sleep_on_a_task);
	tcase_add_test(tcase, a_task_may_raise_itself);
	tcase_add_test(tcase, an_eager_task_starves_nobody);
	tcase_add_test(tcase, tasks_that_raise_others);
	tcase_add_test(tcase, a_task_may_be_cancelled);
	tcase_add_test(tcase, a_task_may_free_itself);
	return suite_main("loop_tasks", tcase);
}
