/* What all lanes from a guest to a VF have in common: sending, what the VF did not take, listening
 * to what the guest says. See burst_vm_to_vf.c. Called by the lane's owner only.
 */
#ifndef DATAPATH_TO_VF_H
#define DATAPATH_TO_VF_H

#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "base/idle_look.h"
#include "base/vlan_set.h"
#include "datapath/backlog.h"
#include "datapath/packets.h"
#include "datapath/plan.h"

/* An Ethernet frame without its CRC. Several NICs demand at least 17 bytes of software and pad
 * the rest, some pad nothing: we pad, and it is the same on all. */
#define TO_VF_FRAME_MIN (RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN)

static inline uint32_t to_vf_send(const struct lane_work *work, struct rte_mbuf **pkts, uint32_t n,
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

static inline uint32_t to_vf_send_backlog(const struct lane_work *work)
{
	struct lane *lane = work->lane;
	uint32_t total = 0;

	while (lane->backlog.count > 0) {
		uint32_t n;
		struct rte_mbuf **pkts = backlog_front(&lane->backlog, &n);
		uint32_t sent = to_vf_send(work, pkts, n, packets_bytes(pkts, n));

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
static inline bool to_vf_is_worth_waiting(const struct lane_work *work)
{
	struct lane *lane = work->lane;
	uint64_t now = rte_rdtsc();

	if (lane->stalled_since == 0)
		lane->stalled_since = now;
	return now - lane->stalled_since < work->stall_cycles;
}

static inline uint32_t to_vf_drop_stalled(struct lane *lane)
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

/* What the VF has not taken goes first. false: it takes nothing yet, so the guest has to wait.
 * *done grows by the packets that were moved. */
static inline bool to_vf_flush(const struct lane_work *work, uint32_t *done)
{
	struct lane *lane = work->lane;

	if (likely(lane->backlog.count == 0))
		return true;
	*done += to_vf_send_backlog(work);
	if (lane->backlog.count == 0)
		return true;
	if (to_vf_is_worth_waiting(work))
		return false;
	*done += to_vf_drop_stalled(lane);
	return true;
}

/* Sends n packets of so many bytes; what the VF does not take waits. */
static inline void to_vf_send_all(const struct lane_work *work, struct rte_mbuf **pkts, uint32_t n,
                                  uint64_t bytes)
{
	struct lane *lane = work->lane;
	uint32_t sent = to_vf_send(work, pkts, n, bytes);

	if (unlikely(sent < n))
		backlog_push(&lane->backlog, pkts + sent, n - sent);
	if (likely(sent > 0))
		lane->stalled_since = 0;
}

/* Leaves the frame as it is when its mbuf has no room, which a frame this short always has. */
static inline void to_vf_pad(struct rte_mbuf *pkt)
{
	uint16_t missing = (uint16_t)(TO_VF_FRAME_MIN - pkt->pkt_len);
	char *tail = rte_pktmbuf_append(pkt, missing);

	if (tail != NULL)
		memset(tail, 0, missing);
}

/* Of a runt there may be less than that in the buffer, which the caller has to mind. */
static inline const struct rte_ether_hdr *to_vf_header_of(const struct rte_mbuf *pkt)
{
	return rte_pktmbuf_mtod(pkt, const struct rte_ether_hdr *);
}

static inline uint32_t to_vf_receive(const struct lane_work *work, struct rte_mbuf **pkts)
{
	int n = work->from_guest(work->guest, work->guest_queue, work->pool, pkts, LANE_BURST);

	return n > 0 ? (uint32_t)n : 0; /* gone or paused: there is nothing */
}

/* Who is it that speaks? A group's address or none is nobody's. */
static inline void to_vf_learn_address(struct lane *lane, const struct rte_mbuf *pkt)
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
static inline void to_vf_listen(struct lane *lane, const struct rte_mbuf *pkt)
{
	if (unlikely(__atomic_load_n(&lane->heard, __ATOMIC_RELAXED) == 0))
		to_vf_learn_address(lane, pkt);
}

/* Every frame's tag: the one whose VLAN is new may be the only one for a long time. */
static inline void to_vf_hear_vlans(struct vlan_set *vlans, struct rte_mbuf *const *pkts,
                                    uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct rte_ether_hdr *header = to_vf_header_of(pkts[i]);
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
static inline bool to_vf_is_idle(const struct lane_work *work)
{
	return work->look != NULL && idle_look_sees_nothing(work->look) &&
	       work->lane->backlog.count == 0;
}

#endif
