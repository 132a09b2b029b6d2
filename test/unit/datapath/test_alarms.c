/* Workers that sleep until an alarm goes off, without any look from time to time: a wake-up that is
 * lost is waited for in vain. Packets, kicks, plans and ends come in between every two of their
 * steps.
 */
/* TSAN: also run under the thread sanitizer */
/* WRAP: rte_lcore_is_enabled rte_get_main_lcore ppoll epoll_wait
 * WRAP: rte_eth_dev_rx_intr_enable rte_eth_dev_rx_intr_disable */
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/container_of.h"
#include "base/log.h"
#include "datapath/worker.h"
#include "suite.h"

#define LANES       3 /* 0 and 1 from guests, 2 from a VF */
#define VF_LANE     2
#define PATIENCE_MS 60000
#define ROUNDS      20

#define expect(condition)                               \
	do {                                            \
		if (unlikely(!(condition)))             \
			ck_abort_msg("%s", #condition); \
	} while (0)

/* --- ends --------------------------------------------------------------------------------------
 */

/* Where packets come from: a guest's ring, or a VF. */
struct source {
	struct guest guest;
	_Atomic uint16_t posted;
	_Atomic uint32_t taken;
	_Atomic bool asked, dumb; /* dumb: it cannot tell */
	int fd;
	_Atomic uint32_t serial;
	struct idle_look look;
	struct lane lane;
};

static struct source sources[LANES];
static struct workers *workers;
static pthread_t thread;
static bool running;

/* As a driver: shown first, then its fence, then the look whether to tell. */
static void post(unsigned source)
{
	atomic_fetch_add_explicit(&sources[source].posted, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	/* NICs mask themselves. */
	if (source == VF_LANE ? !atomic_exchange(&sources[source].asked, false)
	                      : !atomic_load(&sources[source].asked))
		return;
	uint64_t one = 1;
	expect(write(sources[source].fd, &one, sizeof(one)) == sizeof(one));
}

/* What happens at one of the worker's steps, once. */
enum step { STEP_FLUSH, STEP_ASK, STEP_ASKED, STEP_LOOK, STEP_LOOKED, STEP_WAIT, STEPS };

enum deed { DEED_POST_0, DEED_POST_1, DEED_POST_VF, DEED_KICK, DEED_WAKE, DEED_PLAN, DEEDS };

#define NO_STEP (-1)
#define ACTING  (-2)

static _Atomic int due_step; /* enum step, or one of these */
static enum deed deed;
static struct plan *next_plan;
static const struct plan
        *retired[ROUNDS]; /* freed at the test's end: they are in use when they go */
static unsigned n_retired;

static void act(void)
{
	uint64_t one = 1;

	switch (deed) {
	case DEED_POST_0:
	case DEED_POST_1:
	case DEED_POST_VF:
		post((unsigned)deed);
		break;
	case DEED_KICK:
		expect(write(sources[0].fd, &one, sizeof(one)) == sizeof(one));
		break;
	case DEED_WAKE:
		workers_wake(workers);
		break;
	case DEED_PLAN:
		retired[n_retired++] = worker_publish(&workers->worker[0], next_plan);
		break;
	default:
		break;
	}
}

static void step(enum step which)
{
	int due = (int)which;

	if (!atomic_compare_exchange_strong(&due_step, &due, ACTING))
		return;
	act();
	atomic_store(&due_step, NO_STEP);
}

static bool fake_arm(struct guest *guest, uint16_t queue, struct wake_source *out)
{
	struct source *source = CONTAINER_OF(guest, struct source, guest);

	(void)queue;
	step(STEP_ASK);
	if (atomic_load(&source->dumb))
		return false;
	atomic_store_explicit(&source->asked, true, memory_order_relaxed);
	step(STEP_ASKED);
	*out = (struct wake_source){.fd = source->fd, .serial = atomic_load(&source->serial)};
	return true;
}

static void fake_spare(struct guest *guest, uint16_t queue)
{
	(void)queue;
	atomic_store(&CONTAINER_OF(guest, struct source, guest)->asked, false);
}

static const struct guest_ops ops = {.arm = fake_arm, .spare = fake_spare};

int __wrap_rte_eth_dev_rx_intr_enable(uint16_t port, uint16_t queue);
int __wrap_rte_eth_dev_rx_intr_disable(uint16_t port, uint16_t queue);

int __wrap_rte_eth_dev_rx_intr_enable(uint16_t port, uint16_t queue)
{
	expect(port == 7 && queue == 3);
	atomic_store_explicit(&sources[VF_LANE].asked, true, memory_order_relaxed);
	return 0;
}

int __wrap_rte_eth_dev_rx_intr_disable(uint16_t port, uint16_t queue)
{
	expect(port == 7 && queue == 3);
	atomic_store(&sources[VF_LANE].asked, false);
	return 0;
}

/* --- lanes -------------------------------------------------------------------------------------
 */

static unsigned run(const struct lane_work *work)
{
	struct source *source = CONTAINER_OF(work->lane, struct source, lane);
	uint16_t taken = (uint16_t)atomic_load_explicit(&source->taken, memory_order_relaxed);

	step(STEP_LOOK);
	uint16_t posted = atomic_load_explicit(&source->posted, memory_order_acquire);
	idle_look_set(&source->look, 0, UINT16_MAX, posted);
	atomic_store(&source->taken, posted);
	step(STEP_LOOKED);
	return (uint16_t)(posted - taken);
}

/* The lane has something that it cannot take: its pool is empty. */
static unsigned run_stuck(const struct lane_work *work)
{
	(void)work;
	return 0;
}

static struct lane_work work_of(unsigned i)
{
	struct lane_work work = {.run = run, .lane = &sources[i].lane, .port_id = 7, .vf_queue = 3};

	if (i == VF_LANE) {
		work.vf_alarm = (struct vf_alarm){VF_ALARM_INTERRUPT, sources[i].fd};
	} else {
		work.guest = &sources[i].guest;
		work.look = &sources[i].look;
	}
	return work;
}

static struct plan *plan_of_all(void)
{
	const struct lane_work works[] = {work_of(0), work_of(1), work_of(2)};
	struct plan *plan = plan_create(works, LANES);

	expect(plan != NULL);
	return plan;
}

/* --- the worker --------------------------------------------------------------------------------
 */

int __wrap_rte_lcore_is_enabled(unsigned lcore);
unsigned __wrap_rte_get_main_lcore(void);

int __wrap_rte_lcore_is_enabled(unsigned lcore)
{
	return lcore <= 1;
}

unsigned __wrap_rte_get_main_lcore(void)
{
	return 0;
}

static _Atomic uint64_t naps, endless_sleeps; /* by time, and until it is woken */

int __real_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
                 const sigset_t *mask);
int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
                 const sigset_t *mask);

int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	step(STEP_WAIT);
	atomic_fetch_add(timeout == NULL ? &endless_sleeps : &naps, 1);
	return __real_ppoll(fds, n, timeout, mask);
}

int __real_epoll_wait(int fd, struct epoll_event *events, int n, int timeout);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int n, int timeout);

int __wrap_epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
	step(STEP_FLUSH);
	return __real_epoll_wait(fd, events, n, timeout);
}

static void *thread_run(void *worker)
{
	worker_run(worker);
	return NULL;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#define wait_until(condition)                                                      \
	for (uint64_t until = now_ms() + PATIENCE_MS; !(condition); sched_yield()) \
	expect(now_ms() < until)

/* It sleeps on, until it is told: longer than it would by time. */
static void wait_for_sleep(void)
{
	struct worker *worker = &workers->worker[0];
	uint64_t before;

	do {
		wait_until(worker_is_asleep(worker));
		before = counter_read(&worker->passes);
		usleep(2000);
	} while (counter_read(&worker->passes) != before || !worker_is_asleep(worker));
}

static unsigned grace_us;

static void start(struct plan *plan, unsigned rest_max_us, unsigned net_ms)
{
	struct cpu_set awake = {0};
	const struct idle_policy policy =
	        idle_policy_of(grace_us, rest_max_us, net_ms, workers->cycles_per_s);

	workers_let_sleep(workers, &policy, &awake);
	worker_publish(&workers->worker[0], plan);
	ck_assert_int_eq(pthread_create(&thread, NULL, thread_run, &workers->worker[0]), 0);
	running = true;
}

static void stop(void)
{
	workers_stop(workers);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	running = false;
}

static void set_up(void)
{
	struct cpu_set cpus = {0};
	struct error err;

	log_open(LOG_TO_STDOUT, LOG_ERR, "test");
	memset(sources, 0, sizeof(sources));
	atomic_store(&due_step, NO_STEP);
	atomic_store(&naps, 0);
	atomic_store(&endless_sleeps, 0);
	for (unsigned i = 0; i < LANES; i++) {
		sources[i].guest.ops = &ops;
		sources[i].lane.direction = i == VF_LANE ? LANE_VF_TO_VM : LANE_VM_TO_VF;
		sources[i].fd = eventfd(0, EFD_NONBLOCK);
		atomic_store(&sources[i].serial, i + 1);
		idle_look_begin(&sources[i].look);
		atomic_store(&sources[i].look.base,
		             (const uint16_t *)(const void *)&sources[i].posted);
	}
	cpu_set_add(&cpus, 1);
	workers = workers_create(&cpus, &err);
	ck_assert_ptr_nonnull(workers);
	workers->worker[0].shares_cpu = false;
	workers->cycles_per_s = UINT64_C(2000000000); /* EAL knows, and is not here */
}

static void tear_down(void)
{
	if (running)
		stop();
	workers_destroy(workers);
	for (unsigned i = 0; i < LANES; i++)
		close(sources[i].fd);
}

static void wait_taken(unsigned i)
{
	wait_until((uint16_t)atomic_load(&sources[i].taken) == atomic_load(&sources[i].posted));
}

/* --- tests -------------------------------------------------------------------------------------
 */

START_TEST(each_source_wakes_it)
{
	struct worker *worker = &workers->worker[0];

	start(plan_of_all(), 80, 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		wait_for_sleep();
		post(round % LANES);
		wait_taken(round % LANES);
	}
	wait_for_sleep();
	stop();
	ck_assert_uint_ge(worker->woken_by_guest, 13);
	ck_assert_uint_ge(worker->woken_by_vf, 6);
	ck_assert_uint_eq(worker->late_finds, 0);
	ck_assert_uint_gt(worker->slept_cycles, 0);
}
END_TEST

/* In between any two steps, whatever it is: nothing is left lying, and the worker sleeps in the
 * end.
 */
START_TEST(whatever_comes_in_between)
{
	enum step which = (enum step)(_i / DEEDS);

	deed = (enum deed)(_i % DEEDS);
	start(plan_of_all(), 80, 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		next_plan = deed == DEED_PLAN ? plan_of_all() : NULL;
		wait_for_sleep();
		atomic_store(&due_step, (int)which);
		post(round % LANES); /* has it go through all steps */
		wait_until(atomic_load(&due_step) == NO_STEP);
		for (unsigned i = 0; i < LANES; i++)
			wait_taken(i);
	}
	wait_for_sleep();
	post(0);
	wait_taken(0);
	stop();
	ck_assert_uint_eq(workers->worker[0].late_finds, 0);
	while (n_retired > 0)
		free((void *)(uintptr_t)retired[--n_retired]);
}
END_TEST

START_TEST(an_end_comes_in_between)
{
	deed = DEED_WAKE;
	start(plan_of_all(), 80, 0);
	wait_for_sleep();
	atomic_store(&workers->worker[0].stop, true);
	atomic_store(&due_step, _i);
	post(0);
	stop();
}
END_TEST

/* One that cannot tell has all looked at by time; what others tell wakes it all the same. */
START_TEST(some_are_looked_at_by_time)
{
	atomic_store(&sources[1].dumb, true);
	start(plan_of_all(), 1000, 0);
	for (unsigned round = 0; round < 30; round++) {
		post(1);
		wait_taken(1);
	}
	wait_until(atomic_load(&naps) > 0);
	ck_assert_uint_eq(atomic_load(&endless_sleeps), 0);
	post(0);
	wait_taken(0);
}
END_TEST

START_TEST(without_sleeps_by_time_it_polls_then)
{
	uint64_t passes;

	atomic_store(&sources[1].dumb, true);
	start(plan_of_all(), 0, 0);
	passes = worker_passes(&workers->worker[0]);
	wait_until(worker_passes(&workers->worker[0]) > passes + 1000);
	ck_assert_uint_eq(atomic_load(&naps), 0);
	atomic_store(&sources[1].dumb, false);
	workers_wake(workers);
	post(0); /* after some work it asks anew */
	wait_for_sleep();
}
END_TEST

/* Told of packets when there are none it rests by time, longer and longer. */
START_TEST(told_in_vain)
{
	struct worker *worker = &workers->worker[0];
	uint64_t one = 1;

	start(plan_of_all(), 10000, 0);
	wait_for_sleep();
	/* What comes while it naps is old when it has. */
	while (counter_read(&worker->woken_in_vain) < 50) {
		ck_assert_int_eq(write(sources[0].fd, &one, sizeof(one)), sizeof(one));
		sched_yield();
	}
	ck_assert_uint_ge(atomic_load(&naps), 49);
	post(1);
	wait_taken(1);
	wait_for_sleep();
}
END_TEST

/* Packets that a walk leaves, since it has no buffers for them, are looked at soon. */
START_TEST(what_is_left_lying_is_looked_at)
{
	struct lane_work stuck = work_of(0);

	stuck.run = run_stuck;
	idle_look_set(&sources[0].look, 0, UINT16_MAX, 0);
	atomic_store(&sources[0].posted, 1);
	start(plan_create(&stuck, 1), 80, 0);
	wait_until(atomic_load(&naps) > 20);
	ck_assert_uint_eq(atomic_load(&endless_sleeps), 0);
}
END_TEST

/* The last net: a guest that does not tell, though it was asked to. */
START_TEST(it_looks_after_a_while)
{
	struct worker *worker = &workers->worker[0];

	start(plan_of_all(), 80, 5);
	for (unsigned round = 1; round <= 5; round++) {
		usleep(20000);
		atomic_fetch_add(&sources[0].posted, 1);
		wait_taken(0);
	}
	wait_until(counter_read(&worker->late_finds) > 0);
}
END_TEST

/* A descriptor that was closed and another with its number. */
START_TEST(forgotten_and_known_again)
{
	start(plan_of_all(), 80, 0);
	for (unsigned round = 0; round < 10; round++) {
		int number = sources[0].fd;

		wait_for_sleep();
		workers_forget(workers, number);
		close(number);
		sources[0].fd = eventfd(0, EFD_NONBLOCK);
		ck_assert_int_eq(sources[0].fd, number);
		atomic_fetch_add(&sources[0].serial, LANES);
		workers_wake(workers); /* as the protocol thread does */
		wait_for_sleep();
		post(0);
		wait_taken(0);
	}
}
END_TEST

/* Who stays awake is told of nothing. */
START_TEST(who_is_awake_is_spared)
{
	grace_us = 100000;
	start(plan_of_all(), 80, 0);
	wait_for_sleep();
	ck_assert(atomic_load(&sources[1].asked));
	ck_assert(atomic_load(&sources[VF_LANE].asked));
	for (uint64_t until = now_ms() + PATIENCE_MS;
	     atomic_load(&sources[1].asked) || atomic_load(&sources[VF_LANE].asked);) {
		expect(now_ms() < until);
		post(0);
		wait_taken(0);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 2 * PATIENCE_MS / 1000.0);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, each_source_wakes_it);
	tcase_add_loop_test(tcase, whatever_comes_in_between, 0, STEPS * DEEDS);
	tcase_add_loop_test(tcase, an_end_comes_in_between, 0, STEPS);
	tcase_add_test(tcase, some_are_looked_at_by_time);
	tcase_add_test(tcase, without_sleeps_by_time_it_polls_then);
	tcase_add_test(tcase, told_in_vain);
	tcase_add_test(tcase, what_is_left_lying_is_looked_at);
	tcase_add_test(tcase, it_looks_after_a_while);
	tcase_add_test(tcase, forgotten_and_known_again);
	tcase_add_test(tcase, who_is_awake_is_spared);
	return suite_main("alarms", tcase);
}
