/* From the VF to the guest. A full guest queue never stops the reading of the VF: the lane holds
 * a bounded backlog, drops the newest packets beyond it, and counts them. Called by the lane's
 * owner only.
 */
#include <rte_ethdev.h>

#include "datapath/backlog.h"
#include "datapath/burst.h"

/* The longest frame that every guest must have room for in one buffer, when it did not negotiate
 * mergeable ones (virtio 1.2, 5.1.6.3.1: 1526 bytes, a 12-byte header of them). */
#define GUEST_FRAME_CERTAIN 1514

static void drop_absent(struct lane *lane, struct rte_mbuf **pkts, uint32_t n)
{
	burst_drop(pkts, n, &lane->counters.dropped_absent_pkts,
	           &lane->counters.dropped_absent_bytes);
}

static void drop_full(struct lane *lane, struct rte_mbuf **pkts, uint32_t n)
{
	burst_drop(pkts, n, &lane->counters.dropped_full_pkts, &lane->counters.dropped_full_bytes);
}

/* Sends from the front of pkts and frees what was sent; `bytes` is the length of all n. Returns
 * how many are done with: all of them when the guest is gone. */
static inline uint32_t send_to_guest(const struct lane_work *work, struct rte_mbuf **pkts,
                                     uint32_t n, uint64_t bytes)
{
	struct lane *lane = work->lane;
	int sent = work->guest->ops->send(work->guest, work->guest_queue, pkts, (uint16_t)n);

	if (unlikely(sent < 0)) {
		drop_absent(lane, pkts, n);
		return n;
	}
	if (unlikely((uint32_t)sent < n))
		bytes -= burst_bytes(pkts + sent, n - sent);
	if (likely(sent > 0)) {
		counter_add(&lane->counters.tx_pkts, sent);
		counter_add(&lane->counters.tx_bytes, bytes);
		rte_pktmbuf_free_bulk(pkts, sent);
	}
	return sent;
}

/* The oldest packets first; stops at the first one that the guest has no room for. */
static uint32_t send_backlog(const struct lane_work *work)
{
	struct backlog *backlog = &work->lane->backlog;
	uint32_t total = 0;

	while (backlog->count > 0) {
		uint32_t n;
		struct rte_mbuf **pkts = backlog_front(backlog, &n);

		/* No more at once than a backend takes: else "refused" would not mean "no room". */
		n = RTE_MIN(n, LANE_BURST);

		uint32_t sent = send_to_guest(work, pkts, n, burst_bytes(pkts, n));

		backlog_pop(backlog, sent);
		total += sent;
		if (sent == n)
			continue;
		/* A frame longer than a guest's single buffers would never fit, and everything
		 * behind it would wait for ever: it does not get to wait. */
		pkts += sent;
		if (work->mergeable || pkts[0]->pkt_len <= GUEST_FRAME_CERTAIN)
			break;
		drop_full(work->lane, pkts, 1);
		backlog_pop(backlog, 1);
		total++;
	}
	return total;
}

static void hold_back(struct lane *lane, struct rte_mbuf **pkts, uint32_t n)
{
	uint32_t held = backlog_push(&lane->backlog, pkts, n);

	if (unlikely(held < n))
		drop_full(lane, pkts + held, n - held);
}

unsigned burst_vf_to_vm(const struct lane_work *work)
{
	struct rte_mbuf *pkts[LANE_BURST];
	struct lane *lane = work->lane;
	uint32_t done = 0;

	if (unlikely(lane->backlog.count > 0))
		done = send_backlog(work);

	uint32_t n = rte_eth_rx_burst(work->port_id, work->vf_queue, pkts, LANE_BURST);
	if (n == 0)
		return done;

	uint64_t bytes = burst_bytes(pkts, n);
	counter_add(&lane->counters.rx_pkts, n);
	counter_add(&lane->counters.rx_bytes, bytes);

	uint32_t sent = 0;
	if (likely(lane->backlog.count == 0))
		sent = send_to_guest(work, pkts, n, bytes);
	if (unlikely(sent < n))
		hold_back(lane, pkts + sent, n - sent);
	return done + n;
}

unsigned burst_vf_to_nobody(const struct lane_work *work)
{
	struct rte_mbuf *pkts[LANE_BURST];
	struct lane *lane = work->lane;
	uint32_t n = rte_eth_rx_burst(work->port_id, work->vf_queue, pkts, LANE_BURST);

	if (n == 0)
		return 0;
	counter_add(&lane->counters.rx_pkts, n);
	counter_add(&lane->counters.rx_bytes, burst_bytes(pkts, n));
	drop_absent(lane, pkts, n);
	return n;
}
