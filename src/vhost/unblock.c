/* See unblock.h. */
#include "vhost/unblock.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define UNBLOCK_SIGNAL SIGURG

/* Of the one thread that uses unblock_begin. */
static struct {
	timer_t timer;
	bool is_made;
} own;

/* That it comes is all. */
static void on_signal(int signal)
{
	(void)signal;
}

int unblock_install(void)
{
	struct sigaction action = {.sa_handler = on_signal}; /* not SA_RESTART */

	sigemptyset(&action.sa_mask);
	return sigaction(UNBLOCK_SIGNAL, &action, NULL) < 0 ? -errno : 0;
}

/* A signal that comes just before the write is lost on it; the next look sends another. */
void unblock_look(struct unblock_watch *watch, const struct virtqueue *virtqueues, uint64_t rings,
                  uint64_t now_ms)
{
	uint64_t calling = 0;

	if (!unblock_is_due(watch, now_ms))
		return;
	watch->looked_ms = now_ms;
	for (; rings != 0; rings &= rings - 1) {
		unsigned ring = (unsigned)__builtin_ctzll(rings);
		int caller = atomic_load_explicit(&virtqueues[ring].caller, memory_order_relaxed);
		uint64_t calls = __atomic_load_n(&virtqueues[ring].calls, __ATOMIC_RELAXED);

		if (caller == 0)
			continue;
		calling |= UINT64_C(1) << ring;
		if ((watch->calling >> ring & 1) != 0 && watch->calls[ring] == calls)
			(void)syscall(SYS_tgkill, getpid(), caller, UNBLOCK_SIGNAL);
		watch->calls[ring] = calls;
	}
	watch->calling = calling;
}

static bool make_timer(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = UNBLOCK_SIGNAL};

	event._sigev_un._tid = (int)syscall(SYS_gettid);
	own.is_made = timer_create(CLOCK_MONOTONIC, &event, &own.timer) == 0;
	return own.is_made;
}

bool unblock_begin(void)
{
	const struct timespec each = {.tv_nsec = UNBLOCK_LOOK_MS * 1000000L};
	const struct itimerspec times = {.it_value = each, .it_interval = each};

	return (own.is_made || make_timer()) && timer_settime(own.timer, 0, &times, NULL) == 0;
}

void unblock_end(void)
{
	const struct itimerspec never = {0};

	(void)timer_settime(own.timer, 0, &never, NULL);
}
