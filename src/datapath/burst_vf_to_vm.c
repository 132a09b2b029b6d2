/* From the VF to the guest: receive, send, hold back. A full guest queue, or one that pauses, never
 * stops the reading of the VF: the lane holds a bounded backlog, drops the newest packets beyond
 * it, and counts them. Called by the lane's owner only.
 *
 * A lane that serves several guest queues spreads flows over them, with a backlog for each: one
 * that stalls holds up its own flows alone. All of them share what a lane may hold back, since the
 * packet memory was measured for that before the guest was known.
 *
 * For guests that may be sent frames of several segments at once (work->join), a burst's segments
 * are joined on their way, in variants of their own. What the guest does not take is taken apart
 * again at once: so what waits is what has come, in bounds that are counted in packets, and is
 * right for whatever guest there is by then.
 */
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "datapath/backlog.h"
#include "datapath/burst.h"
#include "datapath/flow_hash.h"
#include "datapath/packets.h"
#include "offload/coalesce.h"

_Static_assert(COALESCE_MBUFS >= LANE_BURST, "what a burst was joined of comes out of it again");

static void drop_full(struct lane *lane, struct lane_loss *cause, struct rte_mbuf **pkts,
                      uint32_t n)
{
	packets_drop_full(&lane->counters, cause, pkts, n, packets_bytes(pkts, n));
}

static inline void count_sent(struct lane *lane, uint32_t n, uint64_t bytes)
{
	counter_add(&lane->counters.tx_pkts, n);
	counter_add(&lane->counters.tx_bytes, bytes);
}

/* What becomes of a burst that was not accepted as a whole. Not inline: the others are spared what
 * this one needs to remember. */
static __rte_noinline int sent_less(struct lane *lane, struct rte_mbuf **pkts, uint32_t n,
                                    uint64_t bytes, int sent)
{
	if (sent == END_PAUSED)
		return END_PAUSED;
	if (sent == END_BROKEN) {
		packets_drop_full(&lane->counters, &lane->counters.malformed, pkts, n, bytes);
		return (int)n;
	}
	if (sent < 0) {
		packets_drop_absent(&lane->counters, &lane->counters.absent[ABSENT_LEFT], pkts, n,
		                    bytes);
		return (int)n;
	}
	count_sent(lane, (uint32_t)sent, bytes - packets_bytes(pkts + sent, n - (uint32_t)sent));
	return sent;
}

/* The sink. Sends to one of the guest's queues from the front of pkts; `bytes` is the length of all
 * n. Returns how many are done with, all of them when the guest is gone or its ring is broken; or
 * END_PAUSED, and none is.
 */
static inline int send_to_guest(const struct lane_work *work, uint16_t queue,
                                struct rte_mbuf **pkts, uint32_t n, uint64_t bytes)
{
	int sent = work->to_guest(work->guest, queue, pkts, (uint16_t)n);

	if (unlikely(sent != (int)n))
		return sent_less(work->lane, pkts, n, bytes, sent);
	count_sent(work->lane, n, bytes);
	return sent;
}

/* --- joined -------------------------------------------------------------------------------- */

uint32_t burst_join(uint64_t features)
{
	return coalesce_versions(features);
}

/* Puts what the guest has not taken back into pkts, at its end, in the segments that have come.
 * Returns how many these are. */
static uint32_t take_apart(struct rte_mbuf **pkts, uint32_t n, struct rte_mbuf *const *frames,
                           uint32_t n_frames)
{
	struct rte_mbuf *segments[COALESCE_MBUFS];
	uint32_t left = 0;

	for (uint32_t i = n_frames; i > 0; i--) {
		uint32_t found = 1;

		segments[0] = frames[i - 1];
		if (coalesce_has_joined(frames[i - 1]))
			found = coalesce_undo(frames[i - 1], segments);
		for (uint32_t k = found; k > 0; k--)
			pkts[n - ++left] = segments[k - 1];
	}
	return left;
}

/* A frame for which there is no room, or never will be, is sent in its segments, as far as there is
 * room for those. */
static __rte_noinline int sent_less_joined(const struct lane_work *work, uint16_t queue,
                                           struct rte_mbuf **pkts, uint32_t n,
                                           struct rte_mbuf **frames, uint32_t n_frames, int sent)
{
	uint32_t taken = sent > 0 ? (uint32_t)sent : 0;
	bool joined = coalesce_has_joined(frames[taken]);
	uint32_t left = take_apart(pkts, n, frames + taken, n_frames - taken);
	uint32_t done = n - left;

	counter_add(&work->lane->counters.coalesced, done - taken);
	if (sent < 0)
		return sent_less(work->lane, pkts, n, packets_bytes(pkts, n), sent);
	if (!joined)
		return (int)done;
	sent = send_to_guest(work, queue, pkts + done, left, packets_bytes(pkts + done, left));
	if (sent == END_PAUSED)
		return done > 0 ? (int)done : END_PAUSED;
	return (int)done + sent;
}

/* The sink likewise, n <= LANE_BURST. Those of pkts that are not done with may have changed their
 * order, but within no stream. */
static int send_joined(const struct lane_work *work, uint16_t queue, struct rte_mbuf **pkts,
                       uint32_t n, uint64_t bytes)
{
	struct lane_counters *counters = &work->lane->counters;
	struct rte_mbuf *frames[LANE_BURST];

	for (uint32_t i = 0; i < n; i++)
		frames[i] = pkts[i];
	uint16_t n_frames = coalesce_burst(frames, (uint16_t)n, work->join);
	if (n_frames == n)
		return send_to_guest(work, queue, pkts, n, bytes);

	bytes = packets_bytes(frames, n_frames);
	int sent = work->to_guest(work->guest, queue, frames, n_frames);
	if (likely(sent == n_frames)) {
		count_sent(work->lane, n_frames, bytes);
		counter_add(&counters->coalesced, n - n_frames);
		return (int)n;
	}
	if (sent > 0)
		count_sent(work->lane, (uint32_t)sent,
		           bytes - packets_bytes(frames + sent, n_frames - (uint32_t)sent));
	return sent_less_joined(work, queue, pkts, n, frames, n_frames, sent);
}

static __rte_always_inline int send_either(const struct lane_work *work, uint16_t queue,
                                           struct rte_mbuf **pkts, uint32_t n, uint64_t bytes,
                                           const bool joined)
{
	return joined ? send_joined(work, queue, pkts, n, bytes)
	              : send_to_guest(work, queue, pkts, n, bytes);
}

/* --- what waits ---------------------------------------------------------------------------- */

/* The oldest packets first; stops at the first one that the guest has no room for, or at once when
 * the queue pauses. A frame that the guest's buffers do not hold would have everything behind it
 * wait for ever: it does not get to wait. Buffers that were there when it was refused may have come
 * just then, so it is refused twice.
 *
 * Where they may be joined, the first one goes alone: as long as there is no room, joining is in
 * vain. */
static uint32_t send_backlog(const struct lane_work *work, uint16_t queue, struct backlog *backlog)
{
	struct lane_counters *counters = &work->lane->counters;
	bool offered = false; /* there was room for the first packet before it was sent */
	bool joined = false;  /* packets may be */
	uint32_t total = 0;

	while (backlog->count > 0) {
		uint32_t n;
		struct rte_mbuf **pkts = backlog_front(backlog, &n);

		/* No more at once than an end takes: else "refused" would not mean "no room". */
		n = RTE_MIN(n, LANE_BURST);
		if (work->join != 0 && !joined)
			n = 1;

		int sent = send_either(work, queue, pkts, n, packets_bytes(pkts, n), joined);

		if (sent == END_PAUSED)
			break;
		if (sent == 0 && offered) {
			drop_full(work->lane, &counters->too_long, pkts, 1);
			sent = 1;
		}
		backlog_pop(backlog, (uint32_t)sent);
		total += (uint32_t)sent;
		joined = work->join != 0;
		offered = (uint32_t)sent < n && work->guest->ops->offers(work->guest, queue);
		if ((uint32_t)sent < n && !offered)
			break;
	}
	return total;
}

/* Keeps what was not sent of the n packets, the first `room` of it at most. Returns how many it
 * keeps.
 */
static uint32_t hold_back(struct lane *lane, struct backlog *backlog, uint32_t room,
                          struct rte_mbuf **pkts, uint32_t n, int sent)
{
	uint32_t done = sent > 0 ? (uint32_t)sent : 0;
	uint32_t held = backlog_push(backlog, pkts + done, RTE_MIN(n - done, room));

	if (unlikely(done + held < n))
		drop_full(lane, &lane->counters.no_room, pkts + done + held, n - done - held);
	return held;
}

/* The source: a burst from the VF. */
static inline uint32_t receive_from_vf(const struct lane_work *work, struct rte_mbuf **pkts)
{
	return rte_eth_rx_burst(work->port_id, work->vf_queue, pkts, LANE_BURST);
}

/* Returns how many bytes those n > 0 packets have. */
static inline uint64_t count_received(struct lane *lane, struct rte_mbuf *const *pkts, uint32_t n)
{
	uint64_t bytes = packets_bytes(pkts, n);

	counter_add(&lane->counters.rx_pkts, n);
	counter_add(&lane->counters.rx_bytes, bytes);
	return bytes;
}

/* What has come, n > 0 packets, behind what waits. */
static __rte_always_inline unsigned
deliver_either(const struct lane_work *work, struct rte_mbuf **pkts, uint32_t n, const bool joined)
{
	struct lane *lane = work->lane;
	struct backlog *backlog = &lane->backlog;
	uint64_t bytes = count_received(lane, pkts, n);
	int sent = 0;

	if (likely(backlog->count == 0))
		sent = send_either(work, work->guest_queue, pkts, n, bytes, joined);
	if (unlikely(sent < (int)n))
		hold_back(lane, backlog, backlog_room(backlog), pkts, n, sent);
	return n;
}

static __rte_noinline unsigned deliver(const struct lane_work *work, struct rte_mbuf **pkts,
                                       uint32_t n)
{
	return deliver_either(work, pkts, n, false);
}

static __rte_noinline unsigned deliver_joined(const struct lane_work *work, struct rte_mbuf **pkts,
                                              uint32_t n)
{
	return deliver_either(work, pkts, n, true);
}

static __rte_noinline unsigned burst_behind_backlog(const struct lane_work *work)
{
	struct rte_mbuf *pkts[LANE_BURST];
	uint32_t done = send_backlog(work, work->guest_queue, &work->lane->backlog);
	uint32_t n = receive_from_vf(work, pkts);

	return n > 0 ? done + deliver(work, pkts, n) : done;
}

/* Most passes of most lanes find nothing: so the rest is kept out of this function, which has few
 * registers to save then. */
unsigned burst_vf_to_vm(const struct lane_work *work)
{
	struct rte_mbuf *pkts[LANE_BURST];

	if (unlikely(work->lane->backlog.count > 0))
		return burst_behind_backlog(work);

	uint32_t n = receive_from_vf(work, pkts);
	return n > 0 ? deliver(work, pkts, n) : 0;
}

unsigned burst_vf_to_vm_joined(const struct lane_work *work)
{
	struct rte_mbuf *pkts[LANE_BURST];
	uint32_t done = 0;

	if (unlikely(work->lane->backlog.count > 0))
		done = send_backlog(work, work->guest_queue, &work->lane->backlog);

	uint32_t n = receive_from_vf(work, pkts);
	return n > 0 ? done + deliver_joined(work, pkts, n) : done;
}

/* --- over several guest queues --------------------------------------------------------------- */

/* How many packets more may wait for a queue: it may hold as many as it leaves free. So one queue
 * gets half of what the lane may hold, two get a third each, and there is always some left for
 * those that have not stalled yet. */
static uint32_t spread_room(const struct lane_spread *spread, const struct backlog *backlog)
{
	uint32_t unused = LANE_BACKLOG_VF_TO_VM - spread->held;

	return unused > backlog->count ? (unused - backlog->count + 1) / 2 : 0;
}

static uint32_t send_backlogs(const struct lane_work *work)
{
	struct lane_spread *spread = work->lane->spread;
	uint32_t total = 0;

	for (uint32_t left = spread->waiting; left != 0; left &= left - 1) {
		uint16_t queue = (uint16_t)__builtin_ctz(left);
		struct backlog *backlog = &spread->backlogs[queue];

		total += send_backlog(work, queue, backlog);
		if (backlog->count == 0)
			spread->waiting &= ~(1U << queue);
	}
	spread->held -= total;
	return total;
}

static __rte_always_inline void send_or_hold(const struct lane_work *work, uint16_t queue,
                                             struct rte_mbuf **pkts, uint32_t n, const bool joined)
{
	struct lane_spread *spread = work->lane->spread;
	struct backlog *backlog = &spread->backlogs[queue];
	int sent = 0;

	if (likely(backlog->count == 0))
		sent = send_either(work, queue, pkts, n, packets_bytes(pkts, n), joined);
	if (likely(sent == (int)n))
		return;
	uint32_t held = hold_back(work->lane, backlog, spread_room(spread, backlog), pkts, n, sent);
	spread->held += held;
	if (held > 0)
		spread->waiting |= 1U << queue;
}

/* Lists the packets by the target that their flow goes to, those of one target as they came:
 * sorted[ends[t - 1]] to sorted[ends[t] - 1] are for target t. */
static __rte_always_inline void sort_by_target(const struct lane_spread *spread,
                                               struct rte_mbuf *const *pkts, uint32_t n,
                                               struct rte_mbuf **sorted,
                                               uint8_t ends[GUEST_QUEUES_MAX])
{
	uint8_t target[LANE_BURST], next[GUEST_QUEUES_MAX] = {0};
	uint8_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], const void *));
	for (uint32_t i = 0; i < n; i++) {
		target[i] = (uint8_t)flow_hash_pick(flow_hash(pkts[i]), spread->n_targets);
		next[target[i]]++;
	}
	for (uint32_t t = 0; t < spread->n_targets; t++) {
		uint8_t count = next[t];

		next[t] = sum;
		sum = (uint8_t)(sum + count);
		ends[t] = sum;
	}
	for (uint32_t i = 0; i < n; i++)
		sorted[next[target[i]]++] = pkts[i];
}

static __rte_always_inline unsigned spread_burst(const struct lane_work *work, const bool joined)
{
	struct rte_mbuf *pkts[LANE_BURST], *sorted[LANE_BURST];
	struct lane_spread *spread = work->lane->spread;
	uint8_t ends[GUEST_QUEUES_MAX] = {0};
	uint32_t done = 0, begin = 0;

	if (unlikely(spread->held > 0))
		done = send_backlogs(work);

	uint32_t n = receive_from_vf(work, pkts);
	if (n == 0)
		return done;

	count_received(work->lane, pkts, n);
	sort_by_target(spread, pkts, n, sorted, ends);
	for (uint32_t t = 0; t < spread->n_targets; begin = ends[t++])
		if (ends[t] > begin)
			send_or_hold(work, spread->targets[t], &sorted[begin], ends[t] - begin,
			             joined);
	return done + n;
}

unsigned burst_vf_to_vm_spread(const struct lane_work *work)
{
	return spread_burst(work, false);
}

unsigned burst_vf_to_vm_spread_joined(const struct lane_work *work)
{
	return spread_burst(work, true);
}

/* --- without a guest ------------------------------------------------------------------------- */

unsigned burst_vf_to_nobody(const struct lane_work *work)
{
	struct rte_mbuf *pkts[LANE_BURST];
	uint32_t n = receive_from_vf(work, pkts);

	if (n > 0)
		packets_drop_absent(&work->lane->counters, work->loss, pkts, n,
		                    count_received(work->lane, pkts, n));
	return n;
}
