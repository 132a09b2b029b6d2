/* WRAP: sched_getaffinity sched_setaffinity */
/* Workers that lose their CPU, and get it back. The kernel is a table here. */
#include <check.h>
#include <errno.h>
#include <sched.h>

#include "control_clock.h"
#include "control_rig.h"
#include "suite.h"
#include "sys/affinity.h"

#define KERNEL_THREADS 8

static struct {
	cpu_set_t mask[KERNEL_THREADS]; /* [tid]; 0: the caller's */
	cpu_set_t usable;               /* online and in the cpuset */
	unsigned n_writes;
} kernel;

int __wrap_sched_getaffinity(pid_t tid, size_t size, cpu_set_t *mask);
int __wrap_sched_setaffinity(pid_t tid, size_t size, const cpu_set_t *mask);

int __wrap_sched_getaffinity(pid_t tid, size_t size, cpu_set_t *mask)
{
	ck_assert_uint_eq(size, sizeof(*mask));
	ck_assert_int_lt(tid, KERNEL_THREADS);
	*mask = kernel.mask[tid];
	return 0;
}

int __wrap_sched_setaffinity(pid_t tid, size_t size, const cpu_set_t *mask)
{
	cpu_set_t rest;

	ck_assert_uint_eq(size, sizeof(*mask));
	ck_assert_int_lt(tid, KERNEL_THREADS);
	kernel.n_writes++;
	CPU_AND(&rest, mask, &kernel.usable);
	if (CPU_COUNT(&rest) == 0) {
		errno = EINVAL;
		return -1;
	}
	kernel.mask[tid] = *mask;
	return 0;
}

static void mask_set(cpu_set_t *mask, unsigned first, unsigned last)
{
	CPU_ZERO(mask);
	for (unsigned cpu = first; cpu <= last; cpu++)
		CPU_SET(cpu, mask);
}

/* Workers on CPUs 1 and 2, as threads 1 and 2. */
static void set_up(void)
{
	mask_set(&kernel.usable, 0, 3);
	mask_set(&kernel.mask[0], 0, 3);
	kernel.n_writes = 0;
	rig_create(2);
	for (unsigned i = 0; i < 2; i++) {
		struct worker *worker = &rig->workers->worker[i];

		worker->cpu = i + 1;
		worker->cpus = (struct cpu_set){0};
		cpu_set_add(&worker->cpus, i + 1);
		atomic_store(&worker->tid, (int)i + 1);
		mask_set(&kernel.mask[i + 1], i + 1, i + 1);
	}
	rig->cpu_watch = cpu_watch_create(rig->workers, NULL);
	ck_assert_ptr_nonnull(rig->cpu_watch);
}

static void tear_down(void)
{
	cpu_watch_destroy(rig->cpu_watch);
	rig_destroy();
}

static void look(void)
{
	pass_ms(1000);
}

static bool displaced(unsigned index)
{
	return atomic_load(&rig->workers->worker[index].displaced);
}

START_TEST(workers_in_place_are_left_alone)
{
	look();
	ck_assert_uint_eq(kernel.n_writes, 0);
	ck_assert(!displaced(0) && !displaced(1));
}
END_TEST

START_TEST(one_that_was_moved_is_put_back)
{
	mask_set(&kernel.mask[2], 0, 0);
	look();
	ck_assert(!displaced(1));
	ck_assert(CPU_ISSET(2, &kernel.mask[2]) && CPU_COUNT(&kernel.mask[2]) == 1);
	ck_assert_uint_eq(kernel.n_writes, 1);
}
END_TEST

START_TEST(one_whose_cpu_is_gone_waits_for_it)
{
	CPU_CLR(2, &kernel.usable);
	mask_set(&kernel.mask[2], 0, 3); /* as the kernel does it */
	look();
	ck_assert(displaced(1) && !displaced(0));
	CPU_SET(2, &kernel.usable);
	look();
	ck_assert(!displaced(1));
	ck_assert(CPU_ISSET(2, &kernel.mask[2]) && CPU_COUNT(&kernel.mask[2]) == 1);
}
END_TEST

START_TEST(a_worker_that_has_not_begun_is_not_looked_at)
{
	atomic_store(&rig->workers->worker[1].tid, 0);
	mask_set(&kernel.mask[0], 0, 3);
	look();
	ck_assert_uint_eq(kernel.n_writes, 0);
}
END_TEST

START_TEST(a_trial_leaves_the_thread_where_it_is)
{
	mask_set(&kernel.mask[0], 0, 1);
	ck_assert_int_eq(affinity_try(3), 0); /* outside of what it was started with */
	ck_assert(CPU_COUNT(&kernel.mask[0]) == 2 && CPU_ISSET(0, &kernel.mask[0]));
	ck_assert_int_eq(affinity_try(4), -EINVAL);
	ck_assert_int_eq(affinity_try(CPU_SET_SIZE), -EINVAL);
	ck_assert_int_eq(CPU_COUNT(&kernel.mask[0]), 2);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, workers_in_place_are_left_alone);
	tcase_add_test(tcase, one_that_was_moved_is_put_back);
	tcase_add_test(tcase, one_whose_cpu_is_gone_waits_for_it);
	tcase_add_test(tcase, a_worker_that_has_not_begun_is_not_looked_at);
	tcase_add_test(tcase, a_trial_leaves_the_thread_where_it_is);
	return suite_main("cpu_watch", tcase);
}
