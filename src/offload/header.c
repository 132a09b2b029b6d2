/* Judging a guest's header. See header.h.
 */
#include "offload/header.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_sctp.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "offload/checksum.h"

#define FEATURE(bit) (UINT64_C(1) << (bit))

/* IP's packets are no longer: a frame that is has been cut off by whoever copied it. */
#define IPV4_MAX UINT16_MAX
#define IPV6_MAX (sizeof(struct rte_ipv6_hdr) + UINT16_MAX)

/* --- what was negotiated -----------------------------------------------------------------------
 */

static void refuse(struct offload *offload, enum offload_fault fault)
{
	offload->way = OFFLOAD_INVALID;
	offload->fault = (uint8_t)fault;
}

/* Whether a rule is broken: then that is the verdict. */
static bool is_refused(struct offload *offload, enum offload_fault fault)
{
	if (fault != OFFLOAD_FAULT_NONE)
		refuse(offload, fault);
	return fault != OFFLOAD_FAULT_NONE;
}

/* The features of which one allows the type, 0: there is no such type. VIRTIO_NET_F_GSO, which only
 * drivers older than virtio 1.0 negotiate, stands for all that there were then: Linux's sends TSO
 * by it alone. */
static uint64_t type_features(uint8_t type)
{
	switch (type) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return FEATURE(VIRTIO_NET_F_HOST_TSO4) | FEATURE(VIRTIO_NET_F_GSO);
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return FEATURE(VIRTIO_NET_F_HOST_TSO6) | FEATURE(VIRTIO_NET_F_GSO);
	case VIRTIO_NET_HDR_GSO_UDP:
		return FEATURE(VIRTIO_NET_F_HOST_UFO) | FEATURE(VIRTIO_NET_F_GSO);
	case OFFLOAD_GSO_UDP_L4:
		return FEATURE(OFFLOAD_HOST_USO);
	default:
		return 0;
	}
}

/* The bit for ECN goes with TCP's types only. */
static enum offload_fault judge_type(uint8_t gso_type, uint64_t features)
{
	const uint64_t ecn = FEATURE(VIRTIO_NET_F_HOST_ECN) | FEATURE(VIRTIO_NET_F_GSO);
	uint8_t type = gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	uint64_t allow = type_features(type);

	if (allow == 0)
		return OFFLOAD_FAULT_UNKNOWN_TYPE;
	if ((allow & features) == 0)
		return OFFLOAD_FAULT_UNASKED_TYPE;
	if (type == gso_type)
		return OFFLOAD_FAULT_NONE;
	if (type != VIRTIO_NET_HDR_GSO_TCPV4 && type != VIRTIO_NET_HDR_GSO_TCPV6)
		return OFFLOAD_FAULT_UNKNOWN_TYPE;
	return (ecn & features) != 0 ? OFFLOAD_FAULT_NONE : OFFLOAD_FAULT_UNASKED_TYPE;
}

static enum offload_fault judge_agreement(const struct virtio_net_hdr *header, uint64_t features)
{
	bool checksum = (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
	enum offload_fault fault;

	if (checksum && (features & FEATURE(VIRTIO_NET_F_CSUM)) == 0)
		return OFFLOAD_FAULT_UNASKED_CHECKSUM;
	if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return OFFLOAD_FAULT_NONE;
	fault = judge_type(header->gso_type, features);
	if (fault != OFFLOAD_FAULT_NONE)
		return fault;
	if (!checksum)
		return OFFLOAD_FAULT_NO_CHECKSUM;
	return header->gso_size == 0 ? OFFLOAD_FAULT_SIZE : OFFLOAD_FAULT_NONE;
}

/* --- checksums ---------------------------------------------------------------------------------
 */

/* How far from its beginning a protocol's header has its checksum; 0: not known. */
static uint16_t checksum_place(uint8_t protocol)
{
	switch (protocol) {
	case LAYERS_TCP:
		return offsetof(struct rte_tcp_hdr, cksum);
	case LAYERS_UDP:
		return offsetof(struct rte_udp_hdr, dgram_cksum);
	case LAYERS_SCTP:
		return offsetof(struct rte_sctp_hdr, cksum);
	default:
		return 0;
	}
}

/* Whether it is the checksum of the outermost protocol that the frame's headers lead to. */
static bool is_outermost(const struct offload *offload)
{
	const struct layers *layers = &offload->layers;
	uint16_t place = checksum_place(layers->protocol);

	return layers->ip != LAYERS_NO_IP && !layers->fragment && place != 0 &&
	       offload->checksum_start == layers->l2_len + layers->l3_len &&
	       offload->checksum_offset == place;
}

static uint64_t checksum_capability(uint8_t protocol)
{
	switch (protocol) {
	case LAYERS_TCP:
		return RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	case LAYERS_UDP:
		return RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	default:
		return RTE_ETH_TX_OFFLOAD_SCTP_CKSUM;
	}
}

/* Whether the port can do the checksums of frames with these headers, if IP's length is right. What
 * a NIC makes of extension headers is its own business. */
static bool nic_can_sum(const struct header_terms *terms, const struct layers *layers)
{
	return !layers->extended &&
	       (terms->capabilities & checksum_capability(layers->protocol)) != 0;
}

void header_ask_nic(struct rte_mbuf *pkt, const struct layers *layers)
{
	uint64_t flags = layers->ip == LAYERS_IPV4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;

	if (layers->protocol == LAYERS_TCP)
		flags |= RTE_MBUF_F_TX_TCP_CKSUM;
	else if (layers->protocol == LAYERS_UDP)
		flags |= RTE_MBUF_F_TX_UDP_CKSUM;
	else
		flags |= RTE_MBUF_F_TX_SCTP_CKSUM;
	pkt->ol_flags |= flags;
	pkt->tx_offload = 0;
	pkt->l2_len = layers->l2_len;
	pkt->l3_len = layers->l3_len;
	pkt->l4_len =
	        layers->protocol == LAYERS_SCTP ? sizeof(struct rte_sctp_hdr) : layers->l4_len;
}

/* A frame that stays in one piece. The NIC sums as much as IP's length says, software to the
 * frame's end, as virtio has it: where that is not the same the guest knows better than the NIC. */
static void choose_checksum(const struct header_terms *terms, struct rte_mbuf *pkt,
                            struct offload *offload)
{
	const struct layers *layers = &offload->layers;
	bool outermost = is_outermost(offload);

	offload->way = OFFLOAD_CHECKSUM;
	offload->sctp = outermost && layers->protocol == LAYERS_SCTP &&
	                pkt->pkt_len - offload->checksum_start >= sizeof(struct rte_sctp_hdr);
	if (!outermost || !nic_can_sum(terms, layers) || layers->ip_says != pkt->pkt_len ||
	    (layers->l4_len == 0 && !offload->sctp))
		return;
	offload->way = OFFLOAD_NIC;
	header_ask_nic(pkt, layers);
}

/* --- segmentation ------------------------------------------------------------------------------
 */

/* Whether the frame is what the type says, in full. */
static bool is_of_type(uint8_t type, const struct layers *layers)
{
	switch (type) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return layers->ip == LAYERS_IPV4 && layers->protocol == LAYERS_TCP;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return layers->ip == LAYERS_IPV6 && layers->protocol == LAYERS_TCP;
	default:
		return layers->ip != LAYERS_NO_IP && layers->protocol == LAYERS_UDP;
	}
}

static uint8_t tcp_flags(const struct rte_mbuf *pkt, const struct layers *layers)
{
	return *rte_pktmbuf_mtod_offset(pkt, const uint8_t *,
	                                layers->l2_len + layers->l3_len +
	                                        offsetof(struct rte_tcp_hdr, tcp_flags));
}

static enum offload_fault judge_cut(const struct rte_mbuf *pkt, uint8_t type,
                                    const struct offload *offload)
{
	const struct layers *layers = &offload->layers;

	if (layers->fragment)
		return OFFLOAD_FAULT_UNCUTTABLE;
	if (!is_of_type(type, layers) || layers->l4_len == 0)
		return OFFLOAD_FAULT_FRAME;
	if (!is_outermost(offload) || (layers->ip_says != 0 && layers->ip_says != pkt->pkt_len))
		return OFFLOAD_FAULT_DISAGREES;
	if (pkt->pkt_len - layers->l2_len > (layers->ip == LAYERS_IPV4 ? IPV4_MAX : IPV6_MAX))
		return OFFLOAD_FAULT_TOO_LONG;
	if (type != VIRTIO_NET_HDR_GSO_UDP && type != OFFLOAD_GSO_UDP_L4 &&
	    (tcp_flags(pkt, layers) & (RTE_TCP_SYN_FLAG | RTE_TCP_RST_FLAG)) != 0)
		return OFFLOAD_FAULT_UNCUTTABLE;
	return OFFLOAD_FAULT_NONE;
}

/* A NIC keeps the urgent pointer as it is, which points elsewhere from each segment. */
static bool nic_can_cut(const struct header_terms *terms, const struct rte_mbuf *pkt,
                        const struct offload *offload)
{
	const struct layers *layers = &offload->layers;
	uint64_t needed = offload->cut == OFFLOAD_CUT_TCP ? RTE_ETH_TX_OFFLOAD_TCP_TSO
	                                                  : RTE_ETH_TX_OFFLOAD_UDP_TSO;

	if (layers->ip == LAYERS_IPV4)
		needed |= RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	if (pkt->nb_segs > 1)
		needed |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	return (terms->capabilities & needed) == needed && nic_can_sum(terms, layers) &&
	       layers->ip_says == pkt->pkt_len && pkt->nb_segs <= terms->max_mbufs &&
	       offload->mss >= OFFLOAD_NIC_MSS_MIN && offload->mss <= OFFLOAD_NIC_MSS_MAX &&
	       (offload->cut != OFFLOAD_CUT_TCP ||
	        (tcp_flags(pkt, layers) & RTE_TCP_URG_FLAG) == 0);
}

static void ask_nic_to_cut(struct rte_mbuf *pkt, const struct offload *offload)
{
	header_ask_nic(pkt, &offload->layers);
	pkt->ol_flags |=
	        offload->cut == OFFLOAD_CUT_TCP ? RTE_MBUF_F_TX_TCP_SEG : RTE_MBUF_F_TX_UDP_SEG;
	if (offload->layers.ip == LAYERS_IPV4)
		pkt->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
	pkt->tso_segsz = offload->mss;
}

/* Streams and datagrams. */
static void choose_cut(const struct header_terms *terms, struct rte_mbuf *pkt,
                       struct offload *offload)
{
	const struct layers *layers = &offload->layers;
	uint32_t headers = (uint32_t)layers->l2_len + layers->l3_len + layers->l4_len;

	if (pkt->pkt_len - headers <= offload->mss) {
		choose_checksum(terms, pkt, offload);
	} else if (headers + offload->mss > terms->max_frame) {
		refuse(offload, OFFLOAD_FAULT_TOO_LONG);
	} else if (nic_can_cut(terms, pkt, offload)) {
		offload->way = OFFLOAD_NIC;
		ask_nic_to_cut(pkt, offload);
	} else {
		offload->way = OFFLOAD_SEGMENT;
		offload->nic_checksum = nic_can_sum(terms, layers);
	}
}

/* A datagram, whose gso_size is what its fragments have behind IP's headers: UDP's counts as well.
 * But the last they have whole units of 8 bytes. No NIC's driver takes these. */
static void choose_fragments(const struct header_terms *terms, struct rte_mbuf *pkt,
                             struct offload *offload)
{
	const struct layers *layers = &offload->layers;
	uint32_t headers =
	        layers->ip == LAYERS_IPV4 ? layers->l2_len + layers->l3_len : layers->fragment_at;
	uint32_t own = layers->ip == LAYERS_IPV4 ? 0 : RTE_IPV6_FRAG_HDR_SIZE;

	if (pkt->pkt_len - headers <= offload->mss) {
		choose_checksum(terms, pkt, offload);
		return;
	}
	offload->mss &= (uint16_t)~7;
	if (offload->mss == 0)
		refuse(offload, OFFLOAD_FAULT_SIZE);
	else if (headers + own + offload->mss > terms->max_frame ||
	         pkt->pkt_len - layers->l2_len > UINT16_MAX)
		refuse(offload, OFFLOAD_FAULT_TOO_LONG);
	else
		offload->way = OFFLOAD_SEGMENT;
}

static void judge_segmentation(const struct virtio_net_hdr *header,
                               const struct header_terms *terms, struct rte_mbuf *pkt,
                               struct offload *offload)
{
	uint8_t type = header->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;

	if (is_refused(offload, judge_cut(pkt, type, offload)))
		return;
	if (type == VIRTIO_NET_HDR_GSO_UDP) {
		offload->cut = OFFLOAD_CUT_FRAGMENT;
		choose_fragments(terms, pkt, offload);
	} else {
		offload->cut = type == OFFLOAD_GSO_UDP_L4 ? OFFLOAD_CUT_UDP : OFFLOAD_CUT_TCP;
		choose_cut(terms, pkt, offload);
	}
}

/* --- all of it ---------------------------------------------------------------------------------
 */

void header_judge(const struct virtio_net_hdr *header, const struct header_terms *terms,
                  struct rte_mbuf *pkt, struct offload *offload)
{
	memset(offload, 0, sizeof(*offload));
	if (!header_asks(header))
		return;
	if (is_refused(offload, judge_agreement(header, terms->features)))
		return;
	offload->mss = rte_le_to_cpu_16(header->gso_size);
	offload->checksum_start = rte_le_to_cpu_16(header->csum_start);
	offload->checksum_offset = rte_le_to_cpu_16(header->csum_offset);
	if (offload->checksum_start < RTE_ETHER_HDR_LEN ||
	    (uint32_t)offload->checksum_start + offload->checksum_offset + sizeof(uint16_t) >
	            pkt->pkt_len) {
		refuse(offload, OFFLOAD_FAULT_PLACE);
		return;
	}
	layers_find(pkt, &offload->layers);
	if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		choose_checksum(terms, pkt, offload);
	else
		judge_segmentation(header, terms, pkt, offload);
}

void header_complete(struct rte_mbuf *pkt, const struct offload *offload)
{
	if (offload->sctp)
		(void)checksum_complete_sctp(pkt, offload->checksum_start);
	else
		(void)checksum_complete(pkt, offload->checksum_start, offload->checksum_offset);
}

const char *offload_fault_text(enum offload_fault fault)
{
	static const char *const texts[OFFLOAD_FAULTS] = {
	        [OFFLOAD_FAULT_NONE] = "it has broken no rule",
	        [OFFLOAD_FAULT_UNASKED_CHECKSUM] =
	                "it asks for a checksum, which was not negotiated",
	        [OFFLOAD_FAULT_UNKNOWN_TYPE] = "it asks for a kind of segmentation that virtio "
	                                       "does not have",
	        [OFFLOAD_FAULT_UNASKED_TYPE] =
	                "it asks for a kind of segmentation that was not negotiated",
	        [OFFLOAD_FAULT_NO_CHECKSUM] = "it asks for segmentation, but for no checksum",
	        [OFFLOAD_FAULT_SIZE] = "it asks for segments of no size",
	        [OFFLOAD_FAULT_PLACE] = "it asks for a checksum that is not within the frame",
	        [OFFLOAD_FAULT_FRAME] = "it asks for a kind of segmentation that the frame's "
	                                "headers are not of",
	        [OFFLOAD_FAULT_DISAGREES] = "it asks for segmentation, and the frame's headers "
	                                    "do not agree with what it says of them",
	        [OFFLOAD_FAULT_UNCUTTABLE] =
	                "it asks for segmentation of a SYN, a reset or a fragment",
	        [OFFLOAD_FAULT_TOO_LONG] =
	                "it asks for segments that are longer than the VF may send",
	};

	return (unsigned)fault < OFFLOAD_FAULTS ? texts[fault] : "it has broken an unknown rule";
}
