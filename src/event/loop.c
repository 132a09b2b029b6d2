/* The event loop; see loop.h. Sources are few, so plain arrays and lists will do.
 */
#include "event/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zmq.h>

#include "base/log.h"

#define SLOW_LOG_MS 60000

struct loop_source {
	loop_fn callback;
	void *context;
	const char *name;
};

/* What a turn is busy with. */
struct loop_turn {
	uint64_t start_ms, start_cpu_ms;
	uint64_t longest_ms;      /* that one callback took … */
	const char *longest_name; /* … and which, NULL = none */
};

struct loop {
	/* parallel arrays, since zmq_poll wants the first one plain */
	zmq_pollitem_t items[LOOP_SOURCES_MAX];
	struct loop_source sources[LOOP_SOURCES_MAX];
	int n_sources;
	bool quit;
	struct loop_turn turn;
	struct log_limit slow_log;
	LIST_HEAD(, loop_timer) timers; /* earliest first */
};

struct loop *loop_create(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (loop != NULL)
		loop->slow_log = (struct log_limit)LOG_LIMIT(SLOW_LOG_MS, 1);
	return loop;
}

void loop_destroy(struct loop *loop)
{
	free(loop);
}

static int loop_add(struct loop *loop, void *socket, int fd, struct loop_source source)
{
	int i = loop->n_sources;

	if (i == LOOP_SOURCES_MAX)
		return -ENOSPC;
	loop->items[i] = (zmq_pollitem_t){.socket = socket, .fd = fd, .events = ZMQ_POLLIN};
	loop->sources[i] = source;
	loop->n_sources++;
	return 0;
}

int loop_add_fd_named(struct loop *loop, int fd, loop_fn callback, void *context, const char *name)
{
	return loop_add(loop, NULL, fd, (struct loop_source){callback, context, name});
}

int loop_add_zmq_named(struct loop *loop, void *zmq_socket, loop_fn callback, void *context,
                       const char *name)
{
	return loop_add(loop, zmq_socket, -1, (struct loop_source){callback, context, name});
}

static void loop_remove(struct loop *loop, const void *socket, int fd)
{
	for (int i = 0; i < loop->n_sources; i++) {
		if (loop->items[i].socket != socket || loop->items[i].fd != fd)
			continue;
		loop->n_sources--;
		loop->items[i] = loop->items[loop->n_sources];
		loop->sources[i] = loop->sources[loop->n_sources];
		return;
	}
}

void loop_remove_fd(struct loop *loop, int fd)
{
	loop_remove(loop, NULL, fd);
}

void loop_remove_zmq(struct loop *loop, void *zmq_socket)
{
	loop_remove(loop, zmq_socket, -1);
}

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t loop_now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

/* The parentheses keep the macro away. */
void(loop_timer_start)(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms,
                       loop_fn callback, void *context)
{
	struct loop_timer *before = NULL, *other;

	loop_timer_stop(timer);
	/* At least the next ms: a timer that restarts itself must not hold up the turn. */
	timer->deadline_ms = loop_now_ms() + (delay_ms > 0 ? delay_ms : 1);
	timer->callback = callback;
	timer->context = context;
	timer->running = true;
	LIST_FOREACH (other, &loop->timers, link) {
		if (other->deadline_ms > timer->deadline_ms)
			break;
		before = other;
	}
	if (before == NULL)
		LIST_INSERT_HEAD(&loop->timers, timer, link);
	else
		LIST_INSERT_AFTER(before, timer, link);
}

void loop_timer_stop(struct loop_timer *timer)
{
	if (!timer->running)
		return;
	LIST_REMOVE(timer, link);
	timer->running = false;
}

/* source is a copy: the callback may remove the original, or free the timer it is from. */
static void run(struct loop *loop, struct loop_source source)
{
	uint64_t start_ms = loop_now_ms(), took_ms;

	source.callback(source.context);
	took_ms = loop_now_ms() - start_ms;
	if (took_ms <= loop->turn.longest_ms)
		return;
	loop->turn.longest_ms = took_ms;
	loop->turn.longest_name = source.name;
}

static void turn_begin(struct loop *loop)
{
	loop->turn = (struct loop_turn){.start_ms = loop_now_ms(),
	                                .start_cpu_ms = clock_ms(CLOCK_THREAD_CPUTIME_ID)};
}

static void turn_end(struct loop *loop)
{
	const struct loop_turn *turn = &loop->turn;
	uint64_t took_ms = loop_now_ms() - turn->start_ms;

	if (took_ms <= LOOP_SLOW_MS)
		return;
	log_write_limited(
	        &loop->slow_log, LOG_WARNING,
	        "the control thread was held up for %llu ms, %llu ms of them on its CPU, "
	        "and answered nobody meanwhile; longest, %llu ms, by %s",
	        (unsigned long long)took_ms,
	        (unsigned long long)(clock_ms(CLOCK_THREAD_CPUTIME_ID) - turn->start_cpu_ms),
	        (unsigned long long)turn->longest_ms,
	        turn->longest_name != NULL ? turn->longest_name : "nothing of note");
}

/* Each timer that was due when the turn began, once. */
static void run_timers(struct loop *loop)
{
	uint64_t now = loop_now_ms();
	struct loop_timer *timer;

	while ((timer = LIST_FIRST(&loop->timers)) != NULL && timer->deadline_ms <= now) {
		loop_timer_stop(timer);
		run(loop, (struct loop_source){timer->callback, timer->context, timer->name});
	}
}

static long next_timeout_ms(const struct loop *loop)
{
	const struct loop_timer *timer = LIST_FIRST(&loop->timers);
	uint64_t now = loop_now_ms();

	if (timer == NULL)
		return -1;
	return timer->deadline_ms > now ? (long)(timer->deadline_ms - now) : 0;
}

int loop_run(struct loop *loop)
{
	while (!loop->quit) {
		int rc = zmq_poll(loop->items, loop->n_sources, next_timeout_ms(loop));

		if (rc < 0 && errno != EINTR)
			return -errno;
		turn_begin(loop);
		run_timers(loop);
		for (int i = 0; rc > 0 && i < loop->n_sources; i++)
			if (loop->items[i].revents != 0)
				run(loop, loop->sources[i]);
		turn_end(loop);
	}
	loop->quit = false; /* heeded; the loop may run again */
	return 0;
}

void loop_quit(struct loop *loop)
{
	loop->quit = true;
}
