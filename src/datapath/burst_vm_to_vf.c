/* From the guest to the VF. What the VF does not take at once waits in the lane, and the guest's
 * ring is left alone until it is gone: the guest feels the VF's pace instead of losing packets.
 * Only a VF queue that takes nothing at all for LANE_STALL_MS has its packets dropped, so that a
 * dead link does not hold up the guest for ever. Called by the lane's owner only.
 *
 * The guest is not trusted: a VF's hardware may hang on frames shorter than an Ethernet header
 * or longer than it was set up for, so those never get there.
 */
#include "datapath/burst.h"
#include "datapath/to_vf.h"

static inline bool is_unusual(const struct lane_work *work, struct rte_mbuf *const *pkts,
                              uint32_t n)
{
	bool unusual = false;

	for (uint32_t i = 0; i < n; i++)
		unusual |= pkts[i]->pkt_len < TO_VF_FRAME_MIN || pkts[i]->pkt_len > work->max_frame;
	return unusual;
}

/* The same, and whether any frame may have an 802.1Q tag: two answers cost the first one more. */
static inline bool is_unusual_or_tagged(const struct lane_work *work, struct rte_mbuf *const *pkts,
                                        uint32_t n, bool *tagged)
{
	bool unusual = false, any = false;

	for (uint32_t i = 0; i < n; i++) {
		unusual |= pkts[i]->pkt_len < TO_VF_FRAME_MIN || pkts[i]->pkt_len > work->max_frame;
		any |= to_vf_header_of(pkts[i])->ether_type == RTE_BE16(RTE_ETHER_TYPE_VLAN);
	}
	*tagged = any;
	return unusual;
}

static void pad_short(struct rte_mbuf **pkts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (pkts[i]->pkt_len >= RTE_ETHER_HDR_LEN && pkts[i]->pkt_len < TO_VF_FRAME_MIN)
			to_vf_pad(pkts[i]);
}

/* Drops what the VF must not be given; returns how many are left. */
static uint32_t drop_invalid(const struct lane_work *work, struct rte_mbuf **pkts, uint32_t n)
{
	struct lane_counters *counters = &work->lane->counters;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *pkt = pkts[i];

		if (pkt->pkt_len < TO_VF_FRAME_MIN)
			packets_drop_invalid(counters, &counters->malformed, pkt);
		else if (pkt->pkt_len > work->max_frame)
			packets_drop_invalid(counters, &counters->too_long, pkt);
		else
			pkts[kept++] = pkt;
	}
	return kept;
}

static __rte_always_inline unsigned move_to_vf(const struct lane_work *work, bool vlans)
{
	struct rte_mbuf *pkts[LANE_BURST];
	struct lane *lane = work->lane;
	uint32_t done = 0;

	if (!to_vf_flush(work, &done))
		return done;

	uint32_t n = to_vf_receive(work, pkts);
	if (n == 0)
		return done;
	done += n;

	bool tagged = false;
	bool unusual =
	        vlans ? is_unusual_or_tagged(work, pkts, n, &tagged) : is_unusual(work, pkts, n);
	if (unlikely(unusual))
		pad_short(pkts, n); /* before it is counted: what comes in goes out or is dropped */

	uint64_t bytes = packets_bytes(pkts, n);
	counter_add(&lane->counters.rx_pkts, n);
	counter_add(&lane->counters.rx_bytes, bytes);
	if (unlikely(unusual)) {
		n = drop_invalid(work, pkts, n);
		bytes = packets_bytes(pkts, n);
		if (n == 0)
			return done;
	}

	to_vf_listen(lane, pkts[0]);
	if (tagged)
		to_vf_hear_vlans(work->vlans, pkts, n);
	to_vf_send_all(work, pkts, n, bytes);
	return done;
}

static __rte_noinline unsigned move_any(const struct lane_work *work)
{
	return move_to_vf(work, false);
}

static __rte_noinline unsigned move_with_vlans(const struct lane_work *work)
{
	return move_to_vf(work, true);
}

unsigned burst_vm_to_vf(const struct lane_work *work)
{
	return to_vf_is_idle(work) ? 0 : move_any(work);
}

unsigned burst_vm_to_vf_vlans(const struct lane_work *work)
{
	return to_vf_is_idle(work) ? 0 : move_with_vlans(work);
}

unsigned burst_nobody_to_lacp(const struct lane_work *work)
{
	struct rte_mbuf *none[1];

	(void)rte_eth_tx_burst(work->port_id, work->vf_queue, none, 0);
	return 0;
}

unsigned burst_vm_to_lacp(const struct lane_work *work)
{
	unsigned done;

	if (work->terms.features != 0)
		done = burst_vm_to_vf_offloads(work);
	else if (work->vlans != NULL)
		done = burst_vm_to_vf_vlans(work);
	else
		done = burst_vm_to_vf(work);
	burst_nobody_to_lacp(work);
	return done;
}

static __rte_noinline unsigned move_to_nobody(const struct lane_work *work)
{
	struct rte_mbuf *pkts[LANE_BURST];
	struct lane_counters *counters = &work->lane->counters;
	uint32_t n = to_vf_receive(work, pkts);

	if (n == 0)
		return 0;

	uint64_t bytes = packets_bytes(pkts, n);
	counter_add(&counters->rx_pkts, n);
	counter_add(&counters->rx_bytes, bytes);
	to_vf_listen(work->lane, pkts[0]);
	packets_drop_absent(counters, work->loss, pkts, n, bytes);
	return n;
}

unsigned burst_vm_to_nobody(const struct lane_work *work)
{
	return to_vf_is_idle(work) ? 0 : move_to_nobody(work);
}
