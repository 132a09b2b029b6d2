/* The event loop; see loop.h. Sockets and timers are few, so plain arrays and lists will do; file
 * descriptors have a table by number, as the kernel has.
 */
#include "event/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <zmq.h>

#include "base/clock.h"
#include "base/log.h"

#define SLOW_LOG_MS 60000
#define EVENTS_MAX  64 /* that are fetched in one turn; epoll has the others' turn come next */
#define FDS_MIN     64 /* room that the table of descriptors starts with */

struct loop_source {
	loop_fn callback;
	void *context;
	const char *name;
};

/* A file descriptor's place in the table. */
struct loop_fd {
	struct loop_source source;
	unsigned events;     /* LOOP_READABLE … */
	uint32_t generation; /* differs from that of others that had the number; 0 = no source */
};

/* What a turn is busy with. */
struct loop_turn {
	uint64_t start_ms, start_cpu_ms;
	uint64_t longest_ms;      /* that one callback took … */
	const char *longest_name; /* … and which, NULL = none */
};

struct loop {
	/* parallel arrays, since zmq_poll wants the first one plain; its first item is epoll_fd */
	zmq_pollitem_t items[1 + LOOP_ZMQ_SOURCES_MAX];
	struct loop_source sources[1 + LOOP_ZMQ_SOURCES_MAX];
	int n_items;
	int epoll_fd;
	struct loop_fd *fds; /* by number */
	int fds_size;
	uint32_t generation; /* the last one that was given */
	bool quit;
	const char *thread; /* whose it is */
	struct loop_turn turn;
	struct log_limit slow_log;
	LIST_HEAD(, loop_timer) timers;              /* earliest first */
	TAILQ_HEAD(loop_task_list, loop_task) tasks; /* in the order in which they were raised */
	uint64_t turn_number;
	bool at_tasks; /* this turn has come to its tasks */
};

struct loop *loop_create(const char *thread)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (loop == NULL)
		return NULL;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		int rc = errno;

		free(loop);
		errno = rc;
		return NULL;
	}
	loop->thread = thread;
	loop->items[0] = (zmq_pollitem_t){.fd = loop->epoll_fd, .events = ZMQ_POLLIN};
	loop->n_items = 1;
	loop->slow_log = (struct log_limit)LOG_LIMIT(SLOW_LOG_MS, 1);
	TAILQ_INIT(&loop->tasks);
	return loop;
}

void loop_destroy(struct loop *loop)
{
	if (loop == NULL)
		return;
	close(loop->epoll_fd);
	free(loop->fds);
	free(loop);
}

/* --- file descriptors ------------------------------------------------------------------------- */

static struct loop_fd *find_fd(const struct loop *loop, int fd)
{
	if (fd < 0 || fd >= loop->fds_size || loop->fds[fd].generation == 0)
		return NULL;
	return &loop->fds[fd];
}

/* Makes room for fd in the table. */
static int grow_fds(struct loop *loop, int fd)
{
	size_t size = loop->fds_size > FDS_MIN ? (size_t)loop->fds_size : FDS_MIN;
	struct loop_fd *fds;

	if (fd < loop->fds_size)
		return 0;
	while (size <= (size_t)fd)
		size *= 2;
	fds = realloc(loop->fds, size * sizeof(*fds));
	if (fds == NULL)
		return -ENOMEM;
	memset(fds + loop->fds_size, 0, (size - (size_t)loop->fds_size) * sizeof(*fds));
	loop->fds = fds;
	loop->fds_size = (int)size;
	return 0;
}

static uint32_t epoll_events(unsigned events)
{
	uint32_t readable = EPOLLIN, writable = EPOLLOUT;

	return (events & LOOP_READABLE ? readable : 0) | (events & LOOP_WRITABLE ? writable : 0);
}

/* What epoll gives back with an event is the descriptor and its generation: so an event of one that
 * was removed after epoll_wait is told from one of a descriptor that has got its number. */
static int control_fd(const struct loop *loop, int operation, int fd, const struct loop_fd *entry)
{
	struct epoll_event event = {
	        .events = epoll_events(entry->events),
	        .data.u64 = (uint64_t)entry->generation << 32 | (uint32_t)fd,
	};

	return epoll_ctl(loop->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

int loop_add_fd_named(struct loop *loop, int fd, unsigned events, loop_fn callback, void *context,
                      const char *name)
{
	struct loop_fd entry = {{callback, context, name}, events, loop->generation + 1};
	int rc;

	if (fd < 0)
		return -EBADF;
	if (find_fd(loop, fd) != NULL)
		return -EEXIST;
	if (entry.generation == 0) /* 2^32 are through */
		entry.generation = 1;
	rc = grow_fds(loop, fd);
	if (rc == 0)
		rc = control_fd(loop, EPOLL_CTL_ADD, fd, &entry);
	if (rc < 0)
		return rc;
	loop->generation = entry.generation;
	loop->fds[fd] = entry;
	return 0;
}

int loop_change_fd(struct loop *loop, int fd, unsigned events)
{
	struct loop_fd *entry = find_fd(loop, fd);
	struct loop_fd changed;
	int rc;

	if (entry == NULL)
		return -ENOENT;
	if (entry->events == events)
		return 0;
	changed = *entry;
	changed.events = events;
	rc = control_fd(loop, EPOLL_CTL_MOD, fd, &changed);
	if (rc == 0)
		*entry = changed;
	return rc;
}

void loop_remove_fd(struct loop *loop, int fd)
{
	struct loop_fd *entry = find_fd(loop, fd);

	if (entry == NULL)
		return;
	/* Fails when it has been closed already: then it has left epoll by that. */
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	entry->generation = 0;
}

/* --- ZeroMQ's sockets ------------------------------------------------------------------------- */

int loop_add_zmq_named(struct loop *loop, void *zmq_socket, loop_fn callback, void *context,
                       const char *name)
{
	int i = loop->n_items;

	if (i == 1 + LOOP_ZMQ_SOURCES_MAX)
		return -ENOSPC;
	loop->items[i] = (zmq_pollitem_t){.socket = zmq_socket, .events = ZMQ_POLLIN};
	loop->sources[i] = (struct loop_source){callback, context, name};
	loop->n_items++;
	return 0;
}

void loop_remove_zmq(struct loop *loop, void *zmq_socket)
{
	for (int i = 1; i < loop->n_items; i++) {
		if (loop->items[i].socket != zmq_socket)
			continue;
		loop->n_items--;
		loop->items[i] = loop->items[loop->n_items];
		loop->sources[i] = loop->sources[loop->n_items];
		return;
	}
}

/* --- timers ----------------------------------------------------------------------------------- */

/* The parentheses keep the macro away. */
void(loop_timer_start)(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms,
                       loop_fn callback, void *context)
{
	struct loop_timer *before = NULL, *other;

	loop_timer_stop(timer);
	/* At least the next ms: a timer that restarts itself must not hold up the turn. */
	timer->deadline_ms = clock_now_ms() + (delay_ms > 0 ? delay_ms : 1);
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

/* --- tasks ------------------------------------------------------------------------------------ */

void loop_task_init_named(struct loop_task *task, loop_fn callback, void *context, const char *name)
{
	*task = (struct loop_task){.callback = callback, .context = context, .name = name};
}

void loop_task_raise(struct loop *loop, struct loop_task *task)
{
	if (task->raised)
		return;
	task->raised = true;
	/* A task that raises itself must not hold up the turn. */
	task->turn = loop->turn_number + (loop->at_tasks ? 1 : 0);
	TAILQ_INSERT_TAIL(&loop->tasks, task, link);
}

void loop_task_cancel(struct loop *loop, struct loop_task *task)
{
	if (!task->raised)
		return;
	TAILQ_REMOVE(&loop->tasks, task, link);
	task->raised = false;
}

/* --- turns ------------------------------------------------------------------------------------ */

/* source is a copy: the callback may remove the original, or free the timer it is from. */
static void run(struct loop *loop, struct loop_source source)
{
	uint64_t start_ms = clock_now_ms(), took_ms;

	source.callback(source.context);
	took_ms = clock_now_ms() - start_ms;
	if (took_ms <= loop->turn.longest_ms)
		return;
	loop->turn.longest_ms = took_ms;
	loop->turn.longest_name = source.name;
}

static void turn_begin(struct loop *loop)
{
	loop->turn =
	        (struct loop_turn){.start_ms = clock_now_ms(), .start_cpu_ms = clock_thread_ms()};
}

static void turn_end(struct loop *loop)
{
	const struct loop_turn *turn = &loop->turn;
	uint64_t took_ms = clock_now_ms() - turn->start_ms;

	if (took_ms <= LOOP_SLOW_MS)
		return;
	log_write_limited(&loop->slow_log, LOG_WARNING,
	                  "the %s thread was held up for %llu ms, %llu ms of them on its CPU, "
	                  "and answered nobody meanwhile; longest, %llu ms, by %s",
	                  loop->thread, (unsigned long long)took_ms,
	                  (unsigned long long)(clock_thread_ms() - turn->start_cpu_ms),
	                  (unsigned long long)turn->longest_ms,
	                  turn->longest_name != NULL ? turn->longest_name : "nothing of note");
}

/* Each timer that was due when the turn began, once. */
static void run_timers(struct loop *loop)
{
	uint64_t now = clock_now_ms();
	struct loop_timer *timer;

	while ((timer = LIST_FIRST(&loop->timers)) != NULL && timer->deadline_ms <= now) {
		loop_timer_stop(timer);
		run(loop, (struct loop_source){timer->callback, timer->context, timer->name});
	}
}

static void run_fds(struct loop *loop)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, 0);

	for (int i = 0; i < n; i++) {
		const struct loop_fd *entry = find_fd(loop, (int)(uint32_t)events[i].data.u64);

		/* Callbacks before it may have removed it, or have it wait for something else. */
		if (entry != NULL && entry->generation == events[i].data.u64 >> 32 &&
		    events[i].events & (epoll_events(entry->events) | EPOLLERR | EPOLLHUP))
			run(loop, entry->source);
	}
}

static void run_zmq(struct loop *loop)
{
	for (int i = 1; i < loop->n_items; i++)
		if (loop->items[i].revents != 0)
			run(loop, loop->sources[i]);
}

/* Those of this turn: what they raise themselves is left for the next one. */
static void run_tasks(struct loop *loop)
{
	struct loop_task *task;

	loop->at_tasks = true;
	while ((task = TAILQ_FIRST(&loop->tasks)) != NULL && task->turn <= loop->turn_number) {
		loop_task_cancel(loop, task);
		run(loop, (struct loop_source){task->callback, task->context, task->name});
	}
	loop->at_tasks = false;
	loop->turn_number++;
}

static long next_timeout_ms(const struct loop *loop)
{
	const struct loop_timer *timer = LIST_FIRST(&loop->timers);
	uint64_t now = clock_now_ms();

	if (!TAILQ_EMPTY(&loop->tasks))
		return 0;
	if (timer == NULL)
		return -1;
	return timer->deadline_ms > now ? (long)(timer->deadline_ms - now) : 0;
}

int loop_run(struct loop *loop)
{
	while (!loop->quit) {
		int rc = zmq_poll(loop->items, loop->n_items, next_timeout_ms(loop));

		if (rc < 0 && errno != EINTR)
			return -errno;
		turn_begin(loop);
		run_timers(loop);
		if (rc > 0 && loop->items[0].revents != 0)
			run_fds(loop);
		if (rc > 0)
			run_zmq(loop);
		run_tasks(loop);
		turn_end(loop);
	}
	loop->quit = false; /* heeded; the loop may run again */
	return 0;
}

void loop_quit(struct loop *loop)
{
	loop->quit = true;
}
