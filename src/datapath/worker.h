/* Workers: threads, each pinned to a CPU, that walk their plans. Control publishes a plan to a
 * worker and waits until no worker can still see the one before (quiescent-state based
 * reclamation) before it frees it or touches a lane that has left it.
 *
 * Moving a lane: publish the old worker's plan without it, workers_synchronize, publish the new
 * worker's plan with it. So no lane is ever polled by two workers.
 */
#ifndef DATAPATH_WORKER_H
#define DATAPATH_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

#include "base/cpu_set.h"
#include "base/error.h"
#include "datapath/alarms.h"
#include "datapath/idle.h"
#include "datapath/plan.h"

struct rte_rcu_qsbr;
struct workers;

struct worker {
	struct workers *all; /* ro after workers_create */
	unsigned index;      /* [0, count); ro */
	unsigned lcore;      /* ro */
	unsigned cpu;        /* that it runs on (the first, if there are several); ro */
	int numa_node;       /* ro */
	struct cpu_set cpus; /* its lcore's, all of them; ro */
	bool shares_cpu;     /* with another worker or the main lcore: gives way when idle; ro */
	_Atomic int tid;     /* kernel's thread id, 0 until it runs; worker: wo, control: ro */
	/* Not on its CPU, which has been taken away: gives way when idle, since it runs where
	 * others do. Control: wo, worker: ro. */
	_Atomic bool displaced;
	int wake_fd;                         /* eventfd; anybody: writes, worker: reads */
	_Atomic(const struct plan *) plan;   /* control: wo, worker: ro; never NULL */
	_Atomic bool stop;                   /* control: wo, worker: ro */
	_Atomic bool asleep;                 /* worker: wo, anybody: ro */
	struct idle_policy idle_policy;      /* ro once it runs */
	uint64_t passes __rte_cache_aligned; /* worker: wo, control: ro (relaxed) */
	uint64_t busy_cycles;                /* in lanes that had work; likewise */
	uint64_t sleeps, slept_cycles;       /* likewise, of sleeps that are over */
	/* Sleeps that ended since a guest or a VF told of packets (both at once count for both),
	 * and those of them that found none; likewise */
	uint64_t woken_by_guest, woken_by_vf, woken_in_vain;
	/* Packets that were found when such a sleep had lasted as long as it may, and that nobody
	 * told of; likewise */
	uint64_t late_finds;
	struct idle idle; /* the worker's own, as the rest */
	struct alarms alarms;
	bool told;            /* the last sleep ended since there was said to be something */
	bool net_reached;     /* it lasted as long as it may */
	uint64_t slept_works; /* idle.works then */
	unsigned late_in_row; /* late finds, with no alarm between them */
};

struct workers {
	unsigned count;
	uint64_t cycles_per_s;     /* of this machine; ro */
	uint64_t stall_cycles;     /* LANE_STALL_MS; ro */
	uint64_t pace_cycles;      /* from one pass that moved little to the next; ro */
	struct rte_rcu_qsbr *qsbr; /* one reader thread id per worker: its index */
	/* Held during a grace period, of which there is one at a time: with several, DPDK's may
	 * return while a worker that has just woken still holds what it saw before. */
	pthread_mutex_t synchronizing;
	_Atomic bool awaited;   /* somebody waits for a grace period's end; workers: ro */
	struct worker worker[]; /* [count] */
};

/* One worker per lcore of the set, in ascending order; none runs yet. For start-up; NULL with err:
 * no memory, or an lcore that EAL does not have. */
struct workers *workers_create(const struct cpu_set *lcores, struct error *err);
/* The workers must have stopped. Frees their last plans too. */
void workers_destroy(struct workers *workers);

/* Workers that have lanes sleep too when these have nothing to do (see idle.h), but for those whose
 * lcores are `awake`: these, and all of whom this was never said, poll on. Between workers_create
 * and workers_start. */
void workers_let_sleep(struct workers *workers, const struct idle_policy *policy,
                       const struct cpu_set *awake);

/* After something was left for a worker in another way than by a plan: those that sleep look. Any
 * thread. */
void workers_wake(struct workers *workers);

/* Has no worker woken by fd any more. Before it is closed, and after the grace period in which
 * every worker has left it. Any thread. */
void workers_forget(struct workers *workers, int fd);

/* On EAL's lcores. 0 or -errno. */
int workers_start(struct workers *workers);
/* Waits until all have left their loops. */
void workers_stop(struct workers *workers);

/* What a worker's thread runs (the signature is EAL's): returns after worker->stop was set and
 * the worker woken. */
int worker_run(void *worker);

/* Takes over plan and returns the one before, which the worker may see until the next
 * workers_synchronize. Control thread only. */
const struct plan *worker_publish(struct worker *worker, const struct plan *plan);

/* Returns when each worker has finished every pass that it had begun before. Any thread but a
 * worker's. Never gives up: a worker that stays away is logged about, once a second. */
void workers_synchronize(struct workers *workers);

/* The same for who must not wait: begins a grace period, and looks whether it is over. Between the
 * two no other can begin, so whoever has begun looks again and again, and soon: 50 µs, then 1 ms.
 * Both on one thread. begin answers false while somebody else's is under way. */
bool workers_grace_begin(struct workers *workers, uint64_t *token);
bool workers_grace_over(struct workers *workers, uint64_t token);

/* For the watchdog: passes done so far, and whether the worker sleeps. */
uint64_t worker_passes(const struct worker *worker);
bool worker_is_asleep(const struct worker *worker);

#endif
