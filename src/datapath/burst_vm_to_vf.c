/* From the guest to the VF. What the VF does not take at once waits in the lane, and the guest's
 * ring is left alone until it is gone: the guest feels the VF's pace instead of losing packets.
 * Only a VF queue that takes nothing at all for LANE_STALL_MS has its packets dropped, so that a
 * dead link does not hold up the guest for ever. Called by the lane's owner only.
 *
 * The guest is not trusted: a VF's hardware may hang on frames shorter than an Ethernet header
 * or longer than it was set up for, so those never get there.
 */
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "base/vlan_set.h"
#include "datapath/backlog.h"
#include "datapath/burst.h"
#include "datapath/packets.h"

/* An Ethernet frame without its CRC. Several NICs demand at least 17 bytes of software and pad
 * the rest, some pad nothing: we pad, and it is the same on all. */
#define FRAME_MIN (RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN)

static uint32_t send_to_vf(const struct lane_work *work, struct rte_mbuf **pkts, uint32_t n,
                           uint64_t bytes)
{
	struct lane_counters *counters = &work->lane->counters;
	uint32_t sent;

	if (likely(work->to_vf == NULL))
		sent = rte_eth_tx_burst(work->port_id, work->vf_queue, pkts, (uint16_t)n);
	else
		sent = work->to_vf(work->port_id, work->vf_queue, pkts, (uint16_t)n);

	if (unlikely(sent < n))
		bytes -= packets_bytes(pkts + sent, n - sent);
	counter_add(&counters->tx_pkts, sent);
	counter_add(&counters->tx_bytes, bytes);
	return sent;
}

static uint32_t send_backlog(const struct lane_work *work)
{
	struct lane *lane = work->lane;
	uint32_t total = 0;

	while (lane->backlog.count > 0) {
		uint32_t n;
		struct rte_mbuf **pkts = backlog_front(&lane->backlog, &n);
		uint32_t sent = send_to_vf(work, pkts, n, packets_bytes(pkts, n));

		backlog_pop(&lane->backlog, sent);
		total += sent;
		if (sent > 0)
			lane->stalled_since = 0;
		if (sent < n)
			break;
	}
	return total;
}

/* True while the backlog is to be kept; once the VF has refused everything for too long, it is
 * dropped at each pass until the VF takes a packet again. */
static bool worth_waiting(const struct lane_work *work)
{
	struct lane *lane = work->lane;
	uint64_t now = rte_rdtsc();

	if (lane->stalled_since == 0)
		lane->stalled_since = now;
	return now - lane->stalled_since < work->stall_cycles;
}

static uint32_t drop_stalled(struct lane *lane)
{
	uint32_t dropped = 0;

	while (lane->backlog.count > 0) {
		uint32_t n;
		struct rte_mbuf **pkts = backlog_front(&lane->backlog, &n);

		packets_drop_full(&lane->counters, &lane->counters.no_room, pkts, n,
		                  packets_bytes(pkts, n));
		backlog_pop(&lane->backlog, n);
		dropped += n;
	}
	return dropped;
}

/* Leaves the frame as it is when its mbuf has no room, which a frame this short always has. */
static void pad(struct rte_mbuf *pkt)
{
	uint16_t missing = (uint16_t)(FRAME_MIN - pkt->pkt_len);
	char *tail = rte_pktmbuf_append(pkt, missing);

	if (tail != NULL)
		memset(tail, 0, missing);
}

/* Of a runt there may be less than that in the buffer, which the caller has to mind. */
static inline const struct rte_ether_hdr *header_of(const struct rte_mbuf *pkt)
{
	return rte_pktmbuf_mtod(pkt, const struct rte_ether_hdr *);
}

static inline bool is_unusual(const struct lane_work *work, struct rte_mbuf *const *pkts,
                              uint32_t n)
{
	bool unusual = false;

	for (uint32_t i = 0; i < n; i++)
		unusual |= pkts[i]->pkt_len < FRAME_MIN || pkts[i]->pkt_len > work->max_frame;
	return unusual;
}

/* The same, and whether any frame may have an 802.1Q tag: two answers cost the first one more. */
static inline bool is_unusual_or_tagged(const struct lane_work *work, struct rte_mbuf *const *pkts,
                                        uint32_t n, bool *tagged)
{
	bool unusual = false, any = false;

	for (uint32_t i = 0; i < n; i++) {
		unusual |= pkts[i]->pkt_len < FRAME_MIN || pkts[i]->pkt_len > work->max_frame;
		any |= header_of(pkts[i])->ether_type == RTE_BE16(RTE_ETHER_TYPE_VLAN);
	}
	*tagged = any;
	return unusual;
}

static void pad_short(struct rte_mbuf **pkts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (pkts[i]->pkt_len >= RTE_ETHER_HDR_LEN && pkts[i]->pkt_len < FRAME_MIN)
			pad(pkts[i]);
}

/* Drops what the VF must not be given; returns how many are left. */
static uint32_t drop_invalid(const struct lane_work *work, struct rte_mbuf **pkts, uint32_t n)
{
	struct lane_counters *counters = &work->lane->counters;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *pkt = pkts[i];

		if (pkt->pkt_len < FRAME_MIN)
			packets_drop_invalid(counters, &counters->malformed, pkt);
		else if (pkt->pkt_len > work->max_frame)
			packets_drop_invalid(counters, &counters->too_long, pkt);
		else
			pkts[kept++] = pkt;
	}
	return kept;
}

static uint32_t receive_from_guest(const struct lane_work *work, struct rte_mbuf **pkts)
{
	int n = work->from_guest(work->guest, work->guest_queue, work->pool, pkts, LANE_BURST);

	return n > 0 ? (uint32_t)n : 0; /* gone or paused: there is nothing */
}

/* Who is it that speaks? A group's address or none is nobody's. */
static void learn_address(struct lane *lane, const struct rte_mbuf *pkt)
{
	const struct rte_ether_hdr *header = rte_pktmbuf_mtod(pkt, const struct rte_ether_hdr *);
	uint64_t address = 0;

	if (rte_pktmbuf_data_len(pkt) < sizeof(*header))
		return;
	for (unsigned i = 0; i < RTE_ETHER_ADDR_LEN; i++)
		address = address << 8 | header->src_addr.addr_bytes[i];
	if (address != 0 && !rte_is_multicast_ether_addr(&header->src_addr))
		__atomic_store_n(&lane->heard, address | LANE_HEARD, __ATOMIC_RELAXED);
}

/* A frame a second or so: control asks no more often. */
static inline void listen_to(struct lane *lane, const struct rte_mbuf *pkt)
{
	if (unlikely(__atomic_load_n(&lane->heard, __ATOMIC_RELAXED) == 0))
		learn_address(lane, pkt);
}

/* Every frame's tag: the one whose VLAN is new may be the only one for a long time. */
static void hear_vlans(struct vlan_set *vlans, struct rte_mbuf *const *pkts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct rte_ether_hdr *header = header_of(pkts[i]);
		const struct rte_vlan_hdr *tag = (const struct rte_vlan_hdr *)(header + 1);

		if (header->ether_type != RTE_BE16(RTE_ETHER_TYPE_VLAN) ||
		    rte_pktmbuf_data_len(pkts[i]) < sizeof(*header) + sizeof(*tag))
			continue;
		unsigned id = rte_be_to_cpu_16(tag->vlan_tci) & VLAN_ID_MASK;
		if (id >= VLAN_ID_MIN && id <= VLAN_ID_MAX)
			vlan_set_hear(vlans, id);
	}
}

/* What most passes of most lanes find, by as few lines and instructions as can be: so the rest is
 * kept out of the functions that ask. */
static inline bool is_idle(const struct lane_work *work)
{
	return work->look != NULL && idle_look_sees_nothing(work->look) &&
	       work->lane->backlog.count == 0;
}

static __rte_always_inline unsigned move_to_vf(const struct lane_work *work, bool vlans)
{
	struct rte_mbuf *pkts[LANE_BURST];
	struct lane *lane = work->lane;
	uint32_t done = 0;

	if (unlikely(lane->backlog.count > 0)) {
		done = send_backlog(work);
		if (lane->backlog.count > 0) {
			if (worth_waiting(work))
				return done;
			done += drop_stalled(lane);
		}
	}

	uint32_t n = receive_from_guest(work, pkts);
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

	listen_to(lane, pkts[0]);
	if (tagged)
		hear_vlans(work->vlans, pkts, n);
	uint32_t sent = send_to_vf(work, pkts, n, bytes);
	if (unlikely(sent < n))
		backlog_push(&lane->backlog, pkts + sent, n - sent);
	if (likely(sent > 0))
		lane->stalled_since = 0;
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
	return is_idle(work) ? 0 : move_any(work);
}

unsigned burst_vm_to_vf_vlans(const struct lane_work *work)
{
	return is_idle(work) ? 0 : move_with_vlans(work);
}

unsigned burst_nobody_to_lacp(const struct lane_work *work)
{
	struct rte_mbuf *none[1];

	(void)rte_eth_tx_burst(work->port_id, work->vf_queue, none, 0);
	return 0;
}

unsigned burst_vm_to_lacp(const struct lane_work *work)
{
	unsigned done = work->vlans != NULL ? burst_vm_to_vf_vlans(work) : burst_vm_to_vf(work);

	burst_nobody_to_lacp(work);
	return done;
}

static __rte_noinline unsigned move_to_nobody(const struct lane_work *work)
{
	struct rte_mbuf *pkts[LANE_BURST];
	struct lane_counters *counters = &work->lane->counters;
	uint32_t n = receive_from_guest(work, pkts);

	if (n == 0)
		return 0;

	uint64_t bytes = packets_bytes(pkts, n);
	counter_add(&counters->rx_pkts, n);
	counter_add(&counters->rx_bytes, bytes);
	listen_to(work->lane, pkts[0]);
	packets_drop_absent(counters, work->loss, pkts, n, bytes);
	return n;
}

unsigned burst_vm_to_nobody(const struct lane_work *work)
{
	return is_idle(work) ? 0 : move_to_nobody(work);
}
