/* From a guest that may ask for offloads to the VF: what the header before each frame asks for is
 * judged, and what the VF's NIC does not do is done here. See burst_vm_to_vf.c for the rest. Called
 * by the lane's owner only.
 *
 * A pass sends LANE_BURST frames at most, whatever the guest has asked for: of a frame that is cut
 * into more, the rest is for the next passes, and so are the frames behind it.
 */
#include <rte_ethdev.h>

#include "datapath/burst.h"
#include "datapath/cutting.h"
#include "datapath/to_vf.h"
#include "offload/guest_header.h"
#include "offload/segment.h"

/* A frame that goes out as one. false: it may not, and has been dropped. */
static bool is_sendable(const struct lane_work *work, struct rte_mbuf *pkt)
{
	struct lane_counters *counters = &work->lane->counters;

	if (unlikely(pkt->pkt_len < TO_VF_FRAME_MIN)) {
		if (pkt->pkt_len < RTE_ETHER_HDR_LEN) {
			packets_drop_invalid(counters, &counters->malformed, pkt);
			return false;
		}
		to_vf_pad(pkt);
	}
	if (unlikely(pkt->pkt_len > work->max_frame) &&
	    (pkt->ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG)) == 0) {
		packets_drop_invalid(counters, &counters->too_long, pkt);
		return false;
	}
	return true;
}

/* Judges one frame and does what is to be done at once. Returns whether *pkt goes out; it may have
 * become the one that is being cut, or have been dropped. */
static bool admit(const struct lane_work *work, struct rte_mbuf *pkt, bool *by_nic)
{
	const struct virtio_net_hdr *header = guest_header_of(pkt);
	struct lane_counters *counters = &work->lane->counters;
	struct offload offload;

	if (!header_asks(header))
		return is_sendable(work, pkt);
	header_judge(header, &work->terms, pkt, &offload);
	switch (offload.way) {
	case OFFLOAD_NIC:
		if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE)
			counter_add(&counters->segmented_by_vf, 1);
		else
			counter_add(&counters->checksummed_by_vf, 1);
		*by_nic = true;
		return is_sendable(work, pkt);
	case OFFLOAD_CHECKSUM:
		header_complete(pkt, &offload);
		counter_add(&counters->checksummed_by_software, 1);
		return is_sendable(work, pkt);
	case OFFLOAD_SEGMENT:
		counter_add(&counters->segmented_by_software, 1);
		segment_begin(&work->lane->cutting->segmenter, pkt, &offload);
		*by_nic |= offload.nic_checksum;
		return false;
	case OFFLOAD_INVALID:
		packets_drop_invalid(counters, &counters->bad_header, pkt);
		return false;
	default:
		return is_sendable(work, pkt);
	}
}

/* Has the driver ready those whose checksums are the NIC's to do. What it refuses is dropped. */
static uint32_t prepare(const struct lane_work *work, struct rte_mbuf **pkts, uint32_t n)
{
	struct lane_counters *counters = &work->lane->counters;
	uint32_t done = 0;

	while (done < n) {
		done += rte_eth_tx_prepare(work->port_id, work->vf_queue, pkts + done,
		                           (uint16_t)(n - done));
		if (likely(done == n))
			break;
		packets_drop_invalid(counters, &counters->bad_header, pkts[done]);
		n--;
		for (uint32_t i = done; i < n; i++)
			pkts[i] = pkts[i + 1];
	}
	return n;
}

/* Segments may be as short as their headers and a byte. */
static uint32_t cut(const struct lane_work *work, struct segmenter *segmenter,
                    struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t made = segment_next(segmenter, work->pool, pkts, n);

	for (uint16_t i = 0; i < made; i++)
		if (unlikely(pkts[i]->pkt_len < TO_VF_FRAME_MIN))
			to_vf_pad(pkts[i]);
	return made;
}

/* The next frames that may be given to the VF, LANE_BURST at most: the caller's. None while there
 * are no packet buffers. What may not be given to it is dropped and counted. */
static uint32_t next_frames(const struct lane_work *work, struct rte_mbuf **pkts)
{
	struct cutting *cutting = work->lane->cutting;
	struct segmenter *segmenter = &cutting->segmenter;
	bool by_nic = !segment_is_done(segmenter) && segmenter->offload.nic_checksum;
	uint32_t n = 0;

	while (n < LANE_BURST) {
		if (!segment_is_done(segmenter)) {
			n += cut(work, segmenter, pkts + n, (uint16_t)(LANE_BURST - n));
			if (!segment_is_done(segmenter))
				break; /* the burst is full, or there are no packet buffers */
			continue;
		}
		if (cutting->next == cutting->n)
			break;
		struct rte_mbuf *pkt = cutting->waiting[cutting->next++];
		if (admit(work, pkt, &by_nic))
			pkts[n++] = pkt;
	}
	return by_nic ? prepare(work, pkts, n) : n;
}

/* What the guest has sent, as it came: counted before anything of it is dropped or becomes more. */
static uint32_t take_from_guest(const struct lane_work *work)
{
	struct rte_mbuf *pkts[LANE_BURST];
	struct lane *lane = work->lane;
	uint32_t n = to_vf_receive(work, pkts);

	if (n == 0)
		return 0;
	counter_add(&lane->counters.rx_pkts, n);
	counter_add(&lane->counters.rx_bytes, packets_bytes(pkts, n));
	to_vf_listen(lane, pkts[0]);
	if (work->vlans != NULL)
		to_vf_hear_vlans(work->vlans, pkts, n);
	cutting_take(lane->cutting, pkts, n);
	return n;
}

/* There is no packet buffer to cut into. Buffers of what was sent may still be in the VF's queue,
 * since drivers look through it when they are given more: then the next pass finds them. And when
 * frames that wait to be cut, of several lanes, are all that the pool had, none of them gets on:
 * after as long as a VF may refuse everything, this lane's are lost, so that the others do. Returns
 * how many these are. */
static __rte_noinline uint32_t await_buffers(const struct lane_work *work)
{
	if (rte_eth_tx_done_cleanup(work->port_id, work->vf_queue, 0) > 0 ||
	    to_vf_is_worth_waiting(work))
		return 0;
	work->lane->stalled_since = 0;
	return cutting_give_up(work->lane->cutting, &work->lane->counters);
}

static __rte_noinline unsigned move_with_offloads(const struct lane_work *work)
{
	struct rte_mbuf *pkts[LANE_BURST];
	uint32_t done = 0;

	if (!to_vf_flush(work, &done))
		return done;
	if (cutting_is_done(work->lane->cutting))
		done += take_from_guest(work);

	uint32_t n = next_frames(work, pkts);
	if (n > 0)
		to_vf_send_all(work, pkts, n, packets_bytes(pkts, n));
	else if (unlikely(!cutting_is_done(work->lane->cutting)))
		done += await_buffers(work);
	return done + n;
}

unsigned burst_vm_to_vf_offloads(const struct lane_work *work)
{
	return to_vf_is_idle(work) && cutting_is_done(work->lane->cutting)
	               ? 0
	               : move_with_offloads(work);
}
