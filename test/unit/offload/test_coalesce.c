/* Segments joined: what comes out can be cut into what went in, and each rule has a case in which
 * it is all that forbids it.
 */
#include <rte_ethdev.h>

#include "offload_frames.h"
#include "suite.h"

#include "offload/coalesce.h"
#include "offload/segment.h"
#include "offload/to_guest.h"

#define POOL_MBUFS 1024
#define BURST      64
#define BOTH       (COALESCE_IPV4 | COALESCE_IPV6)
#define GOOD       (RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD)

static struct rig_pool *pool;
static uint8_t bytes[RIG_OFFLOAD_BYTES];

/* The number-th segment of a stream, whole. */
static struct rig_spec segment(const struct rig_spec *stream, unsigned number)
{
	struct rig_spec spec = *stream;

	spec.complete = true;
	spec.number = stream->number + number;
	spec.seq = 0xfffff000 + number * stream->payload;
	if (spec.tcp_flags == 0)
		spec.tcp_flags = 0x10;
	return spec;
}

static struct rte_mbuf *receive_in(const struct rig_spec *spec, uint64_t flags, uint32_t first,
                                   uint32_t others)
{
	uint32_t length = rig_put_frame(spec, bytes, NULL);
	struct rte_mbuf *pkt = rig_mbufs(pool, bytes, length, first, others);

	pkt->ol_flags = flags;
	return pkt;
}

static struct rte_mbuf *receive(const struct rig_spec *spec, uint64_t flags)
{
	return receive_in(spec, flags, 2048, 2048);
}

static void expect_all_back(struct rte_mbuf **pkts, unsigned n)
{
	rte_pktmbuf_free_bulk(pkts, n);
	ck_assert_uint_eq(pool->n_free, POOL_MBUFS);
}

/* --- what comes out is what went in ------------------------------------------------------------
 */

struct frame {
	uint8_t bytes[2048];
	uint32_t length;
	uint16_t port; /* which stream it is of */
	bool seen;
};

static struct frame frames[BURST];

/* The frame is the next one of its stream that has not been seen. */
static void expect_next(const struct rte_mbuf *pkt, unsigned n)
{
	uint32_t length = rig_bytes(pkt, bytes);
	struct naive_packet packet;

	ck_assert(naive_read(bytes, length, &packet));
	uint16_t port = (uint16_t)naive_16(bytes + packet.l4_at);
	for (unsigned i = 0; i < n; i++) {
		if (frames[i].seen || frames[i].port != port)
			continue;
		ck_assert_uint_eq(frames[i].length, length);
		ck_assert_mem_eq(frames[i].bytes, bytes, length);
		frames[i].seen = true;
		return;
	}
	ck_abort_msg("a frame too many");
}

static void expect_joined(const struct rte_mbuf *pkt)
{
	uint32_t length = rig_bytes(pkt, bytes);
	struct virtio_net_hdr header;
	struct offload offload;
	struct naive_packet packet;

	ck_assert(to_guest_describe(pkt, UINT64_MAX, &header, &offload));
	ck_assert(naive_read(bytes, length, &packet));
	ck_assert_uint_eq(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	ck_assert_uint_eq(header.gso_type, packet.version == 4 ? 1 : 4);
	ck_assert_uint_eq(header.hdr_len, packet.data_at);
	ck_assert_uint_eq(header.csum_start, packet.l4_at);
	ck_assert_uint_eq(header.csum_offset, 16);
	ck_assert_uint_eq(naive_16(bytes + packet.l4_at + 16) % 65535, naive_pseudo(&packet));
	ck_assert_uint_gt(length - packet.data_at, header.gso_size);
	/* A guest that gets it would take it for one of its own: we do. */
	struct header_terms terms = {.features = UINT64_MAX, .max_frame = 9000};
	struct rte_mbuf *copy = rig_mbufs(pool, bytes, length, 2048, 2048);
	header_judge(&header, &terms, copy, &offload);
	ck_assert_uint_eq(offload.way, OFFLOAD_SEGMENT);
	rte_pktmbuf_free(copy);
}

/* As a guest without GUEST_TSO would get it. */
static void expect_cut(struct rte_mbuf *pkt, unsigned n)
{
	struct segmenter segmenter = {0};
	struct virtio_net_hdr header;
	struct offload offload;
	struct rte_mbuf *piece;

	expect_joined(pkt);
	ck_assert(!to_guest_describe(pkt, 0, &header, &offload));
	segment_begin(&segmenter, pkt, &offload);
	while (!segment_is_done(&segmenter)) {
		ck_assert_uint_eq(segment_next(&segmenter, pool->pool, &piece, 1), 1);
		ck_assert(to_guest_describe(piece, 0, &header, &offload));
		expect_next(piece, n);
		rte_pktmbuf_free(piece);
	}
}

/* Taken apart it is what it was, each segment in its own mbufs. */
static void expect_undone(struct rte_mbuf *pkt, unsigned n)
{
	struct rte_mbuf *segments[COALESCE_MBUFS];
	unsigned mbufs = pkt->nb_segs, found;

	expect_joined(pkt);
	ck_assert(coalesce_has_joined(pkt));
	found = coalesce_undo(pkt, segments);
	ck_assert_uint_gt(found, 1);
	for (unsigned i = 0; i < found; i++) {
		uint32_t length = 0;

		ck_assert(!coalesce_has_joined(segments[i]));
		ck_assert_uint_eq(segments[i]->ol_flags & ~GOOD, 0);
		mbufs -= segments[i]->nb_segs;
		for (const struct rte_mbuf *at = segments[i]; at != NULL; at = at->next)
			length += at->data_len;
		ck_assert_uint_eq(length, segments[i]->pkt_len);
		expect_next(segments[i], n);
		rte_pktmbuf_free(segments[i]);
	}
	ck_assert_uint_eq(mbufs, 0);
}

/* Anything that a burst of a few streams may have in it. */
static struct rig_spec any_segment(uint64_t *random, struct rig_spec *streams, unsigned *sent)
{
	unsigned which = rig_random(random) % 4, what = rig_random(random) % 16;
	struct rig_spec spec = segment(&streams[which], sent[which]);

	/* Now and then one is lost, short, the last one, or not as the others. */
	if (what == 0)
		spec.tcp_flags = 0x18;
	else if (what == 1)
		spec.payload /= 2;
	else if (what == 2)
		spec.seq += 1448;
	else if (what == 3)
		spec.tcp_flags = 0x11;
	else if (what == 4)
		spec.ack = 0x01020305;
	else if (what == 5)
		spec.payload = 0;
	else if (what == 6)
		spec.protocol = 17;
	sent[which]++;
	return spec;
}

START_TEST(any_burst)
{
	uint64_t random = 17;
	unsigned n_joined = 0;

	for (unsigned i = 0; i < 2000; i++) {
		struct rig_spec streams[4];
		unsigned sent[4] = {0}, n = 1 + rig_random(&random) % BURST;
		struct rte_mbuf *pkts[BURST];

		for (unsigned s = 0; s < 4; s++)
			streams[s] = (struct rig_spec){
			        .version = s % 2 == 0 ? 4 : 6,
			        .protocol = 6,
			        .tags = rig_random(&random) % 3,
			        .port = (uint16_t)s,
			        .tcp_options = rig_random(&random) % 4 * 4,
			        .payload = 300 + rig_random(&random) % 1000,
			        .number = rig_random(&random) % 65536,
			        .ip_options = rig_random(&random) % 16 == 0 ? 4 : 0};
		for (unsigned p = 0; p < n; p++) {
			struct rig_spec spec = any_segment(&random, streams, sent);

			pkts[p] = receive_in(&spec, rig_random(&random) % 2 == 0 ? GOOD : 0,
			                     i % 4 < 2 ? 2048 : 200 + rig_random(&random) % 600,
			                     300 + rig_random(&random) % 600);
			frames[p].length = rig_bytes(pkts[p], frames[p].bytes);
			frames[p].port = (uint16_t)(40000 + spec.port);
			frames[p].seen = false;
		}
		unsigned kept = coalesce_burst(pkts, (uint16_t)n, BOTH);
		ck_assert_uint_le(kept, n);
		n_joined += n - kept;
		for (unsigned p = 0; p < kept; p++) {
			if (coalesce_has_joined(pkts[p]) && i % 2 == 0) {
				expect_cut(pkts[p], n);
			} else if (coalesce_has_joined(pkts[p])) {
				expect_undone(pkts[p], n);
			} else {
				expect_next(pkts[p], n);
				rte_pktmbuf_free(pkts[p]);
			}
		}
		for (unsigned p = 0; p < n; p++)
			ck_assert(frames[p].seen);
		ck_assert_uint_eq(pool->n_free, POOL_MBUFS);
	}
	ck_assert_uint_gt(n_joined, 10000);
}
END_TEST

/* --- each rule ----------------------------------------------------------------------------------
 */

static const struct rig_spec tcp4 = {
        .version = 4, .protocol = 6, .payload = 1000, .tcp_options = 12, .fragment = 0x4000};
static const struct rig_spec tcp6 = {
        .version = 6, .protocol = 6, .payload = 1000, .tcp_options = 12};

/* How many come out of two segments, of which the second is changed: at is in its bytes, and the
 * sums are right after the change unless `broken`. */
static unsigned after_change(const struct rig_spec *stream, uint32_t at, uint8_t mask, bool broken)
{
	struct rig_spec spec = segment(stream, 0);
	struct rte_mbuf *pkts[2];
	struct naive_packet packet;
	uint32_t length;
	unsigned kept;

	pkts[0] = receive(&spec, 0);
	spec = segment(stream, 1);
	length = rig_put_frame(&spec, bytes, NULL);
	bytes[at] ^= mask;
	if (!broken) {
		uint8_t *ip = bytes + 14;

		if (stream->version == 4) {
			rig_put_16(ip + 10, 0);
			rig_put_16(ip + 10, 65535 - naive_sum(ip, 20));
		}
		if (naive_read(bytes, length, &packet) && !packet.is_fragment) {
			rig_put_16(bytes + packet.l4_at + 16, 0);
			rig_put_16(bytes + packet.l4_at + 16, 65535 - naive_error(&packet));
		}
	}
	pkts[1] = rig_mbufs(pool, bytes, length, 2048, 2048);
	kept = coalesce_burst(pkts, 2, BOTH);
	expect_all_back(pkts, kept);
	return kept;
}

START_TEST(every_bit_of_the_headers)
{
	for (unsigned version = 4; version <= 6; version += 2) {
		const struct rig_spec *stream = version == 4 ? &tcp4 : &tcp6;
		uint32_t l4 = version == 4 ? 34 : 54;

		ck_assert_uint_eq(after_change(stream, 0, 0, false), 1);
		for (uint32_t bit = 0; bit < (l4 + 32) * 8; bit++) {
			uint32_t at = bit / 8;
			uint8_t mask = (uint8_t)(1 << bit % 8);
			/* What may differ: that a segment is the last one, and the sums. With that
			 * bit, IPv4's identity is the first one's, too. */
			bool may = (at == l4 + 13 && (mask & 0x09) != 0) || at == l4 + 16 ||
			           at == l4 + 17 ||
			           (version == 4 && (at == 24 || at == 25 || bit == 19 * 8));

			ck_assert_msg(after_change(stream, at, mask, false) == (may ? 1 : 2),
			              "IPv%u, byte %u, bit %u", version, at, bit % 8);
		}
		/* Nor may any bit be wrong that a sum is of. */
		for (uint32_t bit = 14 * 8; bit < (l4 + 32 + 1000) * 8; bit += 3)
			ck_assert_uint_eq(
			        after_change(stream, bit / 8, (uint8_t)(1 << bit % 8), true), 2);
	}
}
END_TEST

/* A number that the NIC has summed need not be summed again, and one that it found wrong is wrong.
 */
START_TEST(the_nic_s_word)
{
	static const struct {
		uint64_t flags;
		bool broken, joined;
	} rows[] = {{GOOD, true, true},
	            {GOOD, false, true},
	            {0, false, true},
	            {RTE_MBUF_F_RX_L4_CKSUM_GOOD, false, true},
	            {RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_IP_CKSUM_NONE, false, true},
	            {0, true, false},
	            {RTE_MBUF_F_RX_L4_CKSUM_NONE, true, false},
	            {RTE_MBUF_F_RX_L4_CKSUM_BAD, false, false},
	            {RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_GOOD, false, false}};

	for (unsigned i = 0; i < RTE_DIM(rows); i++) {
		struct rig_spec specs[2] = {segment(&tcp4, 0), segment(&tcp4, 1)};
		struct rte_mbuf *pkts[2];
		unsigned kept;

		for (unsigned p = 0; p < 2; p++) {
			pkts[p] = receive(&specs[p], rows[i].flags);
			if (rows[i].broken)
				rte_pktmbuf_mtod(pkts[p], uint8_t *)[100]++;
		}
		kept = coalesce_burst(pkts, 2, BOTH);
		ck_assert_uint_eq(kept, rows[i].joined ? 1 : 2);
		expect_all_back(pkts, kept);
	}
}
END_TEST

/* What pads a short frame is no payload, whatever the NIC says of the checksum. */
START_TEST(short_frames_are_padded)
{
	for (uint32_t padding = 0; padding <= 6; padding += 3) {
		struct rig_spec specs[2] = {segment(&tcp4, 0), segment(&tcp4, 1)};
		struct rte_mbuf *pkts[2] = {receive(&specs[0], GOOD)};

		specs[1].payload = 4;
		uint32_t length = rig_put_frame(&specs[1], bytes, NULL);
		memset(bytes + length, 0, padding);
		pkts[1] = rig_mbufs(pool, bytes, length + padding, 2048, 2048);
		pkts[1]->ol_flags = GOOD;
		unsigned kept = coalesce_burst(pkts, 2, BOTH);
		ck_assert_uint_eq(kept, padding == 0 ? 1 : 2);
		expect_all_back(pkts, kept);
	}
}
END_TEST

START_TEST(versions_by_what_is_negotiated)
{
	const uint64_t csum = UINT64_C(1) << VIRTIO_NET_F_GUEST_CSUM;
	const uint64_t tso4 = UINT64_C(1) << VIRTIO_NET_F_GUEST_TSO4;
	const uint64_t tso6 = UINT64_C(1) << VIRTIO_NET_F_GUEST_TSO6;

	ck_assert_uint_eq(coalesce_versions(0), 0);
	ck_assert_uint_eq(coalesce_versions(~csum), 0);
	ck_assert_uint_eq(coalesce_versions(csum), 0);
	ck_assert_uint_eq(coalesce_versions(csum | tso4), COALESCE_IPV4);
	ck_assert_uint_eq(coalesce_versions(csum | tso6), COALESCE_IPV6);
	ck_assert_uint_eq(coalesce_versions(UINT64_MAX), BOTH);
}
END_TEST

/* Of so many segments of a stream, with such a change to one of them; returns how many come out. */
static unsigned count(const struct rig_spec *specs, unsigned n, unsigned versions)
{
	struct rte_mbuf *pkts[BURST];

	for (unsigned i = 0; i < n; i++)
		pkts[i] = receive(&specs[i], GOOD);
	unsigned kept = coalesce_burst(pkts, (uint16_t)n, versions);
	expect_all_back(pkts, kept);
	return kept;
}

START_TEST(what_is_alone)
{
	struct rig_spec specs[3];

	for (unsigned what = 0; what < 9; what++) {
		for (unsigned i = 0; i < 3; i++)
			specs[i] = segment(what == 8 ? &tcp6 : &tcp4, i);
		switch (what) {
		case 0: /* a change of nothing */
			ck_assert_uint_eq(count(specs, 3, BOTH), 1);
			ck_assert_uint_eq(count(specs, 3, COALESCE_IPV6), 3);
			ck_assert_uint_eq(count(specs, 1, BOTH), 1);
			break;
		case 1: /* a fragment is of any stream */
			specs[1].fragment = 0x2000;
			specs[1].port = 1;
			ck_assert_uint_eq(count(specs, 3, BOTH), 3);
			break;
		case 2: /* what is of another stream, or of none, is in nobody's way */
			specs[1] = segment(&tcp6, 0);
			specs[2] = segment(&tcp4, 1);
			ck_assert_uint_eq(count(specs, 3, BOTH), 2);
			specs[1].protocol = 17;
			ck_assert_uint_eq(count(specs, 3, BOTH), 2);
			break;
		case 3: /* a shorter one is the last */
			specs[1].payload = 999;
			specs[2].seq--;
			ck_assert_uint_eq(count(specs, 3, BOTH), 2);
			break;
		case 4: /* a longer one is not of the train */
			specs[1].payload = 1001;
			specs[2].seq++;
			ck_assert_uint_eq(count(specs, 3, BOTH), 2);
			break;
		case 5: /* behind the last one nothing is joined, nor to a last one */
			specs[1].tcp_flags = 0x18;
			ck_assert_uint_eq(count(specs, 3, BOTH), 2);
			specs[0].tcp_flags = 0x18;
			ck_assert_uint_eq(count(specs, 3, BOTH), 3);
			break;
		case 6: /* an acknowledgement between them stays between them */
			specs[1].payload = 0;
			specs[2].seq -= 1000;
			ck_assert_uint_eq(count(specs, 3, BOTH), 3);
			break;
		case 7: /* one identity for all, where nothing may be fragmented */
			specs[1].number = specs[0].number;
			ck_assert_uint_eq(count(specs, 2, BOTH), 1);
			specs[0].fragment = specs[1].fragment = 0;
			ck_assert_uint_eq(count(specs, 2, BOTH), 2);
			break;
		default: /* an extension header hides what it is of */
			specs[1].n_extensions = 1;
			ck_assert_uint_eq(count(specs, 3, BOTH), 3);
			ck_assert_uint_eq(count(specs, 1, BOTH), 1);
		}
	}
}
END_TEST

/* Each of 64 KB, and of no more mbufs than there may be. */
START_TEST(longest_frame)
{
	for (unsigned payload = 100; payload <= 1400; payload += 1300) {
		struct rig_spec stream = tcp4;
		struct rte_mbuf *pkts[BURST * 2];
		unsigned n = BURST * 2, whole;

		stream.payload = payload;
		for (unsigned i = 0; i < n; i++) {
			struct rig_spec spec = segment(&stream, i);

			pkts[i] = receive(&spec, GOOD);
		}
		unsigned kept = coalesce_burst(pkts, (uint16_t)n, BOTH);
		whole = payload == 100 ? COALESCE_MBUFS : (65535 - 52) / 1400;
		ck_assert_uint_eq(kept, (n + whole - 1) / whole);
		ck_assert_uint_eq(pkts[0]->nb_segs, whole);
		ck_assert_uint_eq(pkts[0]->pkt_len, 66 + whole * payload);
		ck_assert_uint_le(pkts[0]->pkt_len, 65535 + 14);
		expect_all_back(pkts, kept);
	}
}
END_TEST

/* More streams than are followed: the others are as they were, and nobody's order changes. */
START_TEST(many_streams)
{
	struct rte_mbuf *pkts[BURST];
	unsigned n = 0, kept;

	for (unsigned round = 0; round < 4; round++)
		for (unsigned s = 0; s < COALESCE_STREAMS * 2; s++) {
			struct rig_spec spec = segment(&tcp4, round);

			spec.port = (uint16_t)s;
			pkts[n++] = receive(&spec, GOOD);
		}
	kept = coalesce_burst(pkts, (uint16_t)n, BOTH);
	ck_assert_uint_eq(kept, COALESCE_STREAMS + 4 * COALESCE_STREAMS);
	for (unsigned i = 0; i < COALESCE_STREAMS; i++)
		ck_assert_uint_eq(pkts[i]->nb_segs, 4);
	for (unsigned i = COALESCE_STREAMS; i < kept; i++)
		ck_assert(pkts[i]->nb_segs == 1 && pkts[i]->tx_offload == 0);
	expect_all_back(pkts, kept);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	pool = rig_pool_open(POOL_MBUFS, 2048);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, any_burst);
	tcase_add_test(tcase, versions_by_what_is_negotiated);
	tcase_add_test(tcase, every_bit_of_the_headers);
	tcase_add_test(tcase, the_nic_s_word);
	tcase_add_test(tcase, short_frames_are_padded);
	tcase_add_test(tcase, what_is_alone);
	tcase_add_test(tcase, longest_frame);
	tcase_add_test(tcase, many_streams);
	return suite_main("coalesce", tcase);
}
