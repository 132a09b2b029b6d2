/* A thread that a front end's descriptor holds up is freed, and no other is disturbed.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "suite.h"
#include "vhost/unblock.h"

#define RINGS 3
#define ALL   ((UINT64_C(1) << RINGS) - 1)

static struct virtqueue virtqueues[RINGS];
static struct unblock_watch watch;
static _Atomic int result; /* of the write: 0 = it goes on, else errno */
static int full_fd;

static void *blocked_writer(void *context)
{
	struct virtqueue *virtqueue = context;
	uint64_t one = 1;

	atomic_store(&virtqueue->caller, (int)syscall(SYS_gettid));
	atomic_store(&result, write(full_fd, &one, sizeof(one)) < 0 ? errno : ENOMSG);
	atomic_store(&virtqueue->caller, 0);
	return NULL;
}

/* Blocks whoever writes to it, as a front end can have it. */
static void open_full(void)
{
	uint64_t full = UINT64_MAX - 1;

	full_fd = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_ge(full_fd, 0);
	ck_assert_int_eq(write(full_fd, &full, sizeof(full)), sizeof(full));
}

START_TEST(a_writer_is_freed)
{
	uint64_t now = clock_now_ms();
	pthread_t thread;

	ck_assert_int_eq(unblock_install(), 0);
	open_full();
	ck_assert_int_eq(pthread_create(&thread, NULL, blocked_writer, &virtqueues[2]), 0);
	while (atomic_load(&virtqueues[2].caller) == 0)
		sched_yield();
	/* A signal that comes before the write does nothing: there is another. */
	while (atomic_load(&result) == 0) {
		now += UNBLOCK_LOOK_MS;
		unblock_look(&watch, virtqueues, ALL, now);
		usleep(1000);
	}
	pthread_join(thread, NULL);
	ck_assert_int_eq(atomic_load(&result), EINTR);
	close(full_fd);
}
END_TEST

static _Atomic unsigned signals;

static void count_signal(int signal)
{
	(void)signal;
	atomic_fetch_add(&signals, 1);
}

/* Whoever sends one interrupt after the other is not stuck, and neither is one who has just begun.
 */
START_TEST(who_goes_on_is_left_alone)
{
	struct sigaction action = {.sa_handler = count_signal};
	uint64_t now = 1000;

	ck_assert_int_eq(sigaction(SIGURG, &action, NULL), 0);
	atomic_store(&virtqueues[0].caller, (int)syscall(SYS_gettid));
	for (int i = 0; i < 10; i++) {
		now += UNBLOCK_LOOK_MS;
		unblock_look(&watch, virtqueues, ALL, now);
		virtqueues[0].calls++;
		unblock_look(&watch, virtqueues, ALL, now + 1); /* too soon */
	}
	atomic_store(&virtqueues[0].caller, 0);
	unblock_look(&watch, virtqueues, ALL, now + UNBLOCK_LOOK_MS);
	atomic_store(&virtqueues[0].caller, (int)syscall(SYS_gettid));
	unblock_look(&watch, virtqueues, ALL, now + 2 * UNBLOCK_LOOK_MS);
	ck_assert_uint_eq(atomic_load(&signals), 0);
	unblock_look(&watch, virtqueues, ALL, now + 3 * UNBLOCK_LOOK_MS);
	ck_assert_uint_eq(atomic_load(&signals), 1);
}
END_TEST

/* The protocol thread's own. */
START_TEST(a_thread_frees_itself)
{
	uint64_t one = 1;

	ck_assert_int_eq(unblock_install(), 0);
	open_full();
	for (int i = 0; i < 3; i++) {
		ck_assert(unblock_begin());
		ck_assert_int_eq(write(full_fd, &one, sizeof(one)), -1);
		ck_assert_int_eq(errno, EINTR);
		unblock_end();
	}
	close(full_fd);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, a_writer_is_freed);
	tcase_add_test(tcase, who_goes_on_is_left_alone);
	tcase_add_test(tcase, a_thread_frees_itself);
	return suite_main("unblock", tcase);
}
