/* Any bytes as a guest's header and frame, cut into any segments, for a VF that can do anything or
 * nothing. Most often some numbers are put right, so that what follows is reached at all. What has
 * to hold, whatever the bytes: nothing outside the frame is touched, each packet buffer comes back,
 * what is judged is not changed, checksums come out right, and what is cut in software are
 * well-formed frames that the VF may send, and all of the payload.
 */
#include <rte_ethdev.h>

#include "offload_frames.h"
#include "offload_train.h"

#define FUZZ_POOL     2048U
#define FUZZ_ROOM     2048U
#define FUZZ_OPTIONS  8U
#define FUZZ_MEND_IP  1 /* IP's length, and the place of the checksum */
#define FUZZ_MEND_L4  2 /* the pseudo header's sum */
#define FUZZ_NO_TOTAL 4 /* IP says no length */
#define FUZZ_WRONG    8 /* what was negotiated is in the options, else all of it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t bytes[RIG_OFFLOAD_BYTES + 1], after[RIG_OFFLOAD_BYTES];

/* As far as the frame can be read. */
static void mend(uint32_t length, uint8_t options, struct virtio_net_hdr *header)
{
	struct naive_packet packet;
	struct rte_mbuf mbuf = {
	        .buf_addr = bytes, .data_len = (uint16_t)RTE_MIN(length, 2048U), .pkt_len = length};
	struct layers layers;
	uint8_t *ip;

	layers_find(&mbuf, &layers);
	ip = bytes + layers.l2_len;
	if (layers.ip == LAYERS_NO_IP)
		return;
	if (layers.ip == LAYERS_IPV4) {
		rig_put_16(ip + 2, length - layers.l2_len);
		rig_put_16(ip + 10, 0);
		rig_put_16(ip + 10, 65535 - naive_sum(ip, layers.l3_len));
	} else {
		rig_put_16(ip + 4, length - layers.l2_len - 40);
	}
	header->csum_start = (uint16_t)(layers.l2_len + layers.l3_len);
	header->csum_offset = layers.protocol == LAYERS_TCP   ? 16
	                      : layers.protocol == LAYERS_UDP ? 6
	                                                      : 8;
	if ((options & FUZZ_MEND_L4) != 0 && layers.l4_len > 0 &&
	    naive_read(bytes, length, &packet))
		rig_put_16(bytes + header->csum_start + header->csum_offset, naive_pseudo(&packet));
	if ((options & FUZZ_NO_TOTAL) != 0)
		rig_put_16(ip + (layers.ip == LAYERS_IPV4 ? 2 : 4), 0);
}

static void expect_completed(struct rte_mbuf *pkt, const struct offload *offload)
{
	uint32_t start = offload->checksum_start, field = start + offload->checksum_offset;
	uint32_t width = offload->sctp ? 4 : 2, length, sum, before;

	header_complete(pkt, offload);
	length = rig_bytes(pkt, after);
	rig_expect(memcmp(bytes, after, field) == 0);
	rig_expect(memcmp(bytes + field + width, after + field + width, length - field - width) ==
	           0);
	if (offload->sctp) {
		sum = after[field] | (uint32_t)after[field + 1] << 8 |
		      (uint32_t)after[field + 2] << 16 | (uint32_t)after[field + 3] << 24;
		memset(after + field, 0, 4);
		rig_expect(sum == naive_crc32c(after + start, length - start));
		return;
	}
	before = naive_sum(bytes + start, length - start);
	rig_expect((naive_16(after + field) + before) % 65535 == 0);
	rig_expect(naive_16(after + field) != 0);
}

static void expect_pieces(struct rte_mbuf *pkt, const struct offload *offload,
                          const struct header_terms *terms, struct rig_pool *pool, uint16_t slice)
{
	static struct rig_train train;
	unsigned n = rig_cut(&train, pkt, offload, terms, pool, slice);
	uint32_t payload = train.whole.length - train.data_at;

	rig_expect(n > 1 && n == (payload + offload->mss - 1) / offload->mss);
}

static void expect_verdict(struct rte_mbuf *pkt, const struct offload *offload,
                           const struct virtio_net_hdr *header, const struct header_terms *terms,
                           struct rig_pool *pool, uint16_t slice)
{
	rig_expect((offload->way == OFFLOAD_INVALID) == (offload->fault != OFFLOAD_FAULT_NONE));
	rig_expect((offload->way == OFFLOAD_PLAIN) == !header_asks(header));
	switch (offload->way) {
	case OFFLOAD_NIC:
		rig_expect_nic(pkt, offload);
		rig_expect(rte_net_intel_cksum_prepare(pkt) == 0);
		if ((pkt->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0)
			rig_expect(pkt->tso_segsz >= OFFLOAD_NIC_MSS_MIN &&
			           0U + pkt->l2_len + pkt->l3_len + pkt->l4_len + pkt->tso_segsz <=
			                   terms->max_frame);
		break;
	case OFFLOAD_CHECKSUM:
		expect_completed(pkt, offload);
		break;
	case OFFLOAD_SEGMENT:
		expect_pieces(pkt, offload, terms, pool, slice);
		return;
	default:
		break;
	}
	rte_pktmbuf_free(pkt);
}

static struct header_terms make_terms(const uint8_t *options)
{
	static const uint64_t capabilities[8] = {
	        RTE_ETH_TX_OFFLOAD_IPV4_CKSUM, RTE_ETH_TX_OFFLOAD_TCP_CKSUM,
	        RTE_ETH_TX_OFFLOAD_UDP_CKSUM,  RTE_ETH_TX_OFFLOAD_SCTP_CKSUM,
	        RTE_ETH_TX_OFFLOAD_TCP_TSO,    RTE_ETH_TX_OFFLOAD_UDP_TSO,
	        RTE_ETH_TX_OFFLOAD_MULTI_SEGS, 0};
	static const uint16_t frames[8] = {1522, 2122, 9022, 1514, 576, 300, 100, 65535};
	struct header_terms terms = {
	        .features = UINT64_MAX, .max_frame = frames[options[2] % 8], .max_mbufs = 40};

	if ((options[0] & FUZZ_WRONG) != 0)
		terms.features = (uint64_t)options[5] << 8 | (options[5] & 1) |
		                 (uint64_t)(options[5] >> 7) << OFFLOAD_HOST_USO;
	for (unsigned i = 0; i < 8; i++)
		if ((options[1] >> i & 1) != 0)
			terms.capabilities |= capabilities[i];
	return terms;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rig_pool *pool;
	struct virtio_net_hdr header;
	struct header_terms terms;
	struct offload offload;
	uint32_t length, more;

	if (size < FUZZ_OPTIONS + sizeof(header) + 1 || size > 4096)
		return 0;
	if (pool == NULL)
		pool = rig_pool_open(FUZZ_POOL, FUZZ_ROOM);
	memcpy(&header, data + FUZZ_OPTIONS, sizeof(header));
	length = (uint32_t)(size - FUZZ_OPTIONS - sizeof(header));
	memcpy(bytes, data + FUZZ_OPTIONS + sizeof(header), length);
	/* The guest's frames may be longer than what a fuzzer likes to make. */
	more = RTE_MIN(data[7] * 257U, RIG_OFFLOAD_BYTES - length);
	for (uint32_t i = 0; i < more; i++)
		bytes[length + i] = rig_frame_byte(data[6], i);
	length += more;
	if ((data[0] & FUZZ_MEND_IP) != 0)
		mend(length, data[0], &header);
	terms = make_terms(data);

	struct rte_mbuf *pkt = rig_mbufs(pool, bytes, length, 1 + data[3] * 8U,
	                                 length > 2000 ? 1000 + data[4] * 4U : 1 + data[4] % 200U);
	header_judge(&header, &terms, pkt, &offload);
	rig_bytes(pkt, after);
	rig_expect(memcmp(bytes, after, length) == 0);
	rig_expect(offload_fault_text((enum offload_fault)offload.fault) != NULL);
	expect_verdict(pkt, &offload, &header, &terms, pool, (uint16_t)(1 + data[6] % 64));
	rig_expect(pool->n_free == FUZZ_POOL);
	return 0;
}
