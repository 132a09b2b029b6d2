/* Headers for guests: what the NIC has said, what was negotiated, and no more. */
#include "offload_frames.h"
#include "suite.h"

#include "offload/to_guest.h"

#define BIT(n) (UINT64_C(1) << (n))

static struct virtio_net_hdr header;
static struct offload offload;

/* Nothing of what was there before is left. */
static bool describe(const struct rte_mbuf *pkt, uint64_t features)
{
	memset(&header, 0xa5, sizeof(header));
	return to_guest_describe(pkt, features, &header, &offload);
}

static void expect_flags_alone(uint8_t flags)
{
	const struct virtio_net_hdr expected = {.flags = flags};

	ck_assert_mem_eq(&header, &expected, sizeof(header));
}

START_TEST(valid_where_the_nic_says_so)
{
	static const uint64_t says[] = {RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN, RTE_MBUF_F_RX_L4_CKSUM_BAD,
	                                RTE_MBUF_F_RX_L4_CKSUM_NONE, RTE_MBUF_F_RX_L4_CKSUM_GOOD};
	static const uint64_t else_[] = {0, RTE_MBUF_F_RX_IP_CKSUM_GOOD, RTE_MBUF_F_RX_RSS_HASH,
	                                 RTE_MBUF_F_RX_OUTER_L4_CKSUM_GOOD};

	for (unsigned i = 0; i < RTE_DIM(says); i++)
		for (unsigned j = 0; j < RTE_DIM(else_); j++) {
			struct rte_mbuf pkt = {.ol_flags = says[i] | else_[j]};

			ck_assert(describe(&pkt, UINT64_MAX));
			expect_flags_alone(says[i] == RTE_MBUF_F_RX_L4_CKSUM_GOOD
			                           ? VIRTIO_NET_HDR_F_DATA_VALID
			                           : 0);
			ck_assert(describe(&pkt, BIT(VIRTIO_NET_F_GUEST_CSUM)));
			expect_flags_alone(says[i] == RTE_MBUF_F_RX_L4_CKSUM_GOOD
			                           ? VIRTIO_NET_HDR_F_DATA_VALID
			                           : 0);
			ck_assert(describe(&pkt, ~BIT(VIRTIO_NET_F_GUEST_CSUM)));
			expect_flags_alone(0);
		}
}
END_TEST

/* What a NIC says of a tunnel's inside is no word on its outside. */
START_TEST(tunnels)
{
	struct rte_mbuf pkt = {.ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD};

	pkt.packet_type = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_UDP;
	ck_assert(describe(&pkt, UINT64_MAX));
	expect_flags_alone(VIRTIO_NET_HDR_F_DATA_VALID);
	pkt.packet_type |= RTE_PTYPE_TUNNEL_VXLAN;
	ck_assert(describe(&pkt, UINT64_MAX));
	expect_flags_alone(0);
}
END_TEST

START_TEST(joined_frames)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		uint64_t needed = BIT(VIRTIO_NET_F_GUEST_CSUM) |
		                  BIT(v6 ? VIRTIO_NET_F_GUEST_TSO6 : VIRTIO_NET_F_GUEST_TSO4);
		struct rte_mbuf pkt = {.ol_flags = RTE_MBUF_F_TX_TCP_SEG |
		                                   RTE_MBUF_F_RX_L4_CKSUM_GOOD |
		                                   (v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4),
		                       .pkt_len = 9000};
		const struct virtio_net_hdr expected = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		                                        .gso_type = v6 ? VIRTIO_NET_HDR_GSO_TCPV6
		                                                       : VIRTIO_NET_HDR_GSO_TCPV4,
		                                        .hdr_len = v6 ? 90 : 70,
		                                        .gso_size = 1448,
		                                        .csum_start = v6 ? 58 : 38,
		                                        .csum_offset = 16};

		pkt.l2_len = 18;
		pkt.l3_len = v6 ? 40 : 20;
		pkt.l4_len = 32;
		pkt.tso_segsz = 1448;
		ck_assert(describe(&pkt, needed));
		ck_assert_mem_eq(&header, &expected, sizeof(header));
		for (unsigned bit = 0; bit < 64; bit++) {
			if ((needed >> bit & 1) == 0)
				continue;
			memset(&offload, 0xa5, sizeof(offload));
			ck_assert(!describe(&pkt, ~BIT(bit)));
			ck_assert_uint_eq(offload.way, OFFLOAD_SEGMENT);
			ck_assert_uint_eq(offload.cut, OFFLOAD_CUT_TCP);
			ck_assert_uint_eq(offload.mss, 1448);
			ck_assert(!offload.nic_checksum && !offload.sctp);
			ck_assert_uint_eq(offload.checksum_start, v6 ? 58 : 38);
			ck_assert_uint_eq(offload.checksum_offset, 16);
			ck_assert_uint_eq(offload.layers.ip, v6 ? LAYERS_IPV6 : LAYERS_IPV4);
			ck_assert_uint_eq(offload.layers.l4_len, 32);
		}
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, valid_where_the_nic_says_so);
	tcase_add_test(tcase, tunnels);
	tcase_add_test(tcase, joined_frames);
	return suite_main("to_guest", tcase);
}
