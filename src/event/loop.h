/* A thread's event loop, the control thread's above all: ZeroMQ's sockets, file descriptors, timers
 * and tasks. It sleeps in one zmq_poll, of the sockets and of one epoll descriptor that stands for
 * all file descriptors, so that the number of these is bounded by the process's limit only. All of
 * it belongs to the thread that runs it; callbacks may add, change and remove sources, their own
 * included: what has been removed hears nothing any more, not even when its descriptor's number has
 * come back with a new source in the same turn.
 *
 * A turn runs the timers that are due, then the descriptors' callbacks, then the sockets', then the
 * tasks. Clients wait for what a callback does too long, so a turn that takes longer than
 * LOOP_SLOW_MS is warned about, at most once a minute, with the callback that took longest: hence
 * the macros at the end, which add its name and file.
 */
#ifndef EVENT_LOOP_H
#define EVENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define LOOP_ZMQ_SOURCES_MAX 31 /* sockets of ZeroMQ's */
#define LOOP_SLOW_MS         1000

/* What a source of file descriptors waits for. */
#define LOOP_READABLE 1U
#define LOOP_WRITABLE 2U

typedef void (*loop_fn)(void *context);

struct loop;

/* Timers live in their owner's structs; the loop links them while they run. */
struct loop_timer {
	LIST_ENTRY(loop_timer) link;
	uint64_t deadline_ms; /* monotonic */
	loop_fn callback;
	void *context;
	const char *name; /* the callback's, a literal; NULL = unknown */
	bool running;
};

/* What is left to do when everything else in a turn has been done, once, however often it was asked
 * for. Tasks live in their owner's structs; the loop links them while they are raised. */
struct loop_task {
	TAILQ_ENTRY(loop_task) link;
	loop_fn callback;
	void *context;
	const char *name; /* the callback's, a literal */
	uint64_t turn;    /* the number of the one at whose end it runs, if raised */
	bool raised;
};

/* thread: whose it is, for the log ("control"); a literal. NULL + errno. */
struct loop *loop_create(const char *thread);
void loop_destroy(struct loop *loop);

/* --- file descriptors ------------------------------------------------------------------------- */

/* callback runs in each turn in which fd is what events says, LOOP_READABLE, LOOP_WRITABLE or both:
 * level-triggered. It also runs when fd has failed or its peer has hung up, whatever events says,
 * and is not told which of all that it was: it reads and writes without blocking. Called as
 * loop_add_fd, which gives the name, a literal. 0, -EEXIST when fd is a source already, or -errno
 * of epoll_ctl's. */
int loop_add_fd_named(struct loop *loop, int fd, unsigned events, loop_fn callback, void *context,
                      const char *name);
/* Waits for events from now on. 0, -ENOENT when fd is no source, or -errno. */
int loop_change_fd(struct loop *loop, int fd, unsigned events);
/* Harmless when fd is no source. Goes before close: what is still open elsewhere (in a child
 * process, by dup) would go on waking the loop. */
void loop_remove_fd(struct loop *loop, int fd);

/* --- ZeroMQ's sockets ------------------------------------------------------------------------- */

/* callback runs in each turn in which the socket has something to be received. Called as
 * loop_add_zmq, which gives the name, a literal. 0, or -ENOSPC when LOOP_ZMQ_SOURCES_MAX are in
 * use. */
int loop_add_zmq_named(struct loop *loop, void *zmq_socket, loop_fn callback, void *context,
                       const char *name);
void loop_remove_zmq(struct loop *loop, void *zmq_socket);

/* --- timers ----------------------------------------------------------------------------------- */

/* (Re)starts the timer: callback runs once, delay_ms from now. */
void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms,
                      loop_fn callback, void *context);
void loop_timer_stop(struct loop_timer *timer); /* harmless when it does not run */

/* --- tasks ------------------------------------------------------------------------------------ */

/* Before anything else is done with the task. Called as loop_task_init, which gives the name, a
 * literal. */
void loop_task_init_named(struct loop_task *task, loop_fn callback, void *context,
                          const char *name);
/* Has the callback run once, at the end of this turn, after the callbacks of all sources and
 * timers. Raised between two turns, or by a task's callback, it runs at the end of the next turn,
 * which comes at once: the loop does not sleep while a task is raised. Harmless when it is raised
 * already.
 */
void loop_task_raise(struct loop *loop, struct loop_task *task);
/* It does not run, unless it is raised again. Harmless when it is not raised. */
void loop_task_cancel(struct loop *loop, struct loop_task *task);

/* --- running ---------------------------------------------------------------------------------- */

/* Turns until loop_quit; the turn that calls that is run to its end. 0 or -errno. */
int loop_run(struct loop *loop);
void loop_quit(struct loop *loop);

#define LOOP_NAME(callback) #callback " (" __FILE__ ")"
#define loop_add_fd(loop, fd, events, callback, context) \
	loop_add_fd_named(loop, fd, events, callback, context, LOOP_NAME(callback))
#define loop_add_zmq(loop, zmq_socket, callback, context) \
	loop_add_zmq_named(loop, zmq_socket, callback, context, LOOP_NAME(callback))
#define loop_timer_start(loop, timer, delay_ms, callback, context) \
	((timer)->name = LOOP_NAME(callback),                      \
	 (loop_timer_start)(loop, timer, delay_ms, callback, context))
#define loop_task_init(task, callback, context) \
	loop_task_init_named(task, callback, context, LOOP_NAME(callback))

#endif
