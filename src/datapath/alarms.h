/* Alarms: what wakes a worker that sleeps. Its plan's lanes have one each where their sources can
 * tell of packets: guests by their kicks (virtio 1.2, 2.7.7 and 2.8.10), VFs by their driver's
 * interrupt. Lanes without are looked at by time.
 *
 * The order keeps wake-ups from being lost: what is old is taken out of the epoll set first, since
 * later it would be taken for new; then all are armed; then there is a full fence; then the worker
 * walks its whole plan once more; and only if that has found nothing, it waits. Whoever leaves
 * something for a worker in another way (a plan, a ring) writes to its wake_fd afterwards, always.
 *
 * One epoll set a worker, for life. Descriptors of a guest's are taken out of it by the protocol
 * thread before it closes them (workers_forget): the front end has copies of them, so that closing
 * would not. What the set holds for a plan goes when the worker arms for the next one. Nothing that
 * an event says is more than a hint.
 *
 * Workers, each its own; none of this is called while a lane has work.
 */
#ifndef DATAPATH_ALARMS_H
#define DATAPATH_ALARMS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "datapath/plan.h"

#define ALARMS_AT_ONCE 32 /* events taken by one call; others wait for the next */

struct alarms {
	int epoll_fd;     /* the worker's; others may take descriptors out of it */
	int wake_fd;      /* the worker's, in the set with ALARMS_WAKE */
	bool set;         /* all that can be armed is, as far as is known */
	bool untold;      /* the worker has slept to the end, and found something all the same */
	unsigned n_timed; /* lanes that are looked at by time */
	uint64_t works;   /* idle.works when they were set */
	unsigned n_fired; /* events of the last wait or flush */
	uint32_t fired[ALARMS_AT_ONCE]; /* [n_fired]: index in the plan, or ALARMS_WAKE */
};

#define ALARMS_WAKE UINT32_MAX

/* 0 or -errno. */
int alarms_open(struct alarms *alarms, int wake_fd);
void alarms_close(struct alarms *alarms);

/* Arms the lanes of the plan. The worker then walks it once more before it waits. Those of an empty
 * plan are none, and what the set holds stays. What had gone off before is in `fired`. */
void alarms_set(struct alarms *alarms, const struct plan *plan, uint64_t works);

/* Whether they are, and nothing has happened since. */
static inline bool alarms_are_set(const struct alarms *alarms, const struct plan *plan,
                                  uint64_t works)
{
	return alarms->set && plan->alarms->entered && alarms->works == works;
}

/* Whether there is nothing to be had from the lanes that are armed: a walk that has moved nothing
 * may have lacked packet buffers, or room. After alarms_set and a walk. */
bool alarms_are_quiet(const struct plan *plan);

/* Waits until an alarm goes off, or for so long; NULL = for ever. The caller is offline. Touches
 * nothing of a plan's. Returns how many events there are. */
unsigned alarms_wait(struct alarms *alarms, const struct timespec *limit);

/* Has the VFs' drivers among those that went off know that the worker is awake. The plan is the one
 * that holds now, be it another than when they did. Returns whether one was a guest's or a VF's
 * (and not the worker's own wake_fd), and which. */
struct alarms_heard {
	bool guest, vf, wake;
};
struct alarms_heard alarms_heed(struct alarms *alarms, const struct plan *plan);

/* The worker is awake, and stays so: guests and VFs that tell of each burst are told not to, after
 * a few passes with work. */
void alarms_spare(const struct plan *plan);

#endif
