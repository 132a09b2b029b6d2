/* Bonds whose members come and go. A member that was reset by its PF, or has left the machine, is
 * taken out while the others go on, and taken back when it is there again; only when none is left
 * the whole VF counts as lost. The work is done on the device thread while the lanes run on, so a
 * removal that comes meanwhile waits for it. Control thread only, but for mend_run.
 *
 * A member that goes again soon after it has come is taken out at once, but back later each time:
 * the others would suffer from a bond that changes all the time.
 */
#include "relay/members.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "base/log.h"
#include "events/events.h"
#include "relay/vf_life.h"

static struct vf_mend_job *mend_of_job(struct job *job)
{
	return CONTAINER_OF(job, struct vf_mend_job, job);
}

static void mend_run(struct job *job)
{
	struct vf_mend_job *mend = mend_of_job(job);

	mend->rc = vf_mend(&mend->vf, &mend->params, mend->lost, mend->wanted, mend->workers,
	                   &mend->mended, &mend->err);
}

static void on_retry(void *context)
{
	members_mend(context);
}

/* When the first of those that are absent is due. */
static void retry_later(struct relay *relay)
{
	uint64_t now_ms = clock_now_ms(), due_ms = UINT64_MAX;

	for (unsigned i = 0; i < relay->vf_end.vf.n_members; i++)
		if (!relay->vf_end.vf.members[i].present)
			due_ms = RTE_MIN(due_ms, relay->vf_end.mending.due_ms[i]);
	if (due_ms != UINT64_MAX)
		loop_timer_start(relay->relays->loop, &relay->vf_end.retry,
		                 due_ms > now_ms ? due_ms - now_ms : 0, on_retry, relay);
}

static void member_is_lost(struct relay *relay, unsigned index, uint64_t now_ms)
{
	struct backoff *backoff = &relay->vf_end.mending.backoff[index];
	unsigned wait_ms = 0;

	if (!backoff_lost(backoff, now_ms)) {
		wait_ms = backoff_wait_ms(backoff);
		log_notice("relay %u: %s goes again and again; %s takes it back in %u ms, if it is "
		           "there then",
		           relay->id, relay->vf_end.bond.members[index].name,
		           relay->vf_end.device.name, wait_ms);
	}
	relay->vf_end.mending.due_ms[index] = now_ms + wait_ms;
}

/* Which of the absent, and of the lost, are due. */
static unsigned members_wanted(struct relay *relay, unsigned lost)
{
	uint64_t now_ms = clock_now_ms();
	unsigned wanted = 0;

	for (unsigned i = 0; i < relay->vf_end.vf.n_members; i++) {
		if (relay->vf_end.vf.members[i].present) {
			if ((lost >> i & 1) == 0)
				continue;
			member_is_lost(relay, i, now_ms);
		}
		if (relay->vf_end.mending.due_ms[i] <= now_ms)
			wanted |= 1U << i;
	}
	return wanted;
}

/* After a try of those that were wanted. */
static void members_tried(struct relay *relay, unsigned wanted)
{
	uint64_t now_ms = clock_now_ms();

	for (unsigned i = 0; i < relay->vf_end.vf.n_members; i++) {
		struct backoff *backoff = &relay->vf_end.mending.backoff[i];

		if ((wanted >> i & 1) == 0)
			continue;
		if (relay->vf_end.vf.members[i].present)
			backoff_well(backoff, now_ms);
		else
			relay->vf_end.mending.due_ms[i] = now_ms + backoff_wait_ms(backoff);
	}
}

/* What the bond's members counted before they were given up is in no later reading. */
static void keep_counts(struct relay *relay, const struct vf_mended *mended)
{
	for (unsigned i = 0; i < relay->vf_end.vf.n_members; i++) {
		vf_counts_add(&relay->vf_end.mending.past[i], &mended->gone[i]);
		vf_counts_add(&relay->vf_end.past, &mended->gone[i]);
	}
	relay->vf_end.health = mended->health;
}

static void tell_member(const struct relay *relay, enum event_id id, const char *member,
                        const char *line)
{
	events_tell(&(struct event){.id = id,
	                            .relay = (int)relay->id,
	                            .values = {{EVENT_FIELD_DEVICE, 0, relay->vf_end.device.name},
	                                       {EVENT_FIELD_MEMBER, 0, member}}},
	            EVENT_UNLIMITED, "relay %u: %s", relay->id, line);
}

static void tell_changes(const struct relay *relay, const struct vf_mend_job *mend)
{
	const char *bond = relay->vf_end.device.name;
	char line[ERROR_TEXT_MAX];

	for (unsigned i = 0; i < relay->vf_end.vf.n_members; i++) {
		const char *name = relay->vf_end.bond.members[i].name;

		if (mend->mended.returned >> i & 1) {
			snprintf(line, sizeof(line), "%s is a member of %s again", name, bond);
			tell_member(relay, EVENT_MEMBER_BACK, name, line);
		} else if (mend->lost >> i & 1) {
			snprintf(line, sizeof(line),
			         "%s was reset by its PF or has left the machine; %s goes on "
			         "without it until it is there again",
			         name, bond);
			tell_member(relay, EVENT_MEMBER_LOST, name, line);
		}
	}
}

static void mend_done(struct job *job)
{
	struct vf_mend_job *mend = mend_of_job(job);
	struct relay *relay = CONTAINER_OF(mend, struct relay, vf_end.mending.job);

	relay->vf_end.mending.busy = false;
	if (mend->rc >= 0) {
		memcpy(relay->vf_end.vf.members, mend->vf.members,
		       sizeof(relay->vf_end.vf.members));
		relay->vf_end.vf.generation = mend->vf.generation;
		members_tried(relay, mend->wanted);
		keep_counts(relay, &mend->mended);
		tell_changes(relay, mend);
	}
	if (relay->vf_end.phase == VF_LEAVING) {
		relay_changed(relay); /* nothing keeps it any more */
		return;
	}
	if (mend->rc < 0) {
		vf_life_return(relay);
		return;
	}
	if (mend->rc > 0 && mend->err.text[0] != '\0')
		log_info("relay %u: %d members of %s are absent: %s", relay->id, mend->rc,
		         relay->vf_end.device.name, mend->err.text);
	retry_later(relay);
	if (atomic_load(&relay->vf_end.lost_members) != 0)
		members_mend(relay);
}

void members_mend(struct relay *relay)
{
	struct vf_mend_job *mend = &relay->vf_end.mending.job;

	if (relay->vf_end.mending.busy) /* its end looks for more */
		return;
	loop_timer_stop(&relay->vf_end.retry);
	memset(mend, 0, sizeof(*mend));
	mend->job.run = mend_run;
	mend->job.done = mend_done;
	mend->workers = relay->relays->workers;
	mend->params = vf_life_params(relay);
	mend->vf = relay->vf_end.vf;
	mend->lost = atomic_exchange(&relay->vf_end.lost_members, 0);
	mend->wanted = members_wanted(relay, mend->lost);
	relay->vf_end.mending.busy = true;
	job_submit(relay->relays->device_thread, &mend->job);
}

void members_attached(struct relay *relay)
{
	members_tried(relay, ~0U);
	retry_later(relay);
}
