/* See poller.h. The loop's timers count milliseconds, and most passes of a worker take less. */
#include "vhost/poller.h"

#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SOON_NS   50000L
#define LATER_NS  1000000L
#define SOON_MANY 4U /* looks until it gets later */

static void arm(const struct poller *poller)
{
	const struct itimerspec after = {.it_value.tv_nsec =
	                                         poller->looks < SOON_MANY ? SOON_NS : LATER_NS};

	(void)timerfd_settime(poller->fd, 0, &after, NULL);
}

static void on_time(void *context)
{
	struct poller *poller = context;
	uint64_t count;

	if (read(poller->fd, &count, sizeof(count)) < 0)
		return;
	poller->looks++;
	poller->awake = poller->look(poller->context);
	if (poller->awake)
		arm(poller);
}

int poller_open(struct poller *poller, struct loop *loop, bool (*look)(void *context),
                void *context)
{
	int rc;

	*poller = (struct poller){.loop = loop, .look = look, .context = context};
	poller->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (poller->fd < 0)
		return -errno;
	rc = loop_add_fd(loop, poller->fd, LOOP_READABLE, on_time, poller);
	if (rc < 0)
		close(poller->fd);
	return rc;
}

void poller_close(struct poller *poller)
{
	loop_remove_fd(poller->loop, poller->fd);
	close(poller->fd);
}

void poller_wake(struct poller *poller)
{
	poller->looks = 0;
	if (!poller->awake)
		arm(poller);
	poller->awake = true;
}
