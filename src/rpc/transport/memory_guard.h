/* What clients make the daemon keep has a limit in sum. ZeroMQ bounds frames by their size and
 * whole messages by their number, but not the frames of a message that never ends, and not the sum
 * over all connections. So the process's memory is looked at, every 20 ms while anyone is
 * connected. When it has grown by more than MEMORY_GUARD_MAX, and the heap's pieces in use account
 * for that, connections are cut off until they do not: first those that send faster than they are
 * read, then those that never make a request, then the busiest client's, then all. What ZeroMQ
 * keeps for a connection goes with it. All of it belongs to the control thread.
 */
#ifndef RPC_TRANSPORT_MEMORY_GUARD_H
#define RPC_TRANSPORT_MEMORY_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "event/loop.h"
#include "rpc/transport/clients.h"

#define MEMORY_GUARD_MAX        (64 * 1024 * 1024) /* bytes, besides … */
#define MEMORY_GUARD_CONNECTION (64 * 1024)        /* … so much for each connection */

/* What the guard asks of its owner. */
struct memory_guard_ops {
	unsigned (*connections)(void *context);
	void (*cut)(void *context, enum clients_blame blame);
};

struct memory_guard {
	struct loop *loop;
	const struct memory_guard_ops *ops;
	void *context;
	struct loop_timer timer;
	int statm;                       /* or -1 */
	size_t usual_memory, usual_heap; /* bytes, when there was nothing to complain about */
	bool alert;                      /* it is too much, or has just been */
	unsigned rounds, calm;           /* looks in a row at which it was, and was not */
};

void memory_guard_start(struct memory_guard *guard, struct loop *loop,
                        const struct memory_guard_ops *ops, void *context);
void memory_guard_stop(struct memory_guard *guard); /* harmless when zero-initialised */

#endif
