/* Signs of life. See watchdog.h. That the event loop goes on is shown by this running at all. */
#include "control/watchdog.h"

#include <stdlib.h>

#include "base/log.h"
#include "sys/notify.h"

struct watched {
	uint64_t passes; /* at the last look */
	bool stuck;
};

struct watchdog {
	struct workers *workers;
	struct loop *loop;
	struct loop_timer timer;
	uint64_t interval_ms;     /* between two looks: half of what systemd waits */
	struct watched watched[]; /* [workers->count] */
};

/* A worker that sleeps has nothing to do, and one that works ends a pass in microseconds. */
static bool worker_goes_on(const struct worker *worker, struct watched *watched)
{
	uint64_t passes = worker_passes(worker);
	bool goes_on = passes != watched->passes || worker_is_asleep(worker);

	watched->passes = passes;
	return goes_on;
}

static bool look(struct watchdog *watchdog, unsigned index)
{
	const struct worker *worker = &watchdog->workers->worker[index];
	struct watched *watched = &watchdog->watched[index];
	bool goes_on = worker_goes_on(worker, watched);

	if (!goes_on && !watched->stuck)
		log_err("worker %u on CPU %u has not finished a pass for %.1f s; unless it goes "
		        "on, systemd will restart the daemon",
		        worker->lcore, worker->cpu, (double)watchdog->interval_ms / 1000);
	if (goes_on && watched->stuck)
		log_notice("worker %u goes on", worker->lcore);
	watched->stuck = !goes_on;
	return goes_on;
}

static void on_look(void *context)
{
	struct watchdog *watchdog = context;
	bool all = true;

	for (unsigned i = 0; i < watchdog->workers->count; i++)
		all = look(watchdog, i) && all;
	if (all)
		notify_watchdog();
	loop_timer_start(watchdog->loop, &watchdog->timer, watchdog->interval_ms, on_look,
	                 watchdog);
}

struct watchdog *watchdog_create(struct workers *workers, struct loop *loop)
{
	unsigned n_workers = workers->count;
	uint64_t wanted_ms = notify_watchdog_interval_us() / 1000;
	struct watchdog *watchdog =
	        calloc(1, sizeof(*watchdog) + n_workers * sizeof(watchdog->watched[0]));

	if (watchdog == NULL)
		return NULL;
	watchdog->workers = workers;
	watchdog->loop = loop;
	watchdog->interval_ms = RTE_MAX(wanted_ms / 2, UINT64_C(1));
	if (wanted_ms > 0)
		loop_timer_start(loop, &watchdog->timer, watchdog->interval_ms, on_look, watchdog);
	return watchdog;
}

void watchdog_destroy(struct watchdog *watchdog)
{
	loop_timer_stop(&watchdog->timer);
	free(watchdog);
}
