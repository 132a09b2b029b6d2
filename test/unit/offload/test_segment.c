/* Frames cut in software, at random: each piece is well-formed, its checksum right, and all pieces
 * together are the frame. What they look like byte for byte test_linux_vectors.c has.
 */
#include <rte_ethdev.h>

#include "offload_frames.h"
#include "offload_train.h"
#include "suite.h"

#define POOL_MBUFS 1024
#define DATA_ROOM  2048

static struct rig_pool *pool;
static struct rig_train train;
static uint8_t bytes[RIG_OFFLOAD_BYTES];

/* Any kind of frame that can be cut, and what its header asks for. */
static struct rig_spec any_spec(uint64_t *random, struct virtio_net_hdr *header)
{
	static const uint8_t types[] = {VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_TCPV6,
	                                VIRTIO_NET_HDR_GSO_UDP,   VIRTIO_NET_HDR_GSO_UDP,
	                                OFFLOAD_GSO_UDP_L4,       OFFLOAD_GSO_UDP_L4};
	static const uint8_t extensions[] = {0, 60, 43, 60};
	unsigned kind = rig_random(random) % RTE_DIM(types);
	struct rig_spec spec = {.tags = rig_random(random) % 3,
	                        .version = kind % 2 == 0 ? 4 : 6,
	                        .protocol = kind < 2 ? 6 : 17,
	                        .number = rig_random(random) % 60000};
	uint32_t size = rig_random(random);

	spec.payload = 1 + (size % 3 == 0 ? rig_random(random) % 60000 : rig_random(random) % 4000);
	if (spec.version == 4)
		spec.ip_options = rig_random(random) % 11 * 4;
	else
		spec.n_extensions = rig_random(random) % 5;
	memcpy(spec.extensions, extensions, sizeof(extensions));
	if (spec.protocol == 6) {
		spec.tcp_options = rig_random(random) % 11 * 4;
		/* No SYN, no reset */
		spec.tcp_flags = (uint8_t)((rig_random(random) & 0xd9) | 0x10);
	}
	rig_put_frame(&spec, bytes, header);
	header->gso_type = types[kind];
	return spec;
}

static uint32_t any_mss(const struct rig_spec *spec, uint64_t *random)
{
	uint32_t mss = 1 + rig_random(random) % (spec->payload > 8000 ? 9000 : 1500);

	if (spec->payload > 8000)
		mss += 200;
	return spec->protocol == 17 ? RTE_MAX(mss, 8U) : mss;
}

/* How the frame is cut, and what a pass of the lane may take, changes nothing of what comes out. */
START_TEST(any_frame)
{
	struct header_terms terms = {.features = UINT64_MAX, .max_frame = 9622};
	struct virtio_net_hdr header;
	uint64_t random = 11;
	unsigned cut = 0;

	for (unsigned i = 0; i < 4000; i++) {
		struct rig_spec spec = any_spec(&random, &header);
		uint32_t length = rig_put_frame(&spec, bytes, NULL);
		struct offload offload;

		header.gso_size = (uint16_t)any_mss(&spec, &random);
		terms.capabilities =
		        rig_random(&random) % 2 == 0
		                ? 0
		                : RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
		struct rte_mbuf *pkt = rig_mbufs(pool, bytes, length, 300 + i % 1000,
		                                 500 + rig_random(&random) % 1500);

		header_judge(&header, &terms, pkt, &offload);
		ck_assert_msg(offload.way != OFFLOAD_INVALID, "%s",
		              offload_fault_text(offload.fault));
		if (offload.way == OFFLOAD_SEGMENT) {
			ck_assert_uint_gt(rig_cut(&train, pkt, &offload, &terms, pool,
			                          (uint16_t)(1 + rig_random(&random) % 32)),
			                  1);
			cut++;
		} else {
			rte_pktmbuf_free(pkt);
		}
		ck_assert_uint_eq(pool->n_free, POOL_MBUFS);
	}
	ck_assert_uint_gt(cut, 1500);
}
END_TEST

/* Somebody else has all of the pool's buffers but so many; returns how many they are. */
static unsigned hold_all_but(unsigned left, struct rte_mbuf **held)
{
	unsigned n = 0;

	while (pool->n_free > left)
		held[n++] = rte_pktmbuf_alloc(pool->pool);
	return n;
}

/* Whatever is short, and when: nothing is lost, nothing comes twice. */
START_TEST(buffers_run_out)
{
	const struct header_terms terms = {.features = UINT64_MAX, .max_frame = 9622};
	struct rig_spec spec = {.version = 6, .protocol = 6, .payload = 60000};
	static struct rte_mbuf *held[POOL_MBUFS];
	struct rte_mbuf *pieces[8], *pkt;
	struct segmenter segmenter = {0};
	struct virtio_net_hdr header;
	struct offload offload;
	unsigned number = 0, starved = 0;
	uint64_t random = 5;

	uint32_t length = rig_put_frame(&spec, bytes, &header);
	header.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	header.gso_size = 5000; /* three buffers each */
	pkt = rig_mbufs(pool, bytes, length, 2048, 2048);
	header_judge(&header, &terms, pkt, &offload);
	rig_train_begin(&train, pkt, &offload, &terms);
	segment_begin(&segmenter, pkt, &offload);
	while (!segment_is_done(&segmenter)) {
		unsigned left = rig_random(&random) % 7;
		unsigned n_held = hold_all_but(left, held);
		uint16_t n = segment_next(&segmenter, pool->pool, pieces, 8);

		rte_pktmbuf_free_bulk(held, n_held);
		ck_assert(n == left / 3 || (segment_is_done(&segmenter) && n < left / 3));
		starved += n == 0;
		for (uint16_t i = 0; i < n; i++)
			rig_train_expect(&train, pieces[i], &offload, number++);
	}
	ck_assert_uint_gt(starved, 0);
	ck_assert_uint_eq(number, 12);
	ck_assert_uint_eq(train.done, 60000);
	ck_assert_uint_eq(pool->n_free, POOL_MBUFS);
}
END_TEST

START_TEST(dropped_half_way)
{
	const struct header_terms terms = {.features = UINT64_MAX, .max_frame = 1522};
	struct rig_spec spec = {.version = 4, .protocol = 6, .payload = 10000};
	struct segmenter segmenter = {0};
	struct rte_mbuf *pieces[3];
	struct virtio_net_hdr header;
	struct offload offload;

	uint32_t length = rig_put_frame(&spec, bytes, &header);
	header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	header.gso_size = 1000;
	ck_assert(segment_is_done(&segmenter));
	struct rte_mbuf *pkt = rig_mbufs(pool, bytes, length, 2048, 2048);
	header_judge(&header, &terms, pkt, &offload);
	segment_begin(&segmenter, pkt, &offload);
	ck_assert(!segment_is_done(&segmenter));
	ck_assert_uint_eq(segment_next(&segmenter, pool->pool, pieces, 0), 0);
	ck_assert_uint_eq(segment_next(&segmenter, pool->pool, pieces, 3), 3);
	ck_assert_uint_eq(segment_drop(&segmenter), 7000);
	ck_assert(segment_is_done(&segmenter));
	ck_assert_uint_eq(segment_next(&segmenter, pool->pool, pieces, 3), 0);
	rte_pktmbuf_free_bulk(pieces, 3);
	ck_assert_uint_eq(pool->n_free, POOL_MBUFS);
}
END_TEST

/* What is urgent ends at the same byte in all segments, and behind it nothing is urgent. */
START_TEST(urgent_data)
{
	static const uint16_t ends[] = {0, 1, 99, 100, 101, 250, 999, 1000, 1001, 65535};
	const struct header_terms terms = {.features = UINT64_MAX, .max_frame = 1522};
	struct rig_spec spec = {.version = 4, .protocol = 6, .payload = 1000, .tcp_flags = 0x38};
	struct virtio_net_hdr header;

	for (unsigned i = 0; i < RTE_DIM(ends); i++) {
		uint32_t length = rig_put_frame(&spec, bytes, &header);
		struct offload offload;

		header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		header.gso_size = 100;
		rig_put_16(bytes + 34 + 18, ends[i]);
		struct rte_mbuf *pkt = rig_mbufs(pool, bytes, length, 2048, 2048);
		header_judge(&header, &terms, pkt, &offload);
		ck_assert_uint_eq(offload.way, OFFLOAD_SEGMENT);
		ck_assert_uint_eq(rig_cut(&train, pkt, &offload, &terms, pool, 4), 10);
	}
}
END_TEST

/* Of IPv4's options, fragments have those that are marked so (RFC 791, 3.1), and each its place. */
START_TEST(options_of_fragments)
{
	static const uint8_t options[] = {0x07, 7, 4, 10, 0, 0, 1, 1, 0x94, 4, 0, 0, 0x44, 4, 5, 0};
	static const uint8_t later[] = {1, 1, 1, 1, 1, 1, 1, 1, 0x94, 4, 0, 0, 1, 1, 1, 1};
	static const uint8_t broken[][4] = {{0x07, 0, 9, 9},
	                                    {0x07, 200, 9, 9},
	                                    {1, 1, 1, 0x07},
	                                    {0x94, 1, 9, 9},
	                                    {0, 0x07, 9, 9}};
	const struct header_terms terms = {.features = UINT64_MAX, .max_frame = 1522};
	struct rig_spec spec = {
	        .version = 4, .protocol = 17, .payload = 1000, .ip_options = sizeof(options)};
	struct virtio_net_hdr header;

	for (unsigned i = 0; i <= RTE_DIM(broken); i++) {
		uint32_t length = rig_put_frame(&spec, bytes, &header);
		struct segmenter segmenter = {0};
		struct rte_mbuf *pieces[4];
		struct offload offload;

		header.gso_type = VIRTIO_NET_HDR_GSO_UDP;
		header.gso_size = 400;
		memcpy(bytes + 34, options, sizeof(options));
		if (i < RTE_DIM(broken))
			memcpy(bytes + 34 + sizeof(options) - 4, broken[i], 4);
		struct rte_mbuf *pkt = rig_mbufs(pool, bytes, length, 2048, 2048);
		header_judge(&header, &terms, pkt, &offload);
		segment_begin(&segmenter, pkt, &offload);
		ck_assert_uint_eq(segment_next(&segmenter, pool->pool, pieces, 4), 3);
		ck_assert_mem_eq(rte_pktmbuf_mtod_offset(pieces[0], uint8_t *, 34), bytes + 34,
		                 sizeof(options));
		if (i == RTE_DIM(broken))
			ck_assert_mem_eq(rte_pktmbuf_mtod_offset(pieces[2], uint8_t *, 34), later,
			                 sizeof(later));
		else
			ck_assert_mem_eq(rte_pktmbuf_mtod_offset(pieces[1], uint8_t *, 34), later,
			                 sizeof(later) - 4);
		rte_pktmbuf_free_bulk(pieces, 3);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	pool = rig_pool_open(POOL_MBUFS, DATA_ROOM);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, any_frame);
	tcase_add_test(tcase, buffers_run_out);
	tcase_add_test(tcase, dropped_half_way);
	tcase_add_test(tcase, urgent_data);
	tcase_add_test(tcase, options_of_fragments);
	return suite_main("segment", tcase);
}
