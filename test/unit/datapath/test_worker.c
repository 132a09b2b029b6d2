/* Workers on plain threads: who sees which plan when. A lane's state is written without atomics
 * by whoever owns it, so that a thread sanitizer proves that there is one owner at a time.
 */
/* TSAN: also run under the thread sanitizer */
/* WRAP: rte_lcore_is_enabled rte_get_main_lcore ppoll */
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "base/log.h"
#include "datapath/plan.h"
#include "datapath/worker.h"
#include "suite.h"

#define WORKERS 3
#define LANES   5
#define NOWHERE WORKERS
#define MOVES   10000

/* For what comes in a moment, on a machine that may stand still. */
#define PATIENCE_MS 60000

/* Asserts on any thread, without libcheck's bookkeeping of what holds. */
#define expect(condition)                               \
	do {                                            \
		if (unlikely(!(condition)))             \
			ck_abort_msg("%s", #condition); \
	} while (0)

static struct workers *workers;
static pthread_t threads[WORKERS];
static bool running;
static struct lane lanes[LANES];
static int in_use[LANES]; /* relaxed: tells a second owner even without a sanitizer */

/* --- EAL's part --------------------------------------------------------------------------------
 */

int __wrap_rte_lcore_is_enabled(unsigned lcore);
unsigned __wrap_rte_get_main_lcore(void);

int __wrap_rte_lcore_is_enabled(unsigned lcore)
{
	return lcore <= WORKERS;
}

unsigned __wrap_rte_get_main_lcore(void)
{
	return 0;
}

/* Workers without lanes sleep until they are woken, not for a second at most: who counts on a
 * wake-up that is lost waits for ever, and how fast this machine is does not matter. */
static atomic_int short_sleeps;
static atomic_long longest_sleep_ns; /* of the short ones */

int __real_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
                 const sigset_t *mask);
int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
                 const sigset_t *mask);

int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	if (timeout->tv_sec > 0)
		return __real_ppoll(fds, n, NULL, mask);
	expect(timeout->tv_nsec > 0 && timeout->tv_nsec < 1000000000);
	atomic_fetch_add(&short_sleeps, 1);
	if (timeout->tv_nsec > atomic_load(&longest_sleep_ns))
		atomic_store(&longest_sleep_ns, timeout->tv_nsec);
	return __real_ppoll(fds, n, timeout, mask);
}

static struct workers *create_on(const char *cpus, struct error *err)
{
	struct cpu_set set;

	ck_assert_int_eq(cpu_set_parse(cpus, &set, err), 0);
	return workers_create(&set, err);
}

static void set_up(void)
{
	struct error err;

	log_open(LOG_TO_STDOUT, LOG_ERR, "test");
	memset(lanes, 0, sizeof(lanes));
	memset(in_use, 0, sizeof(in_use));
	atomic_store(&short_sleeps, 0);
	atomic_store(&longest_sleep_ns, 0);
	for (uint16_t i = 0; i < LANES; i++)
		lanes[i].index = i;
	workers = create_on("1-3", &err);
	ck_assert_ptr_nonnull(workers);
	ck_assert_uint_eq(workers->count, WORKERS);
	for (unsigned i = 0; i < WORKERS; i++)
		workers->worker[i].shares_cpu = true; /* a test may have fewer CPUs than workers */
}

static void let_sleep(unsigned grace_us, unsigned rest_max_us, const struct cpu_set *awake)
{
	const struct idle_policy policy =
	        idle_policy_of(grace_us, rest_max_us, 100, workers->cycles_per_s);

	workers_let_sleep(workers, &policy, awake);
}

static void *thread_run(void *worker)
{
	worker_run(worker);
	return NULL;
}

static void start(void)
{
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, thread_run, &workers->worker[i]),
		                 0);
	running = true;
}

static void stop(void)
{
	workers_stop(workers);
	for (unsigned i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	running = false;
}

static void tear_down(void)
{
	if (running)
		stop();
	workers_destroy(workers);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- lanes that count ---------------------------------------------------------------------------
 */

static unsigned run_counting(const struct lane_work *work)
{
	struct lane *lane = work->lane;

	expect(__atomic_exchange_n(&in_use[lane->index], 1, __ATOMIC_RELAXED) == 0);
	expect(work->max_frame == 1000 + lane->index); /* the plan is whole */
	lane->backlog.head++;                          /* the owner's alone */
	counter_add(&lane->counters.rx_pkts, 1);
	__atomic_store_n(&in_use[lane->index], 0, __ATOMIC_RELAXED);
	return 1;
}

static uint64_t runs_of(unsigned lane)
{
	return counter_read(&lanes[lane].counters.rx_pkts);
}

static void wait_for_run(unsigned lane)
{
	uint64_t before = runs_of(lane), until = now_ms() + PATIENCE_MS;

	while (runs_of(lane) == before) {
		expect(now_ms() < until);
		sched_yield();
	}
}

static struct plan *plan_of(const unsigned where[LANES], unsigned worker)
{
	struct lane_work works[LANES];
	unsigned n = 0;

	for (uint16_t i = 0; i < LANES; i++) {
		if (where[i] != worker)
			continue;
		works[n++] = (struct lane_work){
		        .run = run_counting, .lane = &lanes[i], .max_frame = (uint16_t)(1000 + i)};
	}
	struct plan *plan = plan_create(works, n);
	expect(plan != NULL);
	return plan;
}

/* A plan that is read after its end shall not look like one. */
static void plan_end(const struct plan *plan)
{
	struct plan *gone = (struct plan *)(uintptr_t)plan;

	if (gone == NULL)
		return;
	memset(gone->works, 0xee, gone->n_works * sizeof(gone->works[0]));
	gone->n_works = UINT32_MAX;
	free(gone);
}

static void publish(const unsigned where[LANES], unsigned worker)
{
	const struct plan *before =
	        worker_publish(&workers->worker[worker], plan_of(where, worker));

	workers_synchronize(workers);
	plan_end(before);
}

/* --- tests ---------------------------------------------------------------------------------------
 */

START_TEST(only_lcores_that_there_are)
{
	struct error err;

	ck_assert_ptr_null(create_on("1,9", &err));
	ck_assert_ptr_nonnull(strstr(err.text, "lcore 9"));
	ck_assert_ptr_null(create_on("0-2", &err));
	ck_assert_ptr_nonnull(strstr(err.text, "lcore 0"));
	ck_assert_ptr_null(create_on("2,1000", &err));
	ck_assert_ptr_nonnull(strstr(err.text, "lcore 1000"));
	ck_assert_uint_eq(workers->worker[0].lcore, 1);
	ck_assert_uint_eq(workers->worker[2].lcore, 3);
}
END_TEST

/* Every other run of an idle lane; nothing of it counts as work. */
static unsigned run_idle(const struct lane_work *work)
{
	counter_add(&work->lane->counters.rx_pkts, 1);
	return 0;
}

START_TEST(only_work_counts_as_busy)
{
	struct lane_work works[] = {{.run = run_counting, .lane = &lanes[0], .max_frame = 1000},
	                            {.run = run_counting, .lane = &lanes[1], .max_frame = 1001},
	                            {.run = run_idle, .lane = &lanes[2]}};
	struct worker *busy = &workers->worker[0], *idle = &workers->worker[1];

	start();
	worker_publish(busy, plan_create(works, 2));
	worker_publish(idle, plan_create(&works[2], 1));
	for (int i = 0; i < 3; i++) {
		wait_for_run(0);
		wait_for_run(1);
		wait_for_run(2);
	}
	stop();
	ck_assert_uint_gt(lanes[0].busy_cycles, 0);
	ck_assert_uint_gt(lanes[1].busy_cycles, 0);
	ck_assert_uint_eq(busy->busy_cycles, lanes[0].busy_cycles + lanes[1].busy_cycles);
	ck_assert_uint_eq(idle->busy_cycles, 0);
	ck_assert_uint_eq(lanes[2].busy_cycles, 0);
}
END_TEST

START_TEST(plans_come_and_go_while_they_run)
{
	unsigned where[LANES] = {0, 0, 1, 1, 2};

	start();
	for (int i = 0; i < 1000; i++) {
		publish(where, (unsigned)i % WORKERS);
		if (i % 100 == 99)
			for (unsigned lane = 0; lane < LANES; lane++)
				wait_for_run(lane);
	}
	ck_assert_uint_gt(worker_passes(&workers->worker[0]), 10);
	ck_assert(!worker_is_asleep(&workers->worker[0]));
}
END_TEST

/* What was published before the threads began is theirs, too. */
START_TEST(plans_from_before_the_start)
{
	unsigned where[LANES] = {0, 1, 2, 0, 1};

	for (unsigned i = 0; i < WORKERS; i++)
		publish(where, i);
	start();
	for (unsigned lane = 0; lane < LANES; lane++)
		wait_for_run(lane);
	stop();
	for (unsigned lane = 0; lane < LANES; lane++)
		ck_assert_uint_eq(lanes[lane].backlog.head, (uint32_t)runs_of(lane));
}
END_TEST

START_TEST(lanes_move)
{
	unsigned where[LANES] = {0, 1, 2, 0, 1};
	unsigned random = 1;

	for (unsigned i = 0; i < WORKERS; i++)
		publish(where, i);
	start();
	for (int i = 0; i < MOVES; i++) {
		random = random * 1103515245 + 12345;
		unsigned lane = (random >> 16) % LANES, from = where[lane];
		unsigned to = (from + 1 + (random >> 8) % (WORKERS - 1)) % WORKERS;

		where[lane] = NOWHERE;
		publish(where, from);
		/* Now it is nobody's but ours. */
		expect(lanes[lane].backlog.head == (uint32_t)runs_of(lane));
		lanes[lane].backlog.head++;
		counter_add(&lanes[lane].counters.rx_pkts, 1);
		where[lane] = to;
		publish(where, to);
	}
	for (unsigned lane = 0; lane < LANES; lane++)
		wait_for_run(lane);
}
END_TEST

/* --- synchronize --- */

static atomic_int entered, released, returned;

static unsigned run_blocking(const struct lane_work *work)
{
	atomic_store(&entered, 1);
	while (!atomic_load(&released))
		sched_yield();
	work->lane->backlog.head++;
	return 1;
}

static void *synchronize_run(void *context)
{
	(void)context;
	workers_synchronize(workers);
	atomic_store(&returned, 1);
	return NULL;
}

START_TEST(synchronize_waits_for_a_pass_to_end)
{
	struct lane_work work = {.run = run_blocking, .lane = &lanes[0]};
	unsigned nothing[LANES] = {NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE};
	pthread_t waiter;

	start();
	free((void *)(uintptr_t)worker_publish(&workers->worker[1], plan_create(&work, 1)));
	while (!atomic_load(&entered))
		sched_yield();
	const struct plan *before = worker_publish(&workers->worker[1], plan_of(nothing, 1));
	ck_assert_int_eq(pthread_create(&waiter, NULL, synchronize_run, NULL), 0);
	usleep(1200000); /* longer than its patience, after which it says so and waits on */
	ck_assert_int_eq(atomic_load(&returned), 0);
	ck_assert_uint_eq(before->n_works, 1);

	atomic_store(&released, 1);
	pthread_join(waiter, NULL);
	ck_assert_int_eq(atomic_load(&returned), 1);
	ck_assert_uint_ge(lanes[0].backlog.head, 1); /* the worker is out of it: a plain read */
	plan_end(before);
}
END_TEST

/* The guests' backend synchronizes on a thread of its own. */
START_TEST(two_threads_may_synchronize)
{
	unsigned where[LANES] = {0, 1, 2, 0, 1};
	pthread_t waiter;

	start();
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(pthread_create(&waiter, NULL, synchronize_run, NULL), 0);
		publish(where, (unsigned)i % WORKERS);
		pthread_join(waiter, NULL);
	}
}
END_TEST

/* Looks without waiting; a worker in its pass holds it up, and nobody else begins one meanwhile. */
START_TEST(a_grace_period_is_looked_at)
{
	struct lane_work work = {.run = run_blocking, .lane = &lanes[0]};
	unsigned nothing[LANES] = {NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE};
	uint64_t token, other, until = now_ms() + PATIENCE_MS;
	pthread_t waiter;

	atomic_store(&entered, 0);
	atomic_store(&released, 0);
	atomic_store(&returned, 0);
	start();
	free((void *)(uintptr_t)worker_publish(&workers->worker[1], plan_create(&work, 1)));
	while (!atomic_load(&entered))
		sched_yield();
	const struct plan *before = worker_publish(&workers->worker[1], plan_of(nothing, 1));
	expect(workers_grace_begin(workers, &token));
	ck_assert_int_eq(pthread_create(&waiter, NULL, synchronize_run, NULL), 0);
	for (int i = 0; i < 100; i++) {
		expect(!workers_grace_over(workers, token));
		expect(!workers_grace_begin(workers, &other));
		usleep(100);
	}
	ck_assert_int_eq(atomic_load(&returned), 0);

	atomic_store(&released, 1);
	while (!workers_grace_over(workers, token))
		expect(now_ms() < until);
	ck_assert_uint_ge(lanes[0].backlog.head, 1); /* the worker is out of it: a plain read */
	pthread_join(waiter, NULL);
	expect(workers_grace_begin(workers, &token)); /* and again */
	while (!workers_grace_over(workers, token))
		expect(now_ms() < until);
	plan_end(before);
}
END_TEST

/* --- sleep --- */

static void wait_until_asleep(unsigned worker)
{
	uint64_t until = now_ms() + PATIENCE_MS;

	while (!worker_is_asleep(&workers->worker[worker])) {
		expect(now_ms() < until);
		usleep(100);
	}
}

START_TEST(a_worker_without_work_sleeps)
{
	start();
	for (unsigned i = 0; i < WORKERS; i++)
		wait_until_asleep(i);
	uint64_t passes = worker_passes(&workers->worker[0]);
	for (int i = 0; i < 100; i++)
		workers_synchronize(workers); /* waits for nobody who sleeps */
	usleep(50000);
	ck_assert_uint_eq(worker_passes(&workers->worker[0]), passes);
}
END_TEST

START_TEST(a_plan_wakes_it)
{
	unsigned where[LANES] = {NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE};

	start();
	for (int i = 0; i < 30; i++) {
		wait_until_asleep(2);
		where[3] = 2;
		publish(where, 2);
		wait_for_run(3); /* not if the wake-up were lost */
		where[3] = NOWHERE;
		publish(where, 2);
	}
}
END_TEST

/* On CPUs of their own, as workers usually are. */
static void own_cpus(void)
{
	for (unsigned i = 0; i < WORKERS; i++)
		workers->worker[i].shares_cpu = false;
}

static void wait_for_short_sleeps(int n)
{
	uint64_t until = now_ms() + PATIENCE_MS;
	int before = atomic_load(&short_sleeps);

	while (atomic_load(&short_sleeps) - before < n) {
		expect(now_ms() < until);
		usleep(100);
	}
}

/* Has moved as many packets as max_frame says; counts, and notes when it was there last. */
static uint64_t last_run;

static unsigned run_paced(const struct lane_work *work)
{
	last_run = rte_rdtsc();
	counter_add(&work->lane->counters.rx_pkts, 1);
	return work->max_frame;
}

static void run_alone(uint16_t packets, int runs)
{
	const struct lane_work work = {.run = run_paced, .lane = &lanes[0], .max_frame = packets};

	own_cpus();
	start();
	worker_publish(&workers->worker[0], plan_create(&work, 1));
	for (int i = 0; i < runs; i++)
		wait_for_run(0);
	stop();
}

/* There is more to move then. */
START_TEST(who_moves_little_looks_less_often)
{
	static const uint16_t packets[] = {0, 1, 15};
	uint64_t before = rte_rdtsc();

	workers->pace_cycles = 1000000;
	run_alone(packets[_i], 10);
	ck_assert_uint_ge(last_run - before, (runs_of(0) - 1) * workers->pace_cycles);
}
END_TEST

START_TEST(who_moves_much_goes_on_at_once)
{
	workers->pace_cycles = UINT64_MAX; /* it would wait for ever */
	run_alone(16, 100);
}
END_TEST

START_TEST(a_worker_with_idle_lanes_sleeps_for_moments)
{
	struct lane_work idle[] = {{.run = run_idle, .lane = &lanes[2]}};
	struct cpu_set nobody = {0};

	own_cpus();
	let_sleep(50, 80, &nobody);
	start();
	worker_publish(&workers->worker[1], plan_create(idle, 1));
	wait_for_short_sleeps(30);
	wait_for_run(2); /* it looks all the same */
	stop();
	ck_assert_int_eq(atomic_load(&longest_sleep_ns), 80000);
	ck_assert_uint_ge(workers->worker[1].sleeps, 30);
	ck_assert_uint_gt(workers->worker[1].slept_cycles, 0);
}
END_TEST

START_TEST(but_looks_more_often_while_packets_wait)
{
	struct lane_work idle[] = {{.run = run_idle, .lane = &lanes[2]}};
	struct cpu_set nobody = {0};

	lanes[2].backlog.count = 1;
	own_cpus();
	let_sleep(50, 20000, &nobody);
	start();
	worker_publish(&workers->worker[1], plan_create(idle, 1));
	wait_for_short_sleeps(30);
	stop();
	ck_assert_int_eq(atomic_load(&longest_sleep_ns), 50000);
	lanes[2].backlog.count = 0;
}
END_TEST

START_TEST(a_worker_that_has_work_does_not)
{
	unsigned where[LANES] = {1, 1, 1, 1, 1};
	struct cpu_set nobody = {0};

	own_cpus();
	let_sleep(0, 80, &nobody);
	publish(where, 1);
	start();
	for (int i = 0; i < 100; i++)
		wait_for_run(0);
	stop();
	ck_assert_int_eq(atomic_load(&short_sleeps), 0);
	ck_assert_uint_ge(workers->worker[1].idle.works, 100);
}
END_TEST

START_TEST(nor_do_those_that_shall_not)
{
	struct lane_work idle[] = {{.run = run_idle, .lane = &lanes[2]}};
	struct cpu_set awake = {0};

	cpu_set_add(&awake, 2);
	own_cpus();
	let_sleep(0, 80, &awake);
	start();
	worker_publish(&workers->worker[1], plan_create(idle, 1));
	for (int i = 0; i < 1000; i++)
		wait_for_run(2);
	ck_assert_int_eq(atomic_load(&short_sleeps), 0);
	ck_assert(!worker_is_asleep(&workers->worker[1]));
	worker_publish(&workers->worker[0], plan_create(idle, 0)); /* and the others sleep on */
	stop();
}
END_TEST

/* However long it may sleep: a plan wakes it, and so does the end. */
START_TEST(a_plan_wakes_it_from_any_sleep)
{
	struct lane_work idle[] = {{.run = run_idle, .lane = &lanes[2]}};
	unsigned where[LANES] = {NOWHERE, NOWHERE, NOWHERE, 1, NOWHERE};
	struct cpu_set nobody = {0};

	own_cpus();
	let_sleep(0, 50000, &nobody);
	start();
	worker_publish(&workers->worker[1], plan_create(idle, 1));
	wait_for_short_sleeps(15); /* 50 ms each in the end */
	wait_until_asleep(1);
	publish(where, 1); /* synchronizes, too: nobody waits for one who sleeps */
	wait_for_run(3);
}
END_TEST

START_TEST(all_stop_whatever_they_do)
{
	unsigned where[LANES] = {0, 0, 0, 1, 1}; /* and worker 2 sleeps */

	publish(where, 0);
	publish(where, 1);
	start();
	wait_for_run(0);
	wait_until_asleep(2);
	stop();
	workers_synchronize(workers); /* whoever is gone is not waited for */
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, only_lcores_that_there_are);
	tcase_add_test(tcase, only_work_counts_as_busy);
	tcase_add_loop_test(tcase, who_moves_little_looks_less_often, 0, 3);
	tcase_add_test(tcase, who_moves_much_goes_on_at_once);
	tcase_add_test(tcase, plans_come_and_go_while_they_run);
	tcase_add_test(tcase, plans_from_before_the_start);
	tcase_add_test(tcase, lanes_move);
	tcase_add_test(tcase, synchronize_waits_for_a_pass_to_end);
	tcase_add_test(tcase, two_threads_may_synchronize);
	tcase_add_test(tcase, a_grace_period_is_looked_at);
	tcase_add_test(tcase, a_worker_without_work_sleeps);
	tcase_add_test(tcase, a_plan_wakes_it);
	tcase_add_test(tcase, a_worker_with_idle_lanes_sleeps_for_moments);
	tcase_add_test(tcase, but_looks_more_often_while_packets_wait);
	tcase_add_test(tcase, a_worker_that_has_work_does_not);
	tcase_add_test(tcase, nor_do_those_that_shall_not);
	tcase_add_test(tcase, a_plan_wakes_it_from_any_sleep);
	tcase_add_test(tcase, all_stop_whatever_they_do);
	return suite_main("worker", tcase);
}
