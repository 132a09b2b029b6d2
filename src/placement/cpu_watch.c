/* Once a second: is each worker on the CPU that it was given? The kernel moves a thread elsewhere
 * for good when its CPU is unplugged or leaves the cpuset, and anybody may move it with taskset. A
 * worker is put back as soon as that is possible; until then it works where it is, gives way to
 * whoever else runs there, and the balancer gives it as little as it can. Control thread only.
 */
#include "placement/cpu_watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sys/affinity.h"

#define WATCH_MS 1000

struct cpu_watch {
	struct workers *workers;
	struct loop *loop;
	struct loop_timer timer;
};

static void tell_displaced(const struct worker *worker, int reason)
{
	log_warn("worker %u may not run on CPU %u any more (%s): it was unplugged or taken out of "
	         "the cpuset; the worker goes on more slowly on other CPUs. Bring the CPU back, or "
	         "restart with other --cpus",
	         worker->lcore, worker->cpu, strerror(reason));
}

static void watch_worker(struct worker *worker)
{
	bool displaced = atomic_load(&worker->displaced);
	pid_t tid = atomic_load(&worker->tid);
	struct cpu_set now;
	int rc;

	if (tid == 0 || affinity_read(tid, &now) < 0)
		return;
	if (memcmp(&now, &worker->cpus, sizeof(now)) == 0 && !displaced)
		return;
	rc = affinity_write(tid, &worker->cpus);
	atomic_store(&worker->displaced, rc < 0);
	if (rc == 0)
		log_notice("worker %u had been moved off CPU %u: it is back there", worker->lcore,
		           worker->cpu);
	else if (!displaced)
		tell_displaced(worker, -rc);
}

static void on_watch(void *context)
{
	struct cpu_watch *watch = context;
	struct workers *workers = watch->workers;

	for (unsigned i = 0; i < workers->count; i++)
		watch_worker(&workers->worker[i]);
	loop_timer_start(watch->loop, &watch->timer, WATCH_MS, on_watch, watch);
}

struct cpu_watch *cpu_watch_create(struct workers *workers, struct loop *loop)
{
	struct cpu_watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return NULL;
	watch->workers = workers;
	watch->loop = loop;
	loop_timer_start(loop, &watch->timer, WATCH_MS, on_watch, watch);
	return watch;
}

void cpu_watch_destroy(struct cpu_watch *watch)
{
	loop_timer_stop(&watch->timer);
	free(watch);
}
