/* Helper threads: order, where each half of a job runs, draining.
 */
/* TSAN: also run under the thread sanitizer */
/* WRAP: epoll_ctl */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "event/job.h"
#include "event/loop.h"
#include "suite.h"

#define JOBS 2000

struct test_job {
	struct job job;
	unsigned number;
	int ran, done; /* plain: a sanitizer sees who hands over to whom */
	pthread_t ran_on;
};

static struct loop *loop;
static struct job_thread *helper;
static struct test_job jobs[JOBS];
static unsigned next_run, next_done; /* the helper's, and ours */
static atomic_bool gate_open, at_gate;

static void set_up(void)
{
	loop = loop_create("control");
	ck_assert_ptr_nonnull(loop);
	helper = job_thread_create("unit-test", loop);
	ck_assert_ptr_nonnull(helper);
	memset(jobs, 0, sizeof(jobs));
	next_run = next_done = 0;
	gate_open = at_gate = false;
}

static void tear_down(void)
{
	job_thread_destroy(helper);
	loop_destroy(loop);
}

static void run_in_order(struct job *job)
{
	struct test_job *test = CONTAINER_OF(job, struct test_job, job);

	test->ran += test->number == next_run;
	next_run++;
	test->ran_on = pthread_self();
}

static void done_in_order(struct job *job)
{
	struct test_job *test = CONTAINER_OF(job, struct test_job, job);

	test->done += test->number == next_done && test->ran == 1;
	next_done++;
}

static void run_at_gate(struct job *job)
{
	at_gate = true;
	while (!gate_open)
		usleep(100);
	run_in_order(job);
}

static void submit(unsigned number, void (*run)(struct job *))
{
	jobs[number].number = number;
	jobs[number].job.run = run;
	jobs[number].job.done = done_in_order;
	job_submit(helper, &jobs[number].job);
}

static void expect_all_done(unsigned n)
{
	ck_assert_uint_eq(next_done, n);
	for (unsigned i = 0; i < n; i++) {
		if (jobs[i].ran != 1 || jobs[i].done != 1)
			ck_abort_msg("job %u", i);
		if (pthread_equal(jobs[i].ran_on, pthread_self()))
			ck_abort_msg("job %u ran here", i);
	}
}

static void quit_when_all_done(void *context)
{
	struct loop_timer *timer = context;

	if (next_done == JOBS)
		loop_quit(loop);
	else
		loop_timer_start(loop, timer, 1, quit_when_all_done, timer);
}

START_TEST(the_loop_delivers)
{
	struct loop_timer timer = {0};

	for (unsigned i = 0; i < JOBS; i++)
		submit(i, run_in_order);
	ck_assert_uint_eq(next_done, 0); /* nothing behind our back */
	loop_timer_start(loop, &timer, 1, quit_when_all_done, &timer);
	ck_assert_int_eq(loop_run(loop), 0);
	expect_all_done(JOBS);
}
END_TEST

START_TEST(deliver_takes_what_there_is)
{
	for (unsigned i = 0; i < JOBS; i++) {
		submit(i, run_in_order);
		job_thread_deliver(helper);
	}
	while (next_done < JOBS)
		job_thread_deliver(helper);
	expect_all_done(JOBS);
}
END_TEST

START_TEST(drain_waits_for_all)
{
	ck_assert(job_thread_drain(helper, 0)); /* for nothing */
	for (unsigned i = 0; i < 50; i++)
		submit(i, run_in_order);
	ck_assert(job_thread_drain(helper, 10000));
	expect_all_done(50);
}
END_TEST

START_TEST(drain_gives_up)
{
	uint64_t begun = clock_now_ms();

	submit(0, run_in_order);
	submit(1, run_at_gate);
	submit(2, run_in_order);
	while (!at_gate)
		usleep(100);
	ck_assert(!job_thread_drain(helper, 50));
	ck_assert_uint_ge(clock_now_ms() - begun, 50);
	ck_assert_uint_lt(clock_now_ms() - begun, 5000);
	ck_assert_uint_eq(next_done, 1); /* what was ready is delivered all the same */
	ck_assert(!job_thread_drain(helper, 0));
	gate_open = true;
	ck_assert(job_thread_drain(helper, 10000));
	expect_all_done(3);
}
END_TEST

/* A done that submits again, as a detach follows a cancelled attach. */
static void done_and_again(struct job *job)
{
	struct test_job *test = CONTAINER_OF(job, struct test_job, job);

	done_in_order(job);
	if (test->number + 1 == 100)
		return;
	jobs[test->number + 1].number = test->number + 1;
	jobs[test->number + 1].job = (struct job){.run = run_in_order, .done = done_and_again};
	job_submit(helper, &jobs[test->number + 1].job);
}

START_TEST(a_done_may_submit)
{
	jobs[0].job = (struct job){.run = run_in_order, .done = done_and_again};
	job_submit(helper, &jobs[0].job);
	while (next_done < 100)
		ck_assert(job_thread_drain(helper, 10000));
	expect_all_done(100);
}
END_TEST

/* A job's memory is its submitter's again in done. */
static void done_and_free(struct job *job)
{
	next_done++;
	free(job);
}

static void run_nothing(struct job *job)
{
	(void)job;
}

START_TEST(a_done_may_free)
{
	for (unsigned i = 0; i < 100; i++) {
		struct job *job = calloc(1, sizeof(*job));

		job->run = run_nothing;
		job->done = done_and_free;
		job_submit(helper, job);
	}
	ck_assert(job_thread_drain(helper, 10000));
	ck_assert_uint_eq(next_done, 100);
}
END_TEST

START_TEST(two_helpers_do_not_wait_for_each_other)
{
	struct job_thread *other = job_thread_create("other", loop);
	struct test_job quick = {.job = {.run = run_nothing, .done = run_nothing}};

	submit(0, run_at_gate);
	while (!at_gate)
		usleep(100);
	job_submit(other, &quick.job);
	ck_assert(job_thread_drain(other, 10000));
	job_thread_destroy(other);
	gate_open = true;
	ck_assert(job_thread_drain(helper, 10000));
}
END_TEST

static int epoll_error; /* that the next epoll_ctl fails with, 0 = none */

int __real_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event);

int __wrap_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	if (epoll_error == 0)
		return __real_epoll_ctl(epoll_fd, operation, fd, event);
	errno = epoll_error;
	epoll_error = 0;
	return -1;
}

START_TEST(no_room_in_the_loop)
{
	epoll_error = ENOSPC; /* the user's share of watches is used up */
	ck_assert_ptr_null(job_thread_create("none", loop));
	ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, the_loop_delivers);
	tcase_add_test(tcase, deliver_takes_what_there_is);
	tcase_add_test(tcase, drain_waits_for_all);
	tcase_add_test(tcase, drain_gives_up);
	tcase_add_test(tcase, a_done_may_submit);
	tcase_add_test(tcase, a_done_may_free);
	tcase_add_test(tcase, two_helpers_do_not_wait_for_each_other);
	tcase_add_test(tcase, no_room_in_the_loop);
	return suite_main("job", tcase);
}
