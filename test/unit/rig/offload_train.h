/* A frame that is cut in software, and what has to hold of each piece: without EAL and without
 * libcheck, for unit tests and the fuzz target.
 */
#ifndef OFFLOAD_TRAIN_H
#define OFFLOAD_TRAIN_H

#include "offload/segment.h"
#include "offload_rig.h"

/* A frame that was cut, before and while its pieces come. */
struct rig_train {
	uint8_t bytes[RIG_OFFLOAD_BYTES]; /* as the guest sent it */
	struct naive_packet whole;
	struct header_terms terms;
	uint32_t error; /* of its checksum, had it been completed: pieces' are off by the same */
	uint32_t data_at, done;
	uint32_t fragment_id;
};

/* Before segment_begin. IP's header in the frame may say that it does not know its length. */
static inline void rig_train_begin(struct rig_train *train, const struct rte_mbuf *pkt,
                                   const struct offload *offload, const struct header_terms *terms)
{
	uint32_t length = rig_bytes(pkt, train->bytes);
	uint8_t *ip = train->bytes + offload->layers.l2_len;
	uint8_t *field = train->bytes + offload->checksum_start + offload->checksum_offset;
	uint32_t partial = naive_16(field);

	train->terms = *terms;
	train->done = 0;
	/* Longer than any header can say: what stands there is none of the pieces'. */
	if (offload->layers.ip == LAYERS_IPV4) {
		ip[2] = (uint8_t)((length - offload->layers.l2_len) >> 8);
		ip[3] = (uint8_t)(length - offload->layers.l2_len);
		ip[10] = ip[11] = 0;
		uint32_t sum = 65535 - naive_sum(ip, offload->layers.l3_len);
		ip[10] = (uint8_t)(sum >> 8);
		ip[11] = (uint8_t)sum;
	} else {
		ip[4] = (uint8_t)((length - offload->layers.l2_len - 40) >> 8);
		ip[5] = (uint8_t)(length - offload->layers.l2_len - 40);
	}
	rig_expect(naive_read(train->bytes, length, &train->whole));
	rig_expect(train->whole.l4_at == offload->checksum_start);
	train->error = (naive_pseudo(&train->whole) + 65535 - partial % 65535) % 65535;
	train->data_at = offload->cut == OFFLOAD_CUT_FRAGMENT
	                         ? (offload->layers.ip == LAYERS_IPV4 ? train->whole.l4_at
	                                                              : offload->layers.fragment_at)
	                         : train->whole.data_at;
}

/* TCP's header of the piece against that of the whole. */
static inline void rig_expect_tcp(const struct rig_train *train, const struct naive_packet *piece,
                                  bool last)
{
	const uint8_t *before = train->bytes + train->whole.l4_at;
	const uint8_t *after = piece->bytes + piece->l4_at;
	uint8_t flags = before[13];
	uint32_t urgent = naive_16(before + 18);

	if (!last)
		flags &= (uint8_t)~0x09;
	if (train->done > 0)
		flags &= 0x7f;
	if ((flags & 0x20) != 0) {
		if (urgent <= train->done)
			flags &= (uint8_t)~0x20;
		urgent = urgent > train->done ? urgent - train->done : 0;
	}
	rig_expect(naive_32(after + 4) == (uint32_t)(naive_32(before + 4) + train->done));
	rig_expect(after[13] == flags && naive_16(after + 18) == urgent);
	rig_expect(memcmp(before, after, 4) == 0 && memcmp(before + 8, after + 8, 5) == 0 &&
	           memcmp(before + 14, after + 14, 2) == 0);
	rig_expect(memcmp(before + 20, after + 20, piece->data_at - piece->l4_at - 20) == 0);
}

/* Of IP and what is before it. */
static inline void rig_expect_ip(struct rig_train *train, const struct naive_packet *piece,
                                 const struct offload *offload, unsigned number, bool last)
{
	const uint8_t *before = train->bytes + train->whole.ip_at;
	const uint8_t *after = piece->bytes + piece->ip_at;
	bool fragments = offload->cut == OFFLOAD_CUT_FRAGMENT;

	rig_expect(piece->ip_at == train->whole.ip_at && piece->version == train->whole.version);
	rig_expect(memcmp(piece->bytes, train->bytes, piece->ip_at) == 0);
	rig_expect(piece->is_fragment == fragments);
	if (fragments) {
		rig_expect(piece->offset == train->done && piece->more == !last);
		if (number == 0)
			train->fragment_id = piece->id;
		rig_expect(piece->id == train->fragment_id);
	}
	if (piece->version == 4) {
		rig_expect(memcmp(before, after, 2) == 0 && memcmp(before + 8, after + 8, 2) == 0 &&
		           memcmp(before + 12, after + 12, 8) == 0);
		rig_expect(piece->id == (train->whole.id + (fragments ? 0 : number)) % 65536);
		if (!fragments || number == 0)
			rig_expect(memcmp(before + 20, after + 20, (before[0] % 16 - 5U) * 4) == 0);
		if (!fragments)
			rig_expect(memcmp(before + 6, after + 6, 2) == 0);
		return;
	}
	rig_expect(memcmp(before, after, 4) == 0 && memcmp(before + 7, after + 7, 33) == 0);
	if (!fragments)
		rig_expect(memcmp(before + 40, after + 40, piece->l4_at - piece->ip_at - 40) == 0);
}

/* A piece, the number-th, which is freed. */
static inline void rig_train_expect(struct rig_train *train, struct rte_mbuf *pkt,
                                    const struct offload *offload, unsigned number)
{
	static uint8_t bytes[RIG_OFFLOAD_BYTES];
	uint32_t length = rig_bytes(pkt, bytes), n;
	struct naive_packet piece;
	bool last;

	rig_expect(length <= train->terms.max_frame);
	rig_expect(naive_read(bytes, length, &piece));
	n = length - piece.data_at;
	last = train->data_at + train->done + n == train->whole.length;
	rig_expect(n == offload->mss || (last && n > 0 && n < offload->mss));
	rig_expect(train->data_at + train->done + n <= train->whole.length);
	rig_expect_ip(train, &piece, offload, number, last);
	if (offload->cut == OFFLOAD_CUT_TCP)
		rig_expect_tcp(train, &piece, last);
	if (offload->cut == OFFLOAD_CUT_UDP)
		rig_expect(memcmp(bytes + piece.l4_at, train->bytes + train->whole.l4_at, 4) == 0 &&
		           naive_16(bytes + piece.l4_at + 4) == 8 + n);
	if (offload->nic_checksum) {
		uint32_t field =
		        naive_16(bytes + offload->checksum_start + offload->checksum_offset);

		rig_expect_nic(pkt, offload);
		rig_expect((naive_pseudo(&piece) + 65535 - field % 65535) % 65535 == train->error);
	} else {
		rig_expect(pkt->ol_flags == 0);
		if (offload->cut != OFFLOAD_CUT_FRAGMENT)
			rig_expect(naive_error(&piece) == train->error);
	}
	/* One of the fragments has the datagram's checksum: rig_cut looks at it. */
	uint32_t field = offload->checksum_start + offload->checksum_offset;
	uint32_t from = train->data_at + train->done;

	if (offload->cut == OFFLOAD_CUT_FRAGMENT && field >= from && field < from + n)
		memcpy(train->bytes + field, bytes + piece.data_at + (field - from), 2);
	rig_expect(memcmp(bytes + piece.data_at, train->bytes + from, n) == 0);
	train->done += n;
	rte_pktmbuf_free(pkt);
}

/* Cuts a frame, which has such a verdict, in slices of at most `slice` pieces, and looks at each.
 */
static inline unsigned rig_cut(struct rig_train *train, struct rte_mbuf *pkt,
                               const struct offload *offload, const struct header_terms *terms,
                               struct rig_pool *pool, uint16_t slice)
{
	struct segmenter segmenter = {0};
	struct rte_mbuf *pieces[64];
	unsigned number = 0;

	rig_expect(slice > 0 && slice <= 64);
	rig_train_begin(train, pkt, offload, terms);
	segment_begin(&segmenter, pkt, offload);
	while (!segment_is_done(&segmenter)) {
		uint16_t n = segment_next(&segmenter, pool->pool, pieces, slice);

		rig_expect(n > 0 && (n == slice || segment_is_done(&segmenter)));
		for (uint16_t i = 0; i < n; i++)
			rig_train_expect(train, pieces[i], offload, number++);
	}
	rig_expect(train->data_at + train->done == train->whole.length);
	if (offload->cut == OFFLOAD_CUT_FRAGMENT)
		rig_expect(naive_error(&train->whole) == train->error);
	return number;
}

#endif
