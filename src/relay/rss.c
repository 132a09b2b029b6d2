/* A VF's RSS table follows its guest's queues: a VF whose guest has enabled fewer pairs than the VF
 * has queues receives by as many of them, and one whose guest has more gets the queues that serve
 * two of the guest's a larger share. The table alone changes while traffic flows; the device thread
 * does it, since a driver may ask its PF. Control thread only, but for rss_run.
 *
 * While one change is under way others may come to be wanted: what counts is asked again at its
 * end, so a guest that enables 32 pairs one by one makes a few changes, not 32.
 */
#include <string.h>

#include "base/log.h"
#include "relay/relay.h"
#include "vf/rss.h"

static void rss_run(struct job *job)
{
	struct relay_rss *rss = (struct relay_rss *)job;

	rss->rc = vf_rss_spread(&rss->vf, rss->guest_queues);
}

/* Without a guest all of the VF's queues are as good as any. */
static unsigned wanted_by(const struct relay *relay)
{
	unsigned n = (unsigned)__builtin_popcount(relay->guest.rx_queues);

	return relay->guest.connected && n > 0 ? n : relay->vf.n_queues;
}

static unsigned set_up_for(const struct relay *relay)
{
	return relay->rss.set_up_for > 0 ? relay->rss.set_up_for : relay->vf.n_queues;
}

static void follow(struct relay *relay);

static void rss_done(struct job *job)
{
	struct relay_rss *rss = (struct relay_rss *)job;
	struct relay *relay = (struct relay *)((char *)rss - offsetof(struct relay, rss));

	rss->busy = false;
	if (relay->vf_phase != VF_ATTACHED) /* on its way out; nothing attaches before this */
		return;
	rss->set_up_for = rss->guest_queues; /* or it would be tried again for ever */
	if (rss->rc < 0) {
		log_debug("relay %u: %s keeps its RSS table: %s", relay->id, relay->device.name,
		          strerror(-rss->rc));
	} else {
		rss->vf_queues = (unsigned)rss->rc;
		log_debug("relay %u: %s spreads flows over %u of its queues for %u of the guest's",
		          relay->id, relay->device.name, rss->vf_queues, rss->guest_queues);
	}
	follow(relay);
}

static void follow(struct relay *relay)
{
	struct relay_rss *rss = &relay->rss;

	if (relay->vf_phase != VF_ATTACHED || !relay->vf.has_rss || rss->busy ||
	    relay->control->quiesced || wanted_by(relay) == set_up_for(relay))
		return;
	rss->job.run = rss_run;
	rss->job.done = rss_done;
	rss->vf = relay->vf;
	rss->guest_queues = wanted_by(relay);
	rss->busy = true;
	job_submit(relay->control->device_thread, &rss->job);
}

void relay_rss_follow(struct control *control)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		follow(&control->relays[i]);
}
