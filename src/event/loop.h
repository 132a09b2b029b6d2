/* The control thread's event loop: one zmq_poll over ZeroMQ sockets and file descriptors, and
 * timers. All of it belongs to the control thread; callbacks may add and remove sources, their
 * own included.
 *
 * Clients wait for what a callback does too long, so a turn that takes longer than LOOP_SLOW_MS is
 * warned about, at most once a minute, with the callback that took longest: hence the macros at the
 * end, which add its name and file.
 */
#ifndef EVENT_LOOP_H
#define EVENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define LOOP_SOURCES_MAX 32
#define LOOP_SLOW_MS     1000

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

struct loop *loop_create(void); /* NULL + errno */
void loop_destroy(struct loop *loop);

/* callback runs while fd (or the ZeroMQ socket) is readable: level-triggered. Called as loop_add_fd
 * and loop_add_zmq, which give the name, a literal.
 * 0, or -ENOSPC when LOOP_SOURCES_MAX are in use. */
int loop_add_fd_named(struct loop *loop, int fd, loop_fn callback, void *context, const char *name);
int loop_add_zmq_named(struct loop *loop, void *zmq_socket, loop_fn callback, void *context,
                       const char *name);
void loop_remove_fd(struct loop *loop, int fd);
void loop_remove_zmq(struct loop *loop, void *zmq_socket);

/* (Re)starts the timer: callback runs once, delay_ms from now. */
void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms,
                      loop_fn callback, void *context);
void loop_timer_stop(struct loop_timer *timer); /* harmless when it does not run */

uint64_t loop_now_ms(void); /* CLOCK_MONOTONIC */

/* Turns until loop_quit. 0 or -errno. */
int loop_run(struct loop *loop);
void loop_quit(struct loop *loop);

#define LOOP_NAME(callback) #callback " (" __FILE__ ")"
#define loop_add_fd(loop, fd, callback, context) \
	loop_add_fd_named(loop, fd, callback, context, LOOP_NAME(callback))
#define loop_add_zmq(loop, zmq_socket, callback, context) \
	loop_add_zmq_named(loop, zmq_socket, callback, context, LOOP_NAME(callback))
#define loop_timer_start(loop, timer, delay_ms, callback, context) \
	((timer)->name = LOOP_NAME(callback),                      \
	 (loop_timer_start)(loop, timer, delay_ms, callback, context))

#endif
