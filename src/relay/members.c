/* Bonds whose members come and go. A member that was reset by its PF, or has left the machine, is
 * taken out while the others go on, and taken back when it is there again; only when none is left
 * the whole VF counts as lost. The work is done on the device thread while the lanes run on, so a
 * removal that comes meanwhile waits for it. Control thread only, but for mend_run.
 *
 * A member that goes again soon after it has come is taken out at once, but back later each time:
 * the others would suffer from a bond that changes all the time.
 */
#include <string.h>

#include "base/log.h"
#include "relay/relay.h"

static void mend_run(struct job *job)
{
	struct mend_job *mend = (struct mend_job *)job;

	mend->rc = vf_mend(&mend->vf, &mend->params, mend->lost, mend->wanted,
	                   mend->relay->control->workers, &mend->mended, &mend->err);
}

static void on_retry(void *context)
{
	relay_bond_mend(context);
}

/* When the first of those that are absent is due. */
static void retry_later(struct relay *relay)
{
	uint64_t now_ms = loop_now_ms(), due_ms = UINT64_MAX;

	for (unsigned i = 0; i < relay->vf.n_members; i++)
		if (!relay->vf.members[i].present)
			due_ms = RTE_MIN(due_ms, relay->member_due_ms[i]);
	if (due_ms != UINT64_MAX)
		loop_timer_start(relay->control->loop, &relay->retry,
		                 due_ms > now_ms ? due_ms - now_ms : 0, on_retry, relay);
}

static void member_is_lost(struct relay *relay, unsigned index, uint64_t now_ms)
{
	struct backoff *backoff = &relay->member_backoff[index];
	unsigned wait_ms = 0;

	if (!backoff_lost(backoff, now_ms)) {
		wait_ms = backoff_wait_ms(backoff);
		log_notice("relay %u: %s goes again and again; %s takes it back in %u ms, if it is "
		           "there then",
		           relay->id, relay->bond.members[index].name, relay->device.name, wait_ms);
	}
	relay->member_due_ms[index] = now_ms + wait_ms;
}

/* Which of the absent, and of the lost, are due. */
static unsigned members_wanted(struct relay *relay, unsigned lost)
{
	uint64_t now_ms = loop_now_ms();
	unsigned wanted = 0;

	for (unsigned i = 0; i < relay->vf.n_members; i++) {
		if (relay->vf.members[i].present) {
			if ((lost >> i & 1) == 0)
				continue;
			member_is_lost(relay, i, now_ms);
		}
		if (relay->member_due_ms[i] <= now_ms)
			wanted |= 1U << i;
	}
	return wanted;
}

/* After a try of those that were wanted. */
static void members_tried(struct relay *relay, unsigned wanted)
{
	uint64_t now_ms = loop_now_ms();

	for (unsigned i = 0; i < relay->vf.n_members; i++) {
		struct backoff *backoff = &relay->member_backoff[i];

		if ((wanted >> i & 1) == 0)
			continue;
		if (relay->vf.members[i].present)
			backoff_well(backoff, now_ms);
		else
			relay->member_due_ms[i] = now_ms + backoff_wait_ms(backoff);
	}
}

/* What the bond's members counted before they were given up is in no later reading. */
static void keep_counts(struct relay *relay, const struct vf_mended *mended)
{
	for (unsigned i = 0; i < relay->vf.n_members; i++) {
		vf_counts_add(&relay->member_past[i], &mended->gone[i]);
		vf_counts_add(&relay->vf_past, &mended->gone[i]);
	}
	relay->health = mended->health;
}

static void log_changes(const struct relay *relay, const struct mend_job *mend)
{
	for (unsigned i = 0; i < relay->vf.n_members; i++) {
		const char *name = relay->bond.members[i].name;

		if (mend->mended.returned >> i & 1)
			log_notice("relay %u: %s is a member of %s again", relay->id, name,
			           relay->device.name);
		else if (mend->lost >> i & 1)
			log_warn("relay %u: %s was reset by its PF or has left the machine; %s "
			         "goes on without it until it is there again",
			         relay->id, name, relay->device.name);
	}
}

static void mend_done(struct job *job)
{
	struct mend_job *mend = (struct mend_job *)job;
	struct relay *relay = mend->relay;

	relay->mending = false;
	if (mend->rc >= 0) {
		memcpy(relay->vf.members, mend->vf.members, sizeof(relay->vf.members));
		relay->vf.generation = mend->vf.generation;
		members_tried(relay, mend->wanted);
		keep_counts(relay, &mend->mended);
		log_changes(relay, mend);
	}
	if (relay->vf_phase == VF_LEAVING) {
		relay_vf_unplanned(relay->control);
		return;
	}
	if (mend->rc < 0) {
		relay_vf_return(relay);
		return;
	}
	if (mend->rc > 0 && mend->err.text[0] != '\0')
		log_info("relay %u: %d members of %s are absent: %s", relay->id, mend->rc,
		         relay->device.name, mend->err.text);
	retry_later(relay);
	if (atomic_load(&relay->lost_members) != 0)
		relay_bond_mend(relay);
}

void relay_bond_mend(struct relay *relay)
{
	struct mend_job *mend = &relay->mend_job;

	if (relay->mending) /* its end looks for more */
		return;
	loop_timer_stop(&relay->retry);
	memset(mend, 0, sizeof(*mend));
	mend->job.run = mend_run;
	mend->job.done = mend_done;
	mend->relay = relay;
	mend->params = relay_vf_params(relay);
	mend->vf = relay->vf;
	mend->lost = atomic_exchange(&relay->lost_members, 0);
	mend->wanted = members_wanted(relay, mend->lost);
	relay->mending = true;
	job_submit(relay->control->device_thread, &mend->job);
}

void relay_bond_attached(struct relay *relay)
{
	members_tried(relay, ~0U);
	retry_later(relay);
}

void relay_bond_read(const struct relay *relay, struct control_relay *out)
{
	out->bond_mode = relay->bond.mode;
	out->n_members = relay->vf.n_members;
	for (unsigned i = 0; i < out->n_members; i++) {
		const struct vf_member_health *health = &relay->health.members[i];
		struct control_member *member = &out->members[i];

		device_spec_label(&relay->bond.members[i], member->label);
		member->present = relay->vf.members[i].present;
		member->active = health->active;
		member->link_up = health->link_up;
		member->link_speed_mbps = health->link_speed_mbps;
		member->counts = relay->member_past[i];
		vf_counts_add(&member->counts, &health->counts);
	}
}
