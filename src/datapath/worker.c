/* The workers' loop and the publishing of plans; see worker.h for who may call what.
 */
#include "datapath/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>

#include "base/clock.h"
#include "base/log.h"

#define SECOND_NS UINT64_C(1000000000)

/* The longest sleep of a worker that has nothing to poll: a lost wake-up costs no more. */
#define SLEEP_NS SECOND_NS

/* How long a worker that shares its CPU leaves it to others, when it has nothing to do. */
#define GIVE_WAY_NS UINT64_C(50000)

/* While packets wait for room at their target, or guests' for packet buffers, which nobody tells
 * of. */
#define HELD_BACK_NS UINT64_C(50000)

/* Sleeps that last until somebody wakes the worker. */
#define ENDLESS_NS UINT64_MAX

/* Late finds in a row after which a plan's alarms are not relied on. */
#define LATE_IN_ROW_MAX 3

/* Looks at the workers before it is worth a nap: a pass takes microseconds, mostly. */
#define SYNCHRONIZE_SPINS 200

/* A pass that moves fewer packets than that has come too early: whoever looks right behind a guest
 * takes its ring's lines away from it while it writes to them, for a packet or two. The next pass
 * begins so long after it, when there is more: a packet waits for no longer. Who has more to move
 * begins at once. */
#define PACE_PACKETS (LANE_BURST / 2)
#define PACE_NS      UINT64_C(500)

static const struct plan empty_plan;

static void read_cpus(unsigned lcore, struct cpu_set *out)
{
	rte_cpuset_t cpus = rte_lcore_cpuset(lcore);

	for (unsigned cpu = 0; cpu < CPU_SET_SIZE && cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			cpu_set_add(out, cpu);
}

/* Whether another worker or the main lcore runs on one of the lcore's CPUs. */
static bool lcore_shares_cpu(unsigned lcore, const struct cpu_set *lcores)
{
	rte_cpuset_t own = rte_lcore_cpuset(lcore);
	unsigned other;

	RTE_LCORE_FOREACH (other) {
		rte_cpuset_t theirs = rte_lcore_cpuset(other);
		rte_cpuset_t both;

		CPU_AND(&both, &own, &theirs);
		if (other != lcore && CPU_COUNT(&both) > 0 &&
		    (cpu_set_has(lcores, other) || other == rte_get_main_lcore()))
			return true;
	}
	return false;
}

static int worker_init(struct worker *worker, struct workers *all, unsigned index, unsigned lcore,
                       const struct cpu_set *lcores)
{
	worker->all = all;
	worker->index = index;
	worker->lcore = lcore;
	read_cpus(lcore, &worker->cpus);
	worker->cpu = (unsigned)RTE_MAX(cpu_set_next(&worker->cpus, -1), 0);
	worker->numa_node = (int)rte_lcore_to_socket_id(lcore);
	worker->shares_cpu = lcore_shares_cpu(lcore, lcores);
	atomic_init(&worker->plan, &empty_plan);
	worker->alarms.epoll_fd = -1;
	worker->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return worker->wake_fd < 0 ? -errno : alarms_open(&worker->alarms, worker->wake_fd);
}

static struct workers *workers_allocate(unsigned count)
{
	struct workers *workers;
	size_t size = sizeof(*workers) + count * sizeof(workers->worker[0]);

	size = RTE_ALIGN_CEIL(size, RTE_CACHE_LINE_SIZE);
	workers = aligned_alloc(RTE_CACHE_LINE_SIZE, size);
	if (workers == NULL)
		return NULL;
	memset(workers, 0, size);
	workers->cycles_per_s = rte_get_tsc_hz();
	workers->stall_cycles = workers->cycles_per_s / 1000 * LANE_STALL_MS;
	workers->pace_cycles = workers->cycles_per_s * PACE_NS / SECOND_NS;
	size = RTE_ALIGN_CEIL(rte_rcu_qsbr_get_memsize(count), RTE_CACHE_LINE_SIZE);
	pthread_mutex_init(&workers->synchronizing, NULL);
	workers->qsbr = aligned_alloc(RTE_CACHE_LINE_SIZE, size);
	if (workers->qsbr == NULL || rte_rcu_qsbr_init(workers->qsbr, count) != 0) {
		workers_destroy(workers);
		return NULL;
	}
	return workers;
}

struct workers *workers_create(const struct cpu_set *lcores, struct error *err)
{
	struct workers *workers;
	int lcore = -1;

	while ((lcore = cpu_set_next(lcores, lcore)) >= 0)
		if (lcore >= RTE_MAX_LCORE || !rte_lcore_is_enabled((unsigned)lcore) ||
		    (unsigned)lcore == rte_get_main_lcore()) {
			error_set(err, EINVAL,
			          "DPDK has no worker lcore %d, which --cpus names; "
			          "see --lcores, if --eal gives it",
			          lcore);
			return NULL;
		}
	workers = workers_allocate(cpu_set_count(lcores));
	if (workers == NULL) {
		error_set(err, ENOMEM, "out of memory for the workers");
		return NULL;
	}
	while ((lcore = cpu_set_next(lcores, lcore)) >= 0) {
		int rc = worker_init(&workers->worker[workers->count], workers, workers->count,
		                     (unsigned)lcore, lcores);
		workers->count++;
		if (rc < 0) {
			error_set(err, -rc, "no event descriptor for worker %d: %s", lcore,
			          strerror(-rc));
			workers_destroy(workers);
			return NULL;
		}
	}
	return workers;
}

static void plan_release(const struct plan *plan)
{
	if (plan != &empty_plan)
		free((void *)(uintptr_t)plan);
}

void workers_destroy(struct workers *workers)
{
	for (unsigned i = 0; i < workers->count; i++) {
		plan_release(atomic_load(&workers->worker[i].plan));
		alarms_close(&workers->worker[i].alarms);
		if (workers->worker[i].wake_fd >= 0)
			close(workers->worker[i].wake_fd);
	}
	free(workers->qsbr);
	pthread_mutex_destroy(&workers->synchronizing);
	free(workers);
}

void workers_let_sleep(struct workers *workers, const struct idle_policy *policy,
                       const struct cpu_set *awake)
{
	for (unsigned i = 0; i < workers->count; i++)
		if (!cpu_set_has(awake, workers->worker[i].lcore))
			workers->worker[i].idle_policy = *policy;
}

int workers_start(struct workers *workers)
{
	for (unsigned i = 0; i < workers->count; i++) {
		struct worker *worker = &workers->worker[i];
		int rc = rte_eal_remote_launch(worker_run, worker, worker->lcore);

		if (rc != 0) {
			workers_stop(workers);
			return rc;
		}
	}
	return 0;
}

static void worker_wake(struct worker *worker)
{
	uint64_t one = 1;

	/* Fails only when the counter is full: then the wake-up is there already. */
	if (write(worker->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void workers_stop(struct workers *workers)
{
	for (unsigned i = 0; i < workers->count; i++) {
		atomic_store(&workers->worker[i].stop, true);
		worker_wake(&workers->worker[i]);
	}
	for (unsigned i = 0; i < workers->count; i++)
		rte_eal_wait_lcore(workers->worker[i].lcore);
}

void workers_wake(struct workers *workers)
{
	for (unsigned i = 0; i < workers->count; i++)
		worker_wake(&workers->worker[i]);
}

void workers_forget(struct workers *workers, int fd)
{
	/* Most do not know it. */
	for (unsigned i = 0; i < workers->count; i++)
		(void)epoll_ctl(workers->worker[i].alarms.epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* --- sleeping ----------------------------------------------------------------------------------
 */

/* How a worker rests after a pass. */
struct rest {
	uint64_t ns; /* 0 = not at all, ENDLESS_NS = until it is woken */
	bool deaf;   /* to alarms: only time and the others of this process wake it */
	bool net;    /* there ought to be nothing when the time is over */
};

static struct rest by_time(uint64_t ns)
{
	return (struct rest){.ns = ns, .deaf = true};
}

static void wait_deaf(struct worker *worker, const struct timespec *limit)
{
	struct pollfd wake = {.fd = worker->wake_fd, .events = POLLIN};
	uint64_t count;

	if (ppoll(&wake, 1, limit, NULL) <= 0)
		return;
	worker->alarms.set = false;
	if (read(wake.fd, &count, sizeof(count)) < 0)
		log_debug("worker %u: woken for nothing", worker->lcore);
}

/* What has woken it, if not the time. */
static void heed_alarms(struct worker *worker)
{
	const struct plan *plan = atomic_load_explicit(&worker->plan, memory_order_acquire);
	struct alarms_heard heard = alarms_heed(&worker->alarms, plan);

	worker->told = heard.guest || heard.vf;
	counter_add(&worker->woken_by_guest, heard.guest);
	counter_add(&worker->woken_by_vf, heard.vf);
	if (worker->told)
		worker->late_in_row = 0;
}

/* It is offline for the quiescent-state machinery meanwhile, so nobody waits for it; and whatever
 * it has seen of plans, lanes and guests may be gone afterwards. */
static void worker_sleep(struct worker *worker, struct rest rest)
{
	const struct timespec time = {.tv_sec = (time_t)(rest.ns / SECOND_NS),
	                              .tv_nsec = (long)(rest.ns % SECOND_NS)};
	const struct timespec *limit = rest.ns == ENDLESS_NS ? NULL : &time;
	uint64_t began = rte_rdtsc();
	unsigned fired = 0;
	rte_rcu_qsbr_thread_offline(worker->all->qsbr, worker->index);
	atomic_store(&worker->asleep, true);
	if (rest.deaf)
		wait_deaf(worker, limit);
	else
		fired = alarms_wait(&worker->alarms, limit);
	atomic_store(&worker->asleep, false);
	rte_rcu_qsbr_thread_online(worker->all->qsbr, worker->index);
	worker->slept_works = worker->idle.works;
	worker->net_reached = rest.net && fired == 0;
	if (fired > 0)
		heed_alarms(worker);
	counter_add(&worker->sleeps, 1);
	counter_add(&worker->slept_cycles, rte_rdtsc() - began);
}

/* Gives the CPU to whoever waits for it. Not sched_yield: with a busy neighbour, a thread that
 * yields at each pass was seen to get no time for seconds. */
static void nap(void)
{
	const struct timespec shortest = {.tv_nsec =
	                                          1}; /* in truth the timer's slack, some 50 µs */

	nanosleep(&shortest, NULL);
}

static inline bool gives_way(const struct worker *worker)
{
	return worker->shares_cpu || atomic_load_explicit(&worker->displaced, memory_order_relaxed);
}

static bool holds_back(const struct plan *plan)
{
	for (unsigned i = 0; i < plan->n_works; i++)
		if (lane_held(plan->works[i].lane) > 0)
			return true;
	return false;
}

/* Whether there is something that nobody will tell of. */
static bool has_leftovers(const struct plan *plan)
{
	return holds_back(plan) || !alarms_are_quiet(plan);
}

/* What had gone off before the alarms were set anew may be what an earlier find was told of. */
static void judge_find(struct worker *worker, bool unexpected)
{
	if (!unexpected || worker->alarms.n_fired > 0)
		return;
	counter_add(&worker->late_finds, 1);
	worker->late_in_row++;
}

/* After a pass in vain. Woken for nothing, it rests by time for once, and longer each time: whoever
 * does that to it does not keep it awake. */
static struct rest alarmed_rest(struct worker *worker, const struct plan *plan)
{
	struct alarms *alarms = &worker->alarms;
	bool worked = worker->idle.works != worker->slept_works;
	bool told = worker->told, unexpected = worker->net_reached && worked;
	uint64_t ns;

	worker->told = worker->net_reached = false;
	if (told && !worked) {
		counter_add(&worker->woken_in_vain, 1);
		ns = idle_rest(&worker->idle, &worker->idle_policy);
		return by_time(holds_back(plan) ? RTE_MIN(ns, HELD_BACK_NS) : ns);
	}
	if (!alarms_are_set(alarms, plan, worker->idle.works)) {
		if (!plan->alarms->entered)
			worker->late_in_row = 0;
		alarms_set(alarms, plan, worker->idle.works);
		judge_find(worker, unexpected);
		return by_time(0); /* looks once more */
	}
	bool leftovers = has_leftovers(plan);
	if (leftovers || alarms->n_timed > 0 || worker->late_in_row >= LATE_IN_ROW_MAX) {
		ns = idle_rest(&worker->idle, &worker->idle_policy);
		return (struct rest){.ns = leftovers ? RTE_MIN(ns, HELD_BACK_NS) : ns};
	}
	ns = worker->idle_policy.net_ns;
	return (struct rest){.ns = ns > 0 ? ns : ENDLESS_NS, .net = true};
}

/* How to rest after a pass that has moved nothing. */
static struct rest rest_of(struct worker *worker, const struct plan *plan, uint64_t began)
{
	struct rest rest = by_time(0);

	if (plan->n_works == 0)
		return by_time(SLEEP_NS);
	if (idle_is_due(&worker->idle, &worker->idle_policy, began))
		rest = alarmed_rest(worker, plan);
	if (gives_way(worker))
		rest.ns = RTE_MAX(rest.ns, GIVE_WAY_NS);
	return rest;
}

/* The same after any pass. A worker that shares its CPU gives way when somebody waits for all
 * workers, too: else that takes as long as the scheduler's time slices. */
static inline struct rest rest_after(struct worker *worker, const struct plan *plan, unsigned done,
                                     uint64_t began)
{
	if (done == 0)
		return rest_of(worker, plan, began);
	worker->idle.works++;
	if (unlikely(!plan->alarms->quiet))
		alarms_spare(plan);
	if (likely(!gives_way(worker)) ||
	    !atomic_load_explicit(&worker->all->awaited, memory_order_relaxed))
		return by_time(0);
	return by_time(GIVE_WAY_NS);
}

/* The clock is read once a pass, for *began, and after each lane that had work: what an idle lane
 * costs goes to the next busy one, or to nobody. */
static inline unsigned run_plan(struct worker *worker, const struct plan *plan, uint64_t *began)
{
	uint64_t then = rte_rdtsc(), busy = 0;
	unsigned total = 0;

	*began = then;
	for (unsigned i = 0; i < plan->n_works; i++) {
		const struct lane_work *work = &plan->works[i];
		unsigned done = work->run(work);
		uint64_t now;

		if (done == 0)
			continue;
		total += done;
		now = rte_rdtsc();
		counter_add(&work->lane->busy_cycles, now - then);
		busy += now - then;
		then = now;
	}
	if (busy > 0)
		counter_add(&worker->busy_cycles, busy);
	return total;
}

static inline void keep_pace(const struct worker *worker, uint64_t began)
{
	while (rte_rdtsc() - began < worker->all->pace_cycles)
		rte_pause();
}

int worker_run(void *context)
{
	struct worker *worker = context;
	struct rte_rcu_qsbr *qsbr = worker->all->qsbr;

	/* Else each sleep is 50 µs longer than it was asked to be. */
	(void)prctl(PR_SET_TIMERSLACK, 1UL);
	atomic_store(&worker->tid, (int)gettid());
	idle_begin(&worker->idle, &worker->idle_policy);
	rte_rcu_qsbr_thread_register(qsbr, worker->index);
	rte_rcu_qsbr_thread_online(qsbr, worker->index);
	while (likely(!atomic_load_explicit(&worker->stop, memory_order_relaxed))) {
		const struct plan *plan = atomic_load_explicit(&worker->plan, memory_order_acquire);
		uint64_t began;
		unsigned done = run_plan(worker, plan, &began);
		struct rest rest = rest_after(worker, plan, done, began);

		/* The plan may be gone from here on. */
		rte_rcu_qsbr_quiescent(qsbr, worker->index);
		counter_add(&worker->passes, 1);
		if (rest.ns > 0)
			worker_sleep(worker, rest);
		else if (done < PACE_PACKETS)
			keep_pace(worker, began);
	}
	rte_rcu_qsbr_thread_offline(qsbr, worker->index);
	rte_rcu_qsbr_thread_unregister(qsbr, worker->index);
	return 0;
}

const struct plan *worker_publish(struct worker *worker, const struct plan *plan)
{
	const struct plan *before = atomic_exchange(&worker->plan, plan);

	worker_wake(worker);
	return before == &empty_plan ? NULL : before;
}

/* Names those that have not got to the token yet. */
static void warn_of_late_ones(const struct workers *workers, uint64_t token)
{
	for (unsigned i = 0; i < workers->count; i++) {
		uint64_t reached =
		        __atomic_load_n(&workers->qsbr->qsbr_cnt[i].cnt, __ATOMIC_RELAXED);

		if (reached != 0 && reached < token) /* 0: offline */
			log_warn("worker %u has not finished a pass for a second or more; waiting",
			         workers->worker[i].lcore);
	}
}

/* rte_rcu_qsbr's start and check, not its synchronize: they are inline, so that thread sanitizers
 * see them. The mutex is held. */
static uint64_t grace_begin(struct workers *workers)
{
	atomic_store_explicit(&workers->awaited, true, memory_order_relaxed);
	return rte_rcu_qsbr_start(workers->qsbr);
}

bool workers_grace_over(struct workers *workers, uint64_t token)
{
	if (rte_rcu_qsbr_check(workers->qsbr, token, false) == 0)
		return false;
	atomic_store_explicit(&workers->awaited, false, memory_order_relaxed);
	pthread_mutex_unlock(&workers->synchronizing);
	return true;
}

bool workers_grace_begin(struct workers *workers, uint64_t *token)
{
	if (pthread_mutex_trylock(&workers->synchronizing) != 0)
		return false;
	*token = grace_begin(workers);
	return true;
}

void workers_synchronize(struct workers *workers)
{
	uint64_t token, warn_at = clock_now_ms() + 1000;
	unsigned looks = 0;

	pthread_mutex_lock(&workers->synchronizing);
	token = grace_begin(workers);
	while (!workers_grace_over(workers, token)) {
		if (looks++ < SYNCHRONIZE_SPINS) {
			rte_pause();
			continue;
		}
		nap();
		if (clock_now_ms() < warn_at)
			continue;
		warn_of_late_ones(workers, token);
		warn_at += 1000;
	}
}

uint64_t worker_passes(const struct worker *worker)
{
	return counter_read(&worker->passes);
}

bool worker_is_asleep(const struct worker *worker)
{
	return atomic_load(&worker->asleep);
}
