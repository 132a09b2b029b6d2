/* Any burst from a VF: frames made of any bytes, and segments of a few streams in which bytes were
 * changed. What has to hold, whatever they are: nothing outside is touched, each packet buffer
 * comes back, no payload is lost, what was joined is a well-formed segment that is too long, and
 * what was not is as it was.
 */
#include "offload_frames.h"

#include "offload/coalesce.h"
#include "offload/to_guest.h"

#define FUZZ_POOL  256U
#define FUZZ_BURST 64U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	const uint8_t *data;
	size_t size, at;
} input;

static uint8_t next_byte(void)
{
	return input.at < input.size ? input.data[input.at++] : 0;
}

/* Of one of four streams, the next segment, and then changes. */
static uint32_t make_segment(uint8_t *bytes, unsigned *sent)
{
	uint8_t what = next_byte(), changes = next_byte();
	unsigned which = what % 4;
	struct rig_spec spec = {.version = which % 2 == 0 ? 4 : 6,
	                        .protocol = 6,
	                        .tags = which / 2,
	                        .tcp_options = 12,
	                        .tcp_flags = (what & 0x40) != 0 ? 0x18 : 0x10,
	                        .payload = (what & 0x80) != 0 ? 700 : 1000,
	                        .number = sent[which],
	                        .seq = 0x7fffff00U + 1000 * sent[which],
	                        .complete = true};
	uint32_t length = rig_put_frame(&spec, bytes, NULL);

	if ((what & 0x20) == 0)
		sent[which]++;
	for (unsigned i = 0; i < changes % 4U; i++) {
		uint32_t at = next_byte();

		bytes[at % length] = next_byte();
	}
	return length;
}

static uint32_t make_any(uint8_t *bytes)
{
	uint32_t length = 1U + next_byte();

	for (uint32_t i = 0; i < length; i++)
		bytes[i] = next_byte();
	return length;
}

/* Returns how many bytes of it are not headers. */
static uint32_t expect_joined(const struct rte_mbuf *pkt)
{
	static uint8_t bytes[RIG_OFFLOAD_BYTES];
	uint32_t length = rig_bytes(pkt, bytes);
	struct virtio_net_hdr header;
	struct naive_packet packet;
	struct offload offload;

	rig_expect(naive_read(bytes, length, &packet) && !packet.is_fragment);
	rig_expect(naive_16(bytes + packet.l4_at + 16) % 65535 == naive_pseudo(&packet));
	rig_expect(pkt->nb_segs <= COALESCE_MBUFS && length - packet.ip_at <= 65535);
	rig_expect(to_guest_describe(pkt, UINT64_MAX, &header, &offload));
	rig_expect(header.csum_start == packet.l4_at && header.hdr_len == packet.data_at);
	rig_expect(header.gso_size > 0 && header.gso_size < length - packet.data_at);
	return length - packet.data_at;
}

struct burst {
	uint8_t bytes[FUZZ_BURST][2048];
	struct rte_mbuf *pkts[FUZZ_BURST]; /* as they came */
	uint32_t lengths[FUZZ_BURST];
	unsigned n;
};

/* The segment is what it was, but for checksums that the NIC had vouched for unseen, or that may be
 * written in two ways: those of the first one are made anew. */
static void expect_as_it_came(const struct rte_mbuf *pkt, const struct burst *burst, uint32_t ip_at,
                              uint32_t l4_at, bool first)
{
	static uint8_t now[RIG_OFFLOAD_BYTES], before[2048];
	unsigned i = 0;

	while (i < burst->n && burst->pkts[i] != pkt)
		i++;
	rig_expect(i < burst->n && rig_bytes(pkt, now) == burst->lengths[i]);
	memcpy(before, burst->bytes[i], burst->lengths[i]);
	if (first) {
		memcpy(before + l4_at + 16, now + l4_at + 16, 2);
		if (before[ip_at] / 16 == 4)
			memcpy(before + ip_at + 10, now + ip_at + 10, 2);
	}
	rig_expect(memcmp(now, before, burst->lengths[i]) == 0);
}

static void expect_undone(struct rte_mbuf *pkt, const struct burst *burst)
{
	struct rte_mbuf *segments[COALESCE_MBUFS];
	uint32_t ip_at = pkt->l2_len, l4_at = ip_at + pkt->l3_len;
	unsigned n = coalesce_undo(pkt, segments);

	rig_expect(n > 1 && n <= burst->n);
	for (unsigned i = 0; i < n; i++)
		expect_as_it_came(segments[i], burst, ip_at, l4_at, i == 0);
	rte_pktmbuf_free_bulk(segments, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t after[RIG_OFFLOAD_BYTES];
	static struct rig_pool *pool;
	static struct burst burst;
	struct rte_mbuf *pkts[FUZZ_BURST];
	unsigned sent[4] = {0}, n = 0, kept, from = 0;
	uint64_t all = 0, seen = 0;

	input.data = data;
	input.size = size;
	input.at = 0;
	if (pool == NULL)
		pool = rig_pool_open(FUZZ_POOL, 2048);
	uint8_t versions = next_byte();
	for (; n < FUZZ_BURST && input.at < size; n++) {
		uint8_t how = next_byte(), *bytes = burst.bytes[n];

		burst.lengths[n] = (how & 7) == 0 ? make_any(bytes) : make_segment(bytes, sent);
		burst.pkts[n] = pkts[n] = rig_mbufs(pool, bytes, burst.lengths[n],
		                                    (how & 8) == 0 ? 2048 : 1U + how, 700);
		pkts[n]->ol_flags = (how & 16) == 0 ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : 0;
		all += burst.lengths[n];
	}
	burst.n = n;
	kept = coalesce_burst(pkts, (uint16_t)n, versions % 4U);
	rig_expect(kept <= n);
	for (unsigned i = 0; i < kept; i++) {
		/* They are in the order in which they came; what is left out was joined. */
		while (from < n && burst.pkts[from] != pkts[i])
			from++;
		rig_expect(from < n);
		if (coalesce_has_joined(pkts[i])) {
			seen += expect_joined(pkts[i]);
			expect_undone(pkts[i], &burst);
		} else {
			rig_expect(rig_bytes(pkts[i], after) == burst.lengths[from]);
			rig_expect(memcmp(after, burst.bytes[from], burst.lengths[from]) == 0);
			seen += burst.lengths[from];
			rte_pktmbuf_free(pkts[i]);
		}
	}
	rig_expect(seen <= all && seen + n * 130UL >= all);
	rig_expect(pool->n_free == FUZZ_POOL);
	return 0;
}
