/* See alarms.h. */
#include "datapath/alarms.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <rte_ethdev.h>

/* Passes with work after which a worker is taken to stay awake. Until then each of them may cost a
 * guest a kick; who sleeps soon again saves what arming costs. */
#define SPARE_AFTER 32

/* --- the set -----------------------------------------------------------------------------------
 */

static int watch(int epoll_fd, int fd, uint32_t number, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u32 = number};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
		return 0;
	/* Known by another number. */
	if (errno == EEXIST && epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0)
		return 0;
	return -errno;
}

static int set_create(int wake_fd)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	if (epoll_fd < 0)
		return -errno;
	int rc = watch(epoll_fd, wake_fd, ALARMS_WAKE, EPOLLIN);
	if (rc == 0)
		return epoll_fd;
	close(epoll_fd);
	return rc;
}

int alarms_open(struct alarms *alarms, int wake_fd)
{
	*alarms = (struct alarms){.epoll_fd = set_create(wake_fd), .wake_fd = wake_fd};
	return alarms->epoll_fd < 0 ? alarms->epoll_fd : 0;
}

void alarms_close(struct alarms *alarms)
{
	if (alarms->epoll_fd >= 0)
		close(alarms->epoll_fd);
	alarms->epoll_fd = -1;
}

/* An empty set takes the other's place under its number, which others go by. Without one, what is
 * in it wakes for nothing at times. */
static void set_empty(struct alarms *alarms)
{
	int fresh = set_create(alarms->wake_fd);

	if (fresh < 0)
		return;
	(void)dup3(fresh, alarms->epoll_fd, O_CLOEXEC);
	close(fresh);
}

static void take_events(struct alarms *alarms)
{
	struct epoll_event events[ALARMS_AT_ONCE];
	int n = epoll_wait(alarms->epoll_fd, events, ALARMS_AT_ONCE, 0);

	alarms->n_fired = n > 0 ? (unsigned)n : 0;
	for (unsigned i = 0; i < alarms->n_fired; i++)
		alarms->fired[i] = events[i].data.u32;
}

/* --- one lane ----------------------------------------------------------------------------------
 */

static bool arm_vf(const struct alarms *alarms, const struct lane_work *work,
                   struct lane_alarm *alarm, uint32_t number)
{
	const struct vf_alarm *vf = &work->vf_alarm;

	if (vf->kind == VF_ALARM_NONE)
		return false;
	if (!alarm->watched)
		alarm->watched =
		        watch(alarms->epoll_fd, vf->fd, number,
		              vf->kind == VF_ALARM_READABLE ? EPOLLIN : EPOLLIN | EPOLLET) == 0;
	if (vf->kind == VF_ALARM_INTERRUPT && !alarm->armed)
		alarm->armed = rte_eth_dev_rx_intr_enable(work->port_id, work->vf_queue) == 0;
	return alarm->watched && (alarm->armed || vf->kind == VF_ALARM_READABLE);
}

static void spare_vf(const struct lane_work *work, struct lane_alarm *alarm)
{
	if (work->vf_alarm.kind != VF_ALARM_INTERRUPT)
		return;
	(void)rte_eth_dev_rx_intr_disable(work->port_id, work->vf_queue);
	alarm->armed = false;
}

static inline bool is_from_guest(const struct lane_work *work)
{
	return work->lane->direction == LANE_VM_TO_VF;
}

static bool arm_guest(const struct alarms *alarms, const struct lane_work *work,
                      struct lane_alarm *alarm, uint32_t number)
{
	struct wake_source source;

	if (work->guest == NULL || work->guest->ops->arm == NULL ||
	    !work->guest->ops->arm(work->guest, work->guest_queue, &source))
		return false;
	/* One that was written to before wakes the worker at once, for nothing. */
	if (alarm->serial != source.serial &&
	    watch(alarms->epoll_fd, source.fd, number, EPOLLIN | EPOLLET) == 0)
		alarm->serial = source.serial;
	return alarm->serial == source.serial;
}

/* --- all of them -------------------------------------------------------------------------------
 */

void alarms_set(struct alarms *alarms, const struct plan *plan, uint64_t works)
{
	struct plan_alarms *known = plan->alarms;

	if (!known->entered)
		set_empty(alarms);
	known->entered = true;
	known->quiet = false;
	known->works = 0;
	take_events(alarms);
	(void)alarms_heed(alarms, plan);
	alarms->n_timed = 0;
	for (unsigned i = 0; i < plan->n_works; i++) {
		const struct lane_work *work = &plan->works[i];
		struct lane_alarm *alarm = &known->lanes[i];
		bool armed = is_from_guest(work) ? arm_guest(alarms, work, alarm, i)
		                                 : arm_vf(alarms, work, alarm, i);

		alarm->awaited = armed && !work->calls_by_time;
		alarms->n_timed += !alarm->awaited;
	}
	/* What is looked at from here on is looked at after all was told to tell. */
	atomic_thread_fence(memory_order_seq_cst);
	alarms->works = works;
	alarms->set = true;
}

bool alarms_are_quiet(const struct plan *plan)
{
	for (unsigned i = 0; i < plan->n_works; i++)
		if (plan->alarms->lanes[i].awaited && plan->works[i].look != NULL &&
		    !idle_look_sees_nothing(plan->works[i].look))
			return false;
	return true;
}

unsigned alarms_wait(struct alarms *alarms, const struct timespec *limit)
{
	struct pollfd set = {.fd = alarms->epoll_fd, .events = POLLIN};

	alarms->n_fired = 0;
	if (ppoll(&set, 1, limit, NULL) > 0)
		take_events(alarms);
	return alarms->n_fired;
}

static void heed_one(struct alarms *alarms, const struct plan *plan, uint32_t number,
                     struct alarms_heard *heard)
{
	uint64_t count;

	if (number == ALARMS_WAKE) {
		heard->wake = true;
		(void)!read(alarms->wake_fd, &count, sizeof(count));
		return;
	}
	if (number >= plan->n_works)
		return; /* of a plan that was longer */
	if (is_from_guest(&plan->works[number])) {
		heard->guest = true;
		return;
	}
	heard->vf = true;
	spare_vf(&plan->works[number], &plan->alarms->lanes[number]);
}

struct alarms_heard alarms_heed(struct alarms *alarms, const struct plan *plan)
{
	struct alarms_heard heard = {false, false, false};

	for (unsigned i = 0; i < alarms->n_fired; i++)
		heed_one(alarms, plan, alarms->fired[i], &heard);
	if (alarms->n_fired > 0)
		alarms->set = false;
	return heard;
}

void alarms_spare(const struct plan *plan)
{
	struct plan_alarms *known = plan->alarms;

	if (++known->works < SPARE_AFTER)
		return;
	known->quiet = true;
	for (unsigned i = 0; i < plan->n_works; i++) {
		const struct lane_work *work = &plan->works[i];

		if (!is_from_guest(work))
			spare_vf(work, &known->lanes[i]);
		else if (work->guest != NULL && work->guest->ops->arm != NULL)
			work->guest->ops->spare(work->guest, work->guest_queue);
	}
}
