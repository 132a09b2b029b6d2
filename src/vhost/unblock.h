/* Writing to a front end's eventfd must not block, and a flag sees to that; but the flag is one
 * that the front end shares, and can take away while it keeps the counter full. Whoever writes then
 * is stuck, until a signal frees it: a write that was interrupted is given up.
 *
 * The signal is SIGURG, which nothing else in the process uses.
 */
#ifndef VHOST_UNBLOCK_H
#define VHOST_UNBLOCK_H

#include <stdint.h>

#include "virtqueue/ring.h"

/* Once, before the first front end is served. 0 or -errno. */
int unblock_install(void);

/* Who is at work on interrupts of several rings: one look's findings, for the next. Zero at first.
 * One thread's at a time. */
struct unblock_watch {
	uint64_t calls[64]; /* [ring]: interrupts sent so far … */
	uint64_t calling;   /* … and bit r: another was being sent */
	uint64_t looked_ms;
};

/* Looks at the rings in the mask, for which interrupts are being sent, at most every
 * UNBLOCK_LOOK_MS. Whoever was at the same interrupt the last time is sent the signal: it may be
 * stuck, or have had no CPU since, when that does nothing. What has come of it, virtqueue->blocked
 * tells. */
#define UNBLOCK_LOOK_MS 20
void unblock_look(struct unblock_watch *watch, const struct virtqueue *virtqueues, uint64_t rings,
                  uint64_t now_ms);

/* Whether that would do something. */
static inline bool unblock_is_due(const struct unblock_watch *watch, uint64_t now_ms)
{
	return now_ms - watch->looked_ms >= UNBLOCK_LOOK_MS;
}

/* Around a write of the calling thread's own: it is freed after UNBLOCK_LOOK_MS. One thread of the
 * process. begin returns false if that cannot be seen to; then there is no end. */
bool unblock_begin(void);
void unblock_end(void);

#endif
