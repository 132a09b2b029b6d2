/* See disabled_rings.h. */
#include "vhost/disabled_rings.h"

#include "vhost/event_fd.h"
#include "vhost/features.h"
#include "vhost/views.h"
#include "virtqueue/discard.h"

#define RINGS_FROM_GUEST UINT64_C(0xaaaaaaaaaaaaaaaa) /* the odd ones */

/* Takes from the workers those that have been disabled for long enough. Any change among them has
 * all begin to wait anew: a queue that comes and goes is none that is left behind. */
static void take(struct vhost_session *session, uint64_t disabled, uint64_t now_ms)
{
	uint64_t others = disabled & ~session->withheld;

	if (others != session->disabled) {
		session->disabled = others;
		session->disabled_since_ms = now_ms;
	}
	if (others == 0 || now_ms - session->disabled_since_ms < DISABLED_RINGS_MS)
		return;
	views_withhold(session, others);
	session->withheld_token = session->host.grace_begin(session->host.context);
}

/* The next of these, one after the other. */
static unsigned next_of(uint64_t rings, unsigned before)
{
	uint64_t behind = rings & ~(ring_bit(before) | (ring_bit(before) - 1));

	return (unsigned)__builtin_ctzll(behind != 0 ? behind : rings);
}

static void empty(struct vhost_session *session, unsigned ring)
{
	struct virtqueue *virtqueue = &session->host.virtqueues[ring];
	bool call;
	uint16_t n = virtqueue_discard(virtqueue, session->views[ring], &call);

	atomic_fetch_add_explicit(&session->host.summary->discarded[ring], n, memory_order_relaxed);
	if (!call)
		return;
	__atomic_store_n(&virtqueue->calls, virtqueue->calls + 1, __ATOMIC_RELAXED);
	event_fd_signal(session->call_fds[ring]);
}

void disabled_rings_look(struct vhost_session *session, uint64_t now_ms)
{
	uint64_t disabled = session->running & ~session->enabled & RINGS_FROM_GUEST;

	/* While a message is under way, or rings pause for one, their views may change. */
	if (session->phase != SESSION_PHASE_READY || session->paused != 0)
		return;
	if (!session_has(session, FEATURE_PROTOCOL)) /* then there is no such state */
		disabled = 0;
	take(session, disabled, now_ms);
	if (session->withheld == 0 ||
	    !session->host.grace_over(session->host.context, session->withheld_token))
		return;
	session->emptied = next_of(session->withheld, session->emptied);
	/* A fault is for the next look at faults. */
	if (atomic_load_explicit(&session->host.virtqueues[session->emptied].fault,
	                         memory_order_relaxed) == FAULT_NONE)
		empty(session, session->emptied);
}
