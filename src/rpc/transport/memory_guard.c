/* A limit to what clients make the daemon keep. See memory_guard.h.
 */
#include "rpc/transport/memory_guard.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"

#define LOOK_MS      20
#define IDLE_LOOK_MS 100 /* while nobody is connected */

/* What is done in which rounds, as long as it is too much: first what hits none but the guilty,
 * and all else only when it does not grow any more, and so has time. */
static const struct {
	unsigned first, last;
	enum clients_blame blame;
} steps[] = {
        {0, 59, CLIENTS_FLOODING}, {5, 5, CLIENTS_SILENT}, {55, 55, CLIENTS_SILENT},
        {60, 60, CLIENTS_BUSIEST}, {70, 70, CLIENTS_ALL},
};
#define ROUNDS_MAX  80 /* then it is none of the clients' doing */
#define CALM_ROUNDS 10 /* for ZeroMQ to let go of the rest */

/* The process's own memory without what is shared, in bytes; 0 when it cannot be told. */
static size_t memory_find(const struct memory_guard *guard)
{
	char text[128];
	ssize_t size = guard->statm >= 0 ? pread(guard->statm, text, sizeof(text) - 1, 0) : 0;
	unsigned long resident, shared;

	if (size <= 0)
		return 0;
	text[size] = '\0';
	if (sscanf(text, "%*u %lu %lu", &resident, &shared) != 2 || resident < shared)
		return 0;
	return (resident - shared) * (size_t)sysconf(_SC_PAGESIZE);
}

/* What of it is in use. Takes its time when there are many small pieces. */
static size_t heap_find(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void relieve(struct memory_guard *guard)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (guard->rounds >= steps[i].first && guard->rounds <= steps[i].last)
			guard->ops->cut(guard->context, steps[i].blame);
	guard->rounds++;
}

/* It is over: with the memory given back, or never to be. */
static void settle(struct memory_guard *guard)
{
	guard->alert = false;
	malloc_trim(0);
	guard->usual_memory = memory_find(guard);
	guard->usual_heap = heap_find();
}

static void watch(struct memory_guard *guard, size_t allowed)
{
	if (heap_find() <= guard->usual_heap + allowed) {
		guard->rounds = 0;
		if (++guard->calm == CALM_ROUNDS)
			settle(guard);
	} else if (guard->rounds < ROUNDS_MAX) {
		guard->calm = 0;
		relieve(guard);
	} else {
		settle(guard);
	}
}

static void look(void *context)
{
	struct memory_guard *guard = context;
	unsigned connections = guard->ops->connections(guard->context);
	size_t allowed = MEMORY_GUARD_MAX + (size_t)connections * MEMORY_GUARD_CONNECTION;
	size_t memory = memory_find(guard);

	if (!guard->alert && memory < guard->usual_memory)
		guard->usual_memory = memory;
	if (!guard->alert && memory > guard->usual_memory + allowed) {
		guard->alert = true;
		guard->rounds = guard->calm = 0;
	}
	if (guard->alert)
		watch(guard, allowed);
	loop_timer_start(guard->loop, &guard->timer, connections > 0 ? LOOK_MS : IDLE_LOOK_MS, look,
	                 guard);
}

void memory_guard_start(struct memory_guard *guard, struct loop *loop,
                        const struct memory_guard_ops *ops, void *context)
{
	*guard = (struct memory_guard){.loop = loop, .ops = ops, .context = context};
	guard->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (guard->statm < 0)
		log_warn("/proc/self/statm cannot be read: what clients make the daemon keep has "
		         "no limit in sum");
	settle(guard);
	loop_timer_start(loop, &guard->timer, IDLE_LOOK_MS, look, guard);
}

void memory_guard_stop(struct memory_guard *guard)
{
	if (guard->loop == NULL)
		return;
	loop_timer_stop(&guard->timer);
	if (guard->statm >= 0)
		close(guard->statm);
	guard->loop = NULL;
}
