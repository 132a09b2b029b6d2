/* Cutting frames. See segment.h.
 *
 * The payload is copied into fresh buffers, rather than shared by buffers that point into the
 * frame: VFs are set up for plain buffers of their relay's own pool, one to a frame where the MTU
 * allows (vf/configure.c), and the bytes have to be read for their checksum anyhow.
 *
 * DPDK's rte_gso is not used: it knows no IPv6, takes the lengths of headers as they are given,
 * makes frames of several buffers, and completes no checksums.
 */
#include "offload/segment.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_random.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "offload/checksum.h"

#define NEXT_FRAGMENT 44 /* IANA's number of IPv6's fragment header */

/* RFC 791, 3.1: options of IPv4. */
#define OPTION_END    0
#define OPTION_NOP    1
#define OPTION_COPIED 0x80 /* goes into each fragment */

/* A piece that is being made. */
struct piece {
	struct rte_mbuf *pkt;
	uint32_t at, length; /* of its payload in all that there is */
	bool last;
};

/* --- headers -----------------------------------------------------------------------------------
 */

static inline void *header_at(const struct rte_mbuf *pkt, uint32_t at)
{
	return rte_pktmbuf_mtod_offset(pkt, void *, at);
}

/* Replaces what a fragment other than the first has no use for. */
static void blank_options(uint8_t *options, uint32_t length)
{
	for (uint32_t i = 0; i < length && options[i] != OPTION_END;) {
		uint32_t n = options[i] == OPTION_NOP || i + 1 == length ? 1 : options[i + 1];

		if (n == 0 || n > length - i)
			n = length - i; /* malformed, and nobody's who reads on */
		if ((options[i] & OPTION_COPIED) == 0)
			memset(options + i, OPTION_NOP, n);
		i += n;
	}
}

static void write_ipv4(const struct segmenter *segmenter, const struct piece *piece)
{
	const struct layers *layers = &segmenter->offload.layers;
	struct rte_ipv4_hdr *ip = header_at(piece->pkt, layers->l2_len);
	uint32_t total = segmenter->headers - layers->l2_len + piece->length;

	ip->total_length = rte_cpu_to_be_16((uint16_t)total);
	if (segmenter->offload.cut == OFFLOAD_CUT_FRAGMENT) {
		ip->fragment_offset =
		        rte_cpu_to_be_16((uint16_t)(piece->at / RTE_IPV4_HDR_OFFSET_UNITS |
		                                    (piece->last ? 0 : RTE_IPV4_HDR_MF_FLAG)));
		if (piece->at > 0)
			blank_options((uint8_t *)(ip + 1), layers->l3_len - sizeof(*ip));
	} else {
		ip->packet_id = rte_cpu_to_be_16(
		        (uint16_t)(rte_be_to_cpu_16(ip->packet_id) + segmenter->number));
	}
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, layers->l3_len);
}

/* The header that makes a fragment, behind those in front of it; the buffer has room for it. */
static void write_fragment(const struct segmenter *segmenter, const struct piece *piece)
{
	const struct layers *layers = &segmenter->offload.layers;
	struct rte_ipv6_fragment_ext *fragment = header_at(piece->pkt, segmenter->headers);
	uint8_t *next = header_at(piece->pkt, layers->next_at);

	fragment->next_header = *next;
	fragment->reserved = 0;
	fragment->frag_data =
	        rte_cpu_to_be_16((uint16_t)(piece->at | (piece->last ? 0 : RTE_IPV6_EHDR_MF_MASK)));
	fragment->id = segmenter->fragment_id;
	*next = NEXT_FRAGMENT;
}

static void write_ipv6(const struct segmenter *segmenter, const struct piece *piece)
{
	const struct layers *layers = &segmenter->offload.layers;
	struct rte_ipv6_hdr *ip = header_at(piece->pkt, layers->l2_len);
	uint32_t own = segmenter->offload.cut == OFFLOAD_CUT_FRAGMENT ? RTE_IPV6_FRAG_HDR_SIZE : 0;
	uint32_t headers = segmenter->headers - layers->l2_len - sizeof(*ip);

	ip->payload_len = rte_cpu_to_be_16((uint16_t)(headers + own + piece->length));
	if (own > 0)
		write_fragment(segmenter, piece);
}

/* What is urgent ends where it did: so many bytes behind this piece's beginning. */
static void move_urgent(struct rte_tcp_hdr *tcp, uint32_t at)
{
	uint16_t urgent = rte_be_to_cpu_16(tcp->tcp_urp);

	if ((tcp->tcp_flags & RTE_TCP_URG_FLAG) == 0)
		return;
	if (urgent > at) {
		tcp->tcp_urp = rte_cpu_to_be_16((uint16_t)(urgent - at));
	} else {
		tcp->tcp_urp = 0;
		tcp->tcp_flags &= (uint8_t)~RTE_TCP_URG_FLAG;
	}
}

/* What ends the data stands in the last segment. That the window was reduced is said once, or the
 * peer would take it for an answer to each (RFC 3168, 6.1.2). */
static void write_tcp(const struct segmenter *segmenter, const struct piece *piece)
{
	struct rte_tcp_hdr *tcp = header_at(piece->pkt, segmenter->offload.checksum_start);

	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + piece->at);
	if (!piece->last)
		tcp->tcp_flags &= (uint8_t) ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
	if (piece->at > 0)
		tcp->tcp_flags &= (uint8_t)~RTE_TCP_CWR_FLAG;
	move_urgent(tcp, piece->at);
}

/* The guest has summed the pseudo header of all of it. A piece's differs by the length alone, of
 * which we know the old and the new one: so addresses that a routing header changes on the way are
 * none of our business. */
static void write_checksum(const struct segmenter *segmenter, const struct piece *piece)
{
	const struct offload *offload = &segmenter->offload;
	uint16_t before = (uint16_t)(segmenter->pkt->pkt_len - offload->checksum_start);
	uint16_t after = (uint16_t)(piece->pkt->pkt_len - offload->checksum_start);
	void *field = header_at(piece->pkt, offload->checksum_start + offload->checksum_offset);
	uint16_t sum;

	memcpy(&sum, field, sizeof(sum));
	sum = checksum_subtract(sum, rte_cpu_to_be_16(before));
	sum = checksum_add(sum, rte_cpu_to_be_16(after));
	memcpy(field, &sum, sizeof(sum));
	if (offload->nic_checksum)
		header_ask_nic(piece->pkt, &offload->layers);
	else
		(void)checksum_complete(piece->pkt, offload->checksum_start,
		                        offload->checksum_offset);
}

/* Once the whole piece is there. */
static void write_headers(const struct segmenter *segmenter, const struct piece *piece)
{
	const struct offload *offload = &segmenter->offload;

	if (offload->layers.ip == LAYERS_IPV4)
		write_ipv4(segmenter, piece);
	else
		write_ipv6(segmenter, piece);
	if (offload->cut == OFFLOAD_CUT_FRAGMENT)
		return;
	if (offload->cut == OFFLOAD_CUT_TCP) {
		write_tcp(segmenter, piece);
	} else {
		struct rte_udp_hdr *udp = header_at(piece->pkt, offload->checksum_start);

		udp->dgram_len = rte_cpu_to_be_16((uint16_t)(sizeof(*udp) + piece->length));
	}
	write_checksum(segmenter, piece);
}

/* --- payload -----------------------------------------------------------------------------------
 */

/* The end of a piece, where more is put: NULL when there is no buffer left. */
static struct rte_mbuf *make_room(struct rte_mbuf *pkt, struct rte_mbuf *last,
                                  struct rte_mempool *pool)
{
	if (rte_pktmbuf_tailroom(last) > 0)
		return last;
	last->next = rte_pktmbuf_alloc(pool);
	if (last->next != NULL)
		pkt->nb_segs++;
	return last->next;
}

/* Copies the next n bytes of payload behind what the piece has. */
static bool copy_payload(struct segmenter *segmenter, struct rte_mbuf *pkt,
                         struct rte_mempool *pool, uint32_t n)
{
	struct rte_mbuf *last = pkt;

	while (n > 0) {
		uint32_t there = segmenter->from->data_len - segmenter->from_at;
		uint32_t part = RTE_MIN(n, there);

		if (there == 0) {
			segmenter->from = segmenter->from->next;
			segmenter->from_at = 0;
			continue;
		}
		last = make_room(pkt, last, pool);
		if (last == NULL)
			return false;
		part = RTE_MIN(part, rte_pktmbuf_tailroom(last));
		memcpy(rte_pktmbuf_mtod_offset(last, void *, last->data_len),
		       rte_pktmbuf_mtod_offset(segmenter->from, const void *, segmenter->from_at),
		       part);
		last->data_len = (uint16_t)(last->data_len + part);
		pkt->pkt_len += part;
		segmenter->from_at += part;
		n -= part;
	}
	return true;
}

/* NULL: the pool is empty, and the segmenter is where it was. */
static struct rte_mbuf *make_piece(struct segmenter *segmenter, struct rte_mempool *pool)
{
	const struct offload *offload = &segmenter->offload;
	uint32_t left = segmenter->payload - segmenter->done;
	struct piece piece = {.at = segmenter->done,
	                      .length = RTE_MIN(left, (uint32_t)offload->mss),
	                      .last = left <= offload->mss};
	bool fragment6 = offload->cut == OFFLOAD_CUT_FRAGMENT && offload->layers.ip == LAYERS_IPV6;
	uint16_t room = (uint16_t)(segmenter->headers + (fragment6 ? RTE_IPV6_FRAG_HDR_SIZE : 0));
	const struct rte_mbuf *from = segmenter->from;
	uint32_t from_at = segmenter->from_at;
	char *headers;

	piece.pkt = rte_pktmbuf_alloc(pool);
	if (piece.pkt == NULL)
		return NULL;
	headers = rte_pktmbuf_append(piece.pkt, room);
	if (headers == NULL || !copy_payload(segmenter, piece.pkt, pool, piece.length)) {
		rte_pktmbuf_free(piece.pkt);
		segmenter->from = from;
		segmenter->from_at = from_at;
		return NULL;
	}
	memcpy(headers, rte_pktmbuf_mtod(segmenter->pkt, const void *), segmenter->headers);
	write_headers(segmenter, &piece);
	segmenter->done += piece.length;
	segmenter->number++;
	return piece.pkt;
}

/* --- a frame -----------------------------------------------------------------------------------
 */

void segment_begin(struct segmenter *segmenter, struct rte_mbuf *pkt, const struct offload *offload)
{
	const struct layers *layers = &offload->layers;
	uint32_t headers = (uint32_t)layers->l2_len + layers->l3_len + layers->l4_len;
	uint32_t id = 0;

	if (offload->cut == OFFLOAD_CUT_FRAGMENT) {
		/* Its checksum is of all fragments together. */
		header_complete(pkt, offload);
		id = (uint32_t)rte_rand();
		headers = layers->ip == LAYERS_IPV4 ? layers->l2_len + layers->l3_len
		                                    : layers->fragment_at;
	}
	*segmenter = (struct segmenter){.pkt = pkt,
	                                .from = pkt,
	                                .from_at = headers,
	                                .payload = pkt->pkt_len - headers,
	                                .fragment_id = id,
	                                .headers = (uint16_t)headers,
	                                .offload = *offload};
}

uint16_t segment_next(struct segmenter *segmenter, struct rte_mempool *pool,
                      struct rte_mbuf **pieces, uint16_t n)
{
	uint16_t made = 0;

	while (made < n && segmenter->pkt != NULL) {
		pieces[made] = make_piece(segmenter, pool);
		if (pieces[made] == NULL)
			break;
		made++;
		if (segmenter->done == segmenter->payload)
			(void)segment_drop(segmenter);
	}
	return made;
}

uint32_t segment_drop(struct segmenter *segmenter)
{
	uint32_t left = segmenter->payload - segmenter->done;

	rte_pktmbuf_free(segmenter->pkt);
	segmenter->pkt = NULL;
	return left;
}
