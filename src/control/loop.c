/* The event loop; see loop.h. Sources are few, so plain arrays and lists will do.
 */
#include "control/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zmq.h>

struct loop_source {
	loop_fn callback;
	void *context;
};

struct loop {
	/* parallel arrays, since zmq_poll wants the first one plain */
	zmq_pollitem_t items[LOOP_SOURCES_MAX];
	struct loop_source sources[LOOP_SOURCES_MAX];
	int n_sources;
	bool quit;
	LIST_HEAD(, loop_timer) timers; /* earliest first */
};

struct loop *loop_create(void)
{
	return calloc(1, sizeof(struct loop));
}

void loop_destroy(struct loop *loop)
{
	free(loop);
}

static int loop_add(struct loop *loop, void *socket, int fd, loop_fn callback, void *context)
{
	int i = loop->n_sources;

	if (i == LOOP_SOURCES_MAX)
		return -ENOSPC;
	loop->items[i] = (zmq_pollitem_t){.socket = socket, .fd = fd, .events = ZMQ_POLLIN};
	loop->sources[i] = (struct loop_source){.callback = callback, .context = context};
	loop->n_sources++;
	return 0;
}

int loop_add_fd(struct loop *loop, int fd, loop_fn callback, void *context)
{
	return loop_add(loop, NULL, fd, callback, context);
}

int loop_add_zmq(struct loop *loop, void *zmq_socket, loop_fn callback, void *context)
{
	return loop_add(loop, zmq_socket, -1, callback, context);
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

uint64_t loop_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms,
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

/* Each timer that was due when the turn began, once. */
static void run_timers(struct loop *loop)
{
	uint64_t now = loop_now_ms();
	struct loop_timer *timer;

	while ((timer = LIST_FIRST(&loop->timers)) != NULL && timer->deadline_ms <= now) {
		loop_timer_stop(timer);
		timer->callback(timer->context);
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
		run_timers(loop);
		for (int i = 0; rc > 0 && i < loop->n_sources; i++)
			if (loop->items[i].revents != 0)
				loop->sources[i].callback(loop->sources[i].context);
	}
	loop->quit = false; /* heeded; the loop may run again */
	return 0;
}

void loop_quit(struct loop *loop)
{
	loop->quit = true;
}
