/* A VF's RSS table follows its guest's queues: a VF whose guest has enabled fewer pairs than the VF
 * has queues receives by as many of them, and one whose guest has more gets the queues that serve
 * two of the guest's a larger share. The table alone changes while traffic flows; the device thread
 * does it, since a driver may ask its PF. Control thread only, but for rss_run.
 *
 * While one change is under way others may come to be wanted: what counts is asked again at its
 * end, so a guest that enables 32 pairs one by one makes a few changes, not 32.
 */
#include "relay/rss.h"

#include <string.h>

#include "base/container_of.h"
#include "base/log.h"
#include "vf/rss.h"

static void rss_run(struct job *job)
{
	struct vf_rss *rss = CONTAINER_OF(job, struct vf_rss, job);

	rss->rc = vf_rss_spread(&rss->vf, rss->guest_queues);
}

/* Without a guest all of the VF's queues are as good as any. */
static unsigned wanted_by(const struct relay *relay)
{
	unsigned n = (unsigned)__builtin_popcount(relay->guest_end.guest.rx_queues);

	return relay->guest_end.guest.connected && n > 0 ? n : relay->vf_end.vf.n_queues;
}

static unsigned set_up_for(const struct relay *relay)
{
	return relay->vf_end.rss.set_up_for > 0 ? relay->vf_end.rss.set_up_for
	                                        : relay->vf_end.vf.n_queues;
}

static void rss_done(struct job *job)
{
	struct vf_rss *rss = CONTAINER_OF(job, struct vf_rss, job);
	struct relay *relay = CONTAINER_OF(rss, struct relay, vf_end.rss);

	rss->busy = false;
	if (relay->vf_end.phase != VF_ATTACHED) /* on its way out; nothing attaches before this */
		return;
	rss->set_up_for = rss->guest_queues; /* or it would be tried again for ever */
	if (rss->rc < 0) {
		log_debug("relay %u: %s keeps its RSS table: %s", relay->id,
		          relay->vf_end.device.name, strerror(-rss->rc));
	} else {
		rss->vf_queues = (unsigned)rss->rc;
		log_debug("relay %u: %s spreads flows over %u of its queues for %u of the guest's",
		          relay->id, relay->vf_end.device.name, rss->vf_queues, rss->guest_queues);
	}
	rss_follow(relay);
}

void rss_follow(struct relay *relay)
{
	struct vf_rss *rss = &relay->vf_end.rss;

	if (relay->vf_end.phase != VF_ATTACHED || !relay->vf_end.vf.has_rss || rss->busy ||
	    relay->relays->quiesced || wanted_by(relay) == set_up_for(relay))
		return;
	rss->job.run = rss_run;
	rss->job.done = rss_done;
	rss->vf = relay->vf_end.vf;
	rss->guest_queues = wanted_by(relay);
	rss->busy = true;
	job_submit(relay->relays->device_thread, &rss->job);
}
