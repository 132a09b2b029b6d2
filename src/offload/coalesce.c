/* Joining segments. See coalesce.h.
 *
 * A frame goes through the steps of the file from top to bottom: what is it, is its checksum right,
 * whose stream is it, does it go on where that one's last segment has ended. At the first "no" it
 * stays as it is, and its stream's joined frame is done, so that nothing overtakes it.
 */
#include "offload/coalesce.h"

#include <linux/virtio_net.h>
#include <stddef.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "offload/checksum.h"
#include "offload/layers.h"

/* What ends a train of segments, and is said by the last one only. */
#define LAST_FLAGS (RTE_TCP_PSH_FLAG | RTE_TCP_FIN_FLAG)

enum kind {
	KIND_OTHER,   /* it has nothing to do with streams */
	KIND_UNCLEAR, /* it may be part of any stream */
	KIND_ALONE,   /* of a stream, and cannot be joined */
	KIND_JOINABLE,
};

struct arrival {
	struct rte_mbuf *pkt;
	struct layers layers;
	uint32_t headers, payload; /* bytes */
};

/* A stream whose next segment may be joined. */
struct stream {
	struct arrival first;  /* its mbufs are those of the whole frame */
	struct rte_mbuf *last; /* the last one of them */
	uint32_t next_seq;
	uint16_t last_id;   /* IPv4's */
	uint16_t joined;    /* segments besides the first */
	uint8_t last_flags; /* LAST_FLAGS that came with the last segment */
};

struct streams {
	struct stream open[COALESCE_STREAMS];
	unsigned n;
};

/* --- what is it? -------------------------------------------------------------------------------
 */

static inline struct rte_tcp_hdr *tcp_of(const struct arrival *arrival)
{
	return rte_pktmbuf_mtod_offset(arrival->pkt, struct rte_tcp_hdr *,
	                               arrival->layers.l2_len + arrival->layers.l3_len);
}

static inline struct rte_ipv4_hdr *ipv4_of(const struct arrival *arrival)
{
	return rte_pktmbuf_mtod_offset(arrival->pkt, struct rte_ipv4_hdr *, arrival->layers.l2_len);
}

static inline struct rte_ipv6_hdr *ipv6_of(const struct arrival *arrival)
{
	return rte_pktmbuf_mtod_offset(arrival->pkt, struct rte_ipv6_hdr *, arrival->layers.l2_len);
}

/* Acknowledgements of a segment each, and what is urgent or reduces a window, are more than data.
 * So are options of IPv4, and the padding of a short frame. That no mbuf is empty behind the data
 * tells where a segment ends that has become part of a frame. */
static bool is_joinable(const struct arrival *arrival, unsigned versions)
{
	const struct layers *layers = &arrival->layers;
	uint8_t flags = tcp_of(arrival)->tcp_flags;

	if ((versions & (layers->ip == LAYERS_IPV4 ? COALESCE_IPV4 : COALESCE_IPV6)) == 0)
		return false;
	if (layers->ip == LAYERS_IPV4 && layers->l3_len != sizeof(struct rte_ipv4_hdr))
		return false;
	return (flags & ~(LAST_FLAGS | RTE_TCP_ECE_FLAG)) == RTE_TCP_ACK_FLAG &&
	       arrival->payload > 0 && layers->ip_says == arrival->pkt->pkt_len &&
	       rte_pktmbuf_lastseg(arrival->pkt)->data_len > 0;
}

static enum kind find_kind(struct rte_mbuf *pkt, unsigned versions, struct arrival *arrival)
{
	const struct layers *layers = &arrival->layers;

	arrival->pkt = pkt;
	layers_find(pkt, &arrival->layers);
	if (layers->fragment || layers->extended)
		return KIND_UNCLEAR;
	if (layers->ip == LAYERS_NO_IP || layers->protocol != LAYERS_TCP)
		return KIND_OTHER;
	if (layers->l4_len == 0)
		return KIND_UNCLEAR;
	arrival->headers = (uint32_t)layers->l2_len + layers->l3_len + layers->l4_len;
	arrival->payload = pkt->pkt_len - arrival->headers;
	return is_joinable(arrival, versions) ? KIND_JOINABLE : KIND_ALONE;
}

/* --- is its checksum right? --------------------------------------------------------------------
 */

static uint16_t sum_pseudo(const struct arrival *arrival)
{
	if (arrival->layers.ip == LAYERS_IPV4)
		return rte_ipv4_phdr_cksum(ipv4_of(arrival), 0);
	return rte_ipv6_phdr_cksum(ipv6_of(arrival), 0);
}

static bool ip_is_right(const struct arrival *arrival)
{
	uint64_t said = arrival->pkt->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;

	if (arrival->layers.ip != LAYERS_IPV4 || said == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		return true;
	return said != RTE_MBUF_F_RX_IP_CKSUM_BAD &&
	       rte_raw_cksum(ipv4_of(arrival), sizeof(struct rte_ipv4_hdr)) == 0xffff;
}

/* Where the NIC does not say, its bytes are read, which the copy to the guest will do as well. */
static bool is_right(const struct arrival *arrival)
{
	uint64_t said = arrival->pkt->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
	uint32_t start = (uint32_t)arrival->layers.l2_len + arrival->layers.l3_len;

	if (said == RTE_MBUF_F_RX_L4_CKSUM_BAD || !ip_is_right(arrival))
		return false;
	return said == RTE_MBUF_F_RX_L4_CKSUM_GOOD ||
	       checksum_add(sum_pseudo(arrival),
	                    checksum_sum(arrival->pkt, start, arrival->pkt->pkt_len - start)) ==
	               0xffff;
}

/* --- whose is it? ------------------------------------------------------------------------------
 */

/* Both have complete headers in their first segments, and TCP in them. */
static bool is_of_stream(const struct stream *stream, const struct arrival *arrival)
{
	const struct arrival *first = &stream->first;
	const struct layers *layers = &first->layers;
	const uint32_t ports = 4;

	/* Without options and extension headers, the same kind of IP puts all at the same place. */
	if (layers->ip != arrival->layers.ip || layers->l2_len != arrival->layers.l2_len ||
	    memcmp(rte_pktmbuf_mtod(first->pkt, const void *),
	           rte_pktmbuf_mtod(arrival->pkt, const void *), layers->l2_len) != 0 ||
	    memcmp(tcp_of(first), tcp_of(arrival), ports) != 0)
		return false;
	if (layers->ip == LAYERS_IPV4)
		return ipv4_of(first)->src_addr == ipv4_of(arrival)->src_addr &&
		       ipv4_of(first)->dst_addr == ipv4_of(arrival)->dst_addr;
	return memcmp(&ipv6_of(first)->src_addr, &ipv6_of(arrival)->src_addr,
	              sizeof(ipv6_of(first)->src_addr)) == 0 &&
	       memcmp(&ipv6_of(first)->dst_addr, &ipv6_of(arrival)->dst_addr,
	              sizeof(ipv6_of(first)->dst_addr)) == 0;
}

static struct stream *find_stream(struct streams *streams, const struct arrival *arrival)
{
	for (unsigned i = 0; i < streams->n; i++)
		if (is_of_stream(&streams->open[i], arrival))
			return &streams->open[i];
	return NULL;
}

/* --- does it go on? ----------------------------------------------------------------------------
 */

/* Identities go up by one from segment to segment, as they will again; or there is one for all,
 * which nobody reads where nothing may be fragmented (RFC 6864, 4.1). */
static bool ipv4_goes_on(const struct stream *stream, const struct arrival *arrival)
{
	const struct rte_ipv4_hdr *a = ipv4_of(&stream->first), *b = ipv4_of(arrival);
	uint16_t id = rte_be_to_cpu_16(b->packet_id);

	return a->version_ihl == b->version_ihl && a->type_of_service == b->type_of_service &&
	       a->time_to_live == b->time_to_live && a->fragment_offset == b->fragment_offset &&
	       (id == (uint16_t)(stream->last_id + 1) ||
	        (id == stream->last_id &&
	         (b->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)) != 0));
}

static bool ipv6_goes_on(const struct stream *stream, const struct arrival *arrival)
{
	const struct rte_ipv6_hdr *a = ipv6_of(&stream->first), *b = ipv6_of(arrival);

	return a->vtc_flow == b->vtc_flow && a->hop_limits == b->hop_limits;
}

static bool tcp_goes_on(const struct stream *stream, const struct arrival *arrival)
{
	const struct rte_tcp_hdr *a = tcp_of(&stream->first), *b = tcp_of(arrival);

	return rte_be_to_cpu_32(b->sent_seq) == stream->next_seq && a->recv_ack == b->recv_ack &&
	       a->data_off == b->data_off && a->rx_win == b->rx_win && a->tcp_urp == b->tcp_urp &&
	       ((a->tcp_flags ^ b->tcp_flags) & ~LAST_FLAGS) == 0 &&
	       memcmp(a + 1, b + 1, stream->first.layers.l4_len - sizeof(*a)) == 0;
}

static bool goes_on(const struct stream *stream, const struct arrival *arrival)
{
	const struct rte_mbuf *pkt = stream->first.pkt;

	if (arrival->payload > stream->first.payload ||
	    pkt->pkt_len - stream->first.layers.l2_len + arrival->payload > UINT16_MAX ||
	    pkt->nb_segs + arrival->pkt->nb_segs > (int)COALESCE_MBUFS ||
	    !tcp_goes_on(stream, arrival))
		return false;
	return arrival->layers.ip == LAYERS_IPV4 ? ipv4_goes_on(stream, arrival)
	                                         : ipv6_goes_on(stream, arrival);
}

/* --- joining -----------------------------------------------------------------------------------
 */

static void open_stream(struct streams *streams, const struct arrival *arrival)
{
	if (streams->n == COALESCE_STREAMS)
		return;
	streams->open[streams->n++] = (struct stream){
	        .first = *arrival,
	        .last = rte_pktmbuf_lastseg(arrival->pkt),
	        .next_seq = rte_be_to_cpu_32(tcp_of(arrival)->sent_seq) + arrival->payload,
	        .last_id = arrival->layers.ip == LAYERS_IPV4
	                           ? rte_be_to_cpu_16(ipv4_of(arrival)->packet_id)
	                           : 0};
}

static void join(struct stream *stream, const struct arrival *arrival)
{
	struct rte_mbuf *whole = stream->first.pkt, *pkt = arrival->pkt;

	stream->next_seq += arrival->payload;
	stream->last_flags = tcp_of(arrival)->tcp_flags & LAST_FLAGS;
	if (arrival->layers.ip == LAYERS_IPV4)
		stream->last_id = rte_be_to_cpu_16(ipv4_of(arrival)->packet_id);
	stream->joined++;
	(void)rte_pktmbuf_adj(pkt, (uint16_t)arrival->headers);
	stream->last->next = pkt;
	stream->last = rte_pktmbuf_lastseg(pkt);
	whole->nb_segs = (uint16_t)(whole->nb_segs + pkt->nb_segs);
	whole->pkt_len += pkt->pkt_len;
}

/* Headers of a frame as long as its mbufs are; of TCP's checksum the part that is the pseudo
 * header's. */
static void write_lengths(const struct arrival *arrival)
{
	uint32_t length = arrival->pkt->pkt_len - arrival->layers.l2_len;

	if (arrival->layers.ip == LAYERS_IPV4) {
		struct rte_ipv4_hdr *ip = ipv4_of(arrival);

		ip->total_length = rte_cpu_to_be_16((uint16_t)length);
		ip->hdr_checksum = 0;
		ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, sizeof(*ip));
	} else {
		ipv6_of(arrival)->payload_len =
		        rte_cpu_to_be_16((uint16_t)(length - sizeof(struct rte_ipv6_hdr)));
	}
	tcp_of(arrival)->cksum = sum_pseudo(arrival);
}

/* The headers of what has been joined, and what its mbuf has to say of it. */
static void describe(const struct stream *stream)
{
	const struct arrival *first = &stream->first;
	const struct layers *layers = &first->layers;
	struct rte_mbuf *pkt = first->pkt;

	write_lengths(first);
	tcp_of(first)->tcp_flags |= stream->last_flags;
	pkt->ol_flags |= RTE_MBUF_F_TX_TCP_SEG |
	                 (layers->ip == LAYERS_IPV4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6);
	pkt->tx_offload = 0;
	pkt->l2_len = layers->l2_len;
	pkt->l3_len = layers->l3_len;
	pkt->l4_len = layers->l4_len;
	pkt->tso_segsz = (uint16_t)first->payload;
}

/* Nothing more is joined to it. */
static void close_stream(struct streams *streams, struct stream *stream)
{
	if (stream->joined > 0)
		describe(stream);
	*stream = streams->open[--streams->n];
}

static void close_all(struct streams *streams)
{
	while (streams->n > 0)
		close_stream(streams, &streams->open[streams->n - 1]);
}

/* Whether the packet has become part of another. */
static bool take(struct streams *streams, struct rte_mbuf *pkt, unsigned versions)
{
	struct arrival arrival;
	enum kind kind = find_kind(pkt, versions, &arrival);
	struct stream *stream;
	bool last, joined = false;

	if (kind == KIND_OTHER)
		return false;
	if (kind == KIND_UNCLEAR) {
		close_all(streams);
		return false;
	}
	if (kind == KIND_JOINABLE && !is_right(&arrival))
		kind = KIND_ALONE;
	stream = find_stream(streams, &arrival);
	last = (tcp_of(&arrival)->tcp_flags & LAST_FLAGS) != 0;
	if (stream != NULL) {
		last |= arrival.payload < stream->first.payload;
		joined = kind == KIND_JOINABLE && goes_on(stream, &arrival);
		if (joined)
			join(stream, &arrival);
		if (!joined || last)
			close_stream(streams, stream);
	}
	if (!joined && kind == KIND_JOINABLE && (tcp_of(&arrival)->tcp_flags & LAST_FLAGS) == 0)
		open_stream(streams, &arrival);
	return joined;
}

uint16_t coalesce_burst(struct rte_mbuf **pkts, uint16_t n, unsigned versions)
{
	struct streams streams;
	uint16_t kept = 0;

	streams.n = 0;
	for (uint16_t i = 0; i < n; i++)
		if (!take(&streams, pkts[i], versions))
			pkts[kept++] = pkts[i];
	close_all(&streams);
	return kept;
}

unsigned coalesce_versions(uint64_t features)
{
	if ((features >> VIRTIO_NET_F_GUEST_CSUM & 1) == 0)
		return 0;
	return ((features >> VIRTIO_NET_F_GUEST_TSO4 & 1) != 0 ? COALESCE_IPV4 : 0) |
	       ((features >> VIRTIO_NET_F_GUEST_TSO6 & 1) != 0 ? COALESCE_IPV6 : 0);
}

/* --- taking apart ------------------------------------------------------------------------------
 */

/* Ends a segment of so many mbufs. Returns the one behind it. */
static struct rte_mbuf *cut_behind(struct rte_mbuf *pkt, uint16_t mbufs)
{
	struct rte_mbuf *next;

	while (--mbufs > 0)
		pkt = pkt->next;
	next = pkt->next;
	pkt->next = NULL;
	return next;
}

/* Those joined to it have kept their own numbers of mbufs; the first one's has been overwritten. */
static struct rte_mbuf *cut_first(struct rte_mbuf *pkt, uint32_t length)
{
	const struct rte_mbuf *at = pkt;
	uint32_t found = at->data_len;

	for (pkt->nb_segs = 1; found < length; pkt->nb_segs++) {
		at = at->next;
		found += at->data_len;
	}
	pkt->pkt_len = length;
	return cut_behind(pkt, pkt->nb_segs);
}

/* Its headers as they came: a segment behind which others were joined was not the last one. */
static void restore_first(const struct arrival *first)
{
	struct rte_mbuf *pkt = first->pkt;

	write_lengths(first);
	tcp_of(first)->tcp_flags &= (uint8_t)~LAST_FLAGS;
	(void)checksum_complete(pkt, (uint32_t)first->layers.l2_len + first->layers.l3_len,
	                        offsetof(struct rte_tcp_hdr, cksum));
	pkt->ol_flags &= ~(RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6);
	pkt->tx_offload = 0;
}

uint16_t coalesce_undo(struct rte_mbuf *pkt, struct rte_mbuf **segments)
{
	bool ipv4 = (pkt->ol_flags & RTE_MBUF_F_TX_IPV4) != 0;
	const struct arrival first = {.pkt = pkt,
	                              .layers = {.l2_len = (uint16_t)pkt->l2_len,
	                                         .l3_len = (uint16_t)pkt->l3_len,
	                                         .ip = ipv4 ? LAYERS_IPV4 : LAYERS_IPV6}};
	uint16_t headers = (uint16_t)(pkt->l2_len + pkt->l3_len + pkt->l4_len), n = 1;
	struct rte_mbuf *next = cut_first(pkt, (uint32_t)headers + pkt->tso_segsz);

	restore_first(&first);
	segments[0] = pkt;
	while (next != NULL) {
		struct rte_mbuf *segment = next;

		next = cut_behind(segment, segment->nb_segs);
		(void)rte_pktmbuf_prepend(segment, headers);
		segments[n++] = segment;
	}
	return n;
}
