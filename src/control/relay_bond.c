/* Bonds whose members come and go. A member that was reset by its PF, or has left the machine, is
 * taken out while the others go on, and taken back when it is there again; only when none is left
 * the whole VF counts as lost. The work is done on the device thread while the lanes run on, so a
 * removal that comes meanwhile waits for it. Control thread only, but for mend_run.
 */
#include <string.h>

#include "base/log.h"
#include "control/relay.h"

#define RETRY_FIRST_MS   100U
#define RETRY_LONGEST_MS 10000U

void losses_add(struct control_vf_losses *sum, const struct vf_counts *counts)
{
	sum->missed += counts->missed;
	sum->no_mbuf += counts->no_mbuf;
	sum->rx_errors += counts->rx_errors;
	sum->tx_errors += counts->tx_errors;
}

void counts_add(struct vf_counts *sum, const struct vf_counts *counts)
{
	sum->missed += counts->missed;
	sum->no_mbuf += counts->no_mbuf;
	sum->rx_errors += counts->rx_errors;
	sum->tx_errors += counts->tx_errors;
	sum->rx_pkts += counts->rx_pkts;
	sum->rx_bytes += counts->rx_bytes;
	sum->tx_pkts += counts->tx_pkts;
	sum->tx_bytes += counts->tx_bytes;
}

static void mend_run(struct job *job)
{
	struct mend_job *mend = (struct mend_job *)job;

	mend->rc = vf_mend(&mend->vf, &mend->params, mend->lost, mend->relay->control->workers,
	                   &mend->mended, &mend->err);
}

static void on_retry(void *context)
{
	relay_bond_mend(context);
}

static void retry_later(struct relay *relay)
{
	loop_timer_start(relay->control->loop, &relay->retry, relay->retry_ms, on_retry, relay);
	relay->retry_ms = RTE_MIN(relay->retry_ms * 2, RETRY_LONGEST_MS);
}

/* What the bond's members counted before they were given up is in no later reading. */
static void keep_counts(struct relay *relay, const struct vf_mended *mended)
{
	for (unsigned i = 0; i < relay->vf.n_members; i++) {
		counts_add(&relay->member_past[i], &mended->gone[i]);
		losses_add(&relay->losses, &mended->gone[i]);
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
	if (mend->rc > 0) {
		log_info("relay %u: %d members of %s are absent: %s", relay->id, mend->rc,
		         relay->device.name, mend->err.text);
		retry_later(relay);
	}
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
	if (mend->lost != 0)
		relay->retry_ms = RETRY_FIRST_MS;
	relay->mending = true;
	job_submit(relay->control->device_thread, &mend->job);
}

void relay_bond_attached(struct relay *relay)
{
	bool complete = true;

	for (unsigned i = 0; i < relay->vf.n_members; i++)
		complete &= relay->vf.members[i].present;
	if (complete)
		return;
	relay->retry_ms = RETRY_FIRST_MS;
	retry_later(relay);
}

void relay_bond_read(const struct relay *relay, struct control_relay *out)
{
	out->bond_mode = relay->bond.mode;
	out->n_members = relay->vf.n_members;
	for (unsigned i = 0; i < out->n_members; i++) {
		const struct vf_member_health *health = &relay->health.members[i];
		struct control_member *member = &out->members[i];
		struct vf_counts counts = relay->member_past[i];

		counts_add(&counts, &health->counts);
		device_spec_label(&relay->bond.members[i], member->label);
		member->present = relay->vf.members[i].present;
		member->active = health->active;
		member->link_up = health->link_up;
		member->link_speed_mbps = health->link_speed_mbps;
		member->rx_pkts = counts.rx_pkts;
		member->rx_bytes = counts.rx_bytes;
		member->tx_pkts = counts.tx_pkts;
		member->tx_bytes = counts.tx_bytes;
		losses_add(&member->losses, &counts);
	}
}
