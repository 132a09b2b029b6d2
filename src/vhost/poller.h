/* Looks again and again, soon and then less often, as long as there is something to be seen:
 * whether a grace period is over, which nobody can tell of. Belongs to the thread of its loop.
 */
#ifndef VHOST_POLLER_H
#define VHOST_POLLER_H

#include <stdbool.h>

#include "event/loop.h"

struct poller {
	struct loop *loop;
	int fd;                      /* timerfd */
	bool (*look)(void *context); /* whether it is to be called again */
	void *context;
	unsigned looks; /* since poller_wake */
	bool awake;
};

/* 0 or -errno. */
int poller_open(struct poller *poller, struct loop *loop, bool (*look)(void *context),
                void *context);
void poller_close(struct poller *poller);

/* There is something to look for from now on. */
void poller_wake(struct poller *poller);

#endif
