/* Guests' headers judged: every field at its borders, every capability there and not. */
#include <rte_ethdev.h>

#include "offload_frames.h"
#include "suite.h"

#define POOL_MBUFS 256
#define BIT(n)     (UINT64_C(1) << (n))
#define ALL        UINT64_MAX
#define NIC                                                             \
	(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | \
	 RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_SCTP_CKSUM | \
	 RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_UDP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS)

static struct rig_pool *pool;
static uint8_t bytes[RIG_OFFLOAD_BYTES], after[RIG_OFFLOAD_BYTES];
static struct virtio_net_hdr header;
static struct header_terms terms;
static struct offload offload;
static struct rte_mbuf *pkt; /* the last one that was judged */

static void setup(void)
{
	terms = (struct header_terms){
	        .features = ALL, .capabilities = NIC, .max_frame = 1522, .max_mbufs = 40};
}

static void teardown(void)
{
	rte_pktmbuf_free(pkt);
	pkt = NULL;
	ck_assert_uint_eq(pool->n_free, POOL_MBUFS);
}

/* The bytes, in pieces; what is judged is not changed. */
static enum offload_way judge_bytes(uint32_t length, uint32_t first, uint32_t others)
{
	rte_pktmbuf_free(pkt);
	pkt = rig_mbufs(pool, bytes, length, first, others);
	memset(&offload, 0xa5, sizeof(offload));
	header_judge(&header, &terms, pkt, &offload);
	rig_bytes(pkt, after);
	ck_assert_mem_eq(bytes, after, length);
	if (offload.way == OFFLOAD_NIC)
		rig_expect_nic(pkt, &offload);
	else
		ck_assert(pkt->ol_flags == 0 && pkt->tx_offload == 0);
	ck_assert_int_eq(offload.way == OFFLOAD_INVALID, offload.fault != OFFLOAD_FAULT_NONE);
	ck_assert_uint_lt(offload.fault, OFFLOAD_FAULTS);
	return offload.way;
}

static uint32_t make(const struct rig_spec *spec, uint8_t gso_type, uint16_t gso_size)
{
	uint32_t length = rig_put_frame(spec, bytes, &header);

	header.gso_type = gso_type;
	header.gso_size = gso_size;
	return length;
}

static enum offload_way judge(const struct rig_spec *spec, uint8_t gso_type, uint16_t gso_size)
{
	return judge_bytes(make(spec, gso_type, gso_size), 2048, 2048);
}

static enum offload_fault fault(const struct rig_spec *spec, uint8_t gso_type, uint16_t gso_size)
{
	return judge(spec, gso_type, gso_size) == OFFLOAD_INVALID ? offload.fault
	                                                          : OFFLOAD_FAULT_NONE;
}

static const struct rig_spec tcp4 = {.version = 4, .protocol = 6, .payload = 4000};
static const struct rig_spec tcp6 = {.version = 6, .protocol = 6, .payload = 4000};
static const struct rig_spec udp4 = {.version = 4, .protocol = 17, .payload = 4000};
static const struct rig_spec udp6 = {.version = 6, .protocol = 17, .payload = 4000};
static const struct rig_spec sctp4 = {.version = 4, .protocol = 132, .payload = 100};

/* --- what was negotiated -----------------------------------------------------------------------
 */

START_TEST(plain_frames)
{
	make(&tcp4, 0, 0);
	header = (struct virtio_net_hdr){0};
	terms.features = 0;
	ck_assert(!header_asks(&header));
	ck_assert_uint_eq(judge_bytes(100, 100, 1), OFFLOAD_PLAIN);
	/* Flags that virtio does not have, or that are not a guest's, and numbers that nobody asked
	 * for: ignored. */
	header = (struct virtio_net_hdr){.flags = 0xfe,
	                                 .hdr_len = 0xffff,
	                                 .gso_size = 0xffff,
	                                 .csum_start = 0xffff,
	                                 .csum_offset = 0xffff};
	ck_assert(!header_asks(&header));
	ck_assert_uint_eq(judge_bytes(1, 1, 1), OFFLOAD_PLAIN);
}
END_TEST

START_TEST(each_type_needs_its_feature)
{
	static const struct {
		const struct rig_spec *spec;
		uint8_t type;
		unsigned feature;
		bool old; /* VIRTIO_NET_F_GSO stands for it, too */
	} rows[] = {
	        {&tcp4, 1, VIRTIO_NET_F_HOST_TSO4, true}, {&tcp6, 4, VIRTIO_NET_F_HOST_TSO6, true},
	        {&udp4, 3, VIRTIO_NET_F_HOST_UFO, true},  {&udp6, 3, VIRTIO_NET_F_HOST_UFO, true},
	        {&udp4, 5, OFFLOAD_HOST_USO, false},      {&udp6, 5, OFFLOAD_HOST_USO, false},
	};

	for (unsigned i = 0; i < RTE_DIM(rows); i++) {
		uint64_t needed = BIT(VIRTIO_NET_F_CSUM) | BIT(rows[i].feature);

		terms.features = needed;
		ck_assert_uint_eq(fault(rows[i].spec, rows[i].type, 1000), OFFLOAD_FAULT_NONE);
		terms.features = BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GSO);
		ck_assert_uint_eq(fault(rows[i].spec, rows[i].type, 1000),
		                  rows[i].old ? OFFLOAD_FAULT_NONE : OFFLOAD_FAULT_UNASKED_TYPE);
		terms.features = ALL & ~BIT(rows[i].feature) & ~BIT(VIRTIO_NET_F_GSO);
		ck_assert_uint_eq(fault(rows[i].spec, rows[i].type, 1000),
		                  OFFLOAD_FAULT_UNASKED_TYPE);
		terms.features = ALL & ~BIT(VIRTIO_NET_F_CSUM);
		ck_assert_uint_eq(fault(rows[i].spec, rows[i].type, 1000),
		                  OFFLOAD_FAULT_UNASKED_CHECKSUM);
	}
}
END_TEST

START_TEST(ecn_goes_with_tcp_and_its_feature)
{
	ck_assert_uint_eq(fault(&tcp4, 0x81, 1000), OFFLOAD_FAULT_NONE);
	ck_assert_uint_eq(fault(&tcp6, 0x84, 1000), OFFLOAD_FAULT_NONE);
	ck_assert_uint_eq(fault(&udp4, 0x83, 1000), OFFLOAD_FAULT_UNKNOWN_TYPE);
	ck_assert_uint_eq(fault(&udp4, 0x85, 1000), OFFLOAD_FAULT_UNKNOWN_TYPE);
	ck_assert_uint_eq(fault(&tcp4, 0x80, 1000), OFFLOAD_FAULT_UNKNOWN_TYPE);
	terms.features = ALL & ~BIT(VIRTIO_NET_F_HOST_ECN) & ~BIT(VIRTIO_NET_F_GSO);
	ck_assert_uint_eq(fault(&tcp4, 0x81, 1000), OFFLOAD_FAULT_UNASKED_TYPE);
	ck_assert_uint_eq(fault(&tcp4, 0x01, 1000), OFFLOAD_FAULT_NONE);
}
END_TEST

START_TEST(every_type_there_is)
{
	for (unsigned type = 1; type < 256; type++) {
		unsigned plain = type & 0x7f;
		bool known = type == 1 || type == 3 || type == 4 || type == 5 || type == 0x81 ||
		             type == 0x84;
		const struct rig_spec *spec = plain == 1 ? &tcp4 : plain == 4 ? &tcp6 : &udp4;

		ck_assert_uint_eq(fault(spec, (uint8_t)type, 1000),
		                  known ? OFFLOAD_FAULT_NONE : OFFLOAD_FAULT_UNKNOWN_TYPE);
		/* With no frame to speak of, nothing is read, and nothing is done. */
		ck_assert_uint_eq(judge_bytes(1, 1, 1), OFFLOAD_INVALID);
	}
}
END_TEST

START_TEST(segmentation_needs_a_checksum_and_a_size)
{
	uint32_t length = make(&tcp4, 1, 1000);

	header.flags = 0xfe;
	ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_INVALID);
	ck_assert_uint_eq(offload.fault, OFFLOAD_FAULT_NO_CHECKSUM);
	ck_assert_uint_eq(fault(&tcp4, 1, 0), OFFLOAD_FAULT_SIZE);
	ck_assert_uint_eq(fault(&tcp4, 1, 1), OFFLOAD_FAULT_NONE);
	ck_assert_uint_eq(fault(&udp4, 3, 7), OFFLOAD_FAULT_SIZE);
	ck_assert_uint_eq(fault(&udp4, 3, 8), OFFLOAD_FAULT_NONE);
	ck_assert_uint_eq(fault(&udp4, 5, 1), OFFLOAD_FAULT_NONE);
	/* It does without the checksum if it has nothing to cut. */
	header.flags = 0;
	header.gso_type = 0;
	ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_PLAIN);
}
END_TEST

/* --- checksums ---------------------------------------------------------------------------------
 */

START_TEST(checksum_within_the_frame)
{
	static const struct {
		uint16_t start, offset;
		bool good;
	} rows[] = {{0, 50, false},          {13, 37, false},     {14, 36, true},
	            {14, 84, true},          {14, 85, false},     {98, 0, true},
	            {99, 0, false},          {100, 0, false},     {0xffff, 0, false},
	            {0xffff, 0xffff, false}, {14, 0xffff, false}, {97, 1, true},
	            {97, 2, false},          {34, 0xfffe, false}};

	for (unsigned i = 0; i < RTE_DIM(rows); i++) {
		make(&tcp4, 0, 0);
		header.csum_start = rows[i].start;
		header.csum_offset = rows[i].offset;
		ck_assert_uint_eq(judge_bytes(100, 70, 7),
		                  rows[i].good ? OFFLOAD_CHECKSUM : OFFLOAD_INVALID);
		ck_assert_uint_eq(offload.fault,
		                  rows[i].good ? OFFLOAD_FAULT_NONE : OFFLOAD_FAULT_PLACE);
	}
}
END_TEST

/* Whatever the NIC has to know is in the mbuf. */
START_TEST(nic_completes_checksums)
{
	static const struct {
		uint8_t version, protocol;
		uint64_t capability, flags;
		uint32_t l4_len;
	} rows[] = {
	        {4, 6, RTE_ETH_TX_OFFLOAD_TCP_CKSUM, RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM,
	         32},
	        {6, 6, RTE_ETH_TX_OFFLOAD_TCP_CKSUM, RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_TCP_CKSUM,
	         32},
	        {4, 17, RTE_ETH_TX_OFFLOAD_UDP_CKSUM, RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_CKSUM,
	         8},
	        {6, 17, RTE_ETH_TX_OFFLOAD_UDP_CKSUM, RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_UDP_CKSUM,
	         8},
	        {4, 132, RTE_ETH_TX_OFFLOAD_SCTP_CKSUM,
	         RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_SCTP_CKSUM, 12},
	        {6, 132, RTE_ETH_TX_OFFLOAD_SCTP_CKSUM,
	         RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_SCTP_CKSUM, 12},
	};

	for (unsigned i = 0; i < RTE_DIM(rows) * 3; i++) {
		unsigned row = i / 3, tags = i % 3;
		struct rig_spec spec = {.tags = tags,
		                        .version = rows[row].version,
		                        .protocol = rows[row].protocol,
		                        .tcp_options = 12,
		                        .ip_options = 8,
		                        .payload = 100};

		terms.capabilities = rows[row].capability;
		ck_assert_uint_eq(judge(&spec, 0, 0), OFFLOAD_NIC);
		ck_assert_uint_eq(pkt->ol_flags, rows[row].flags);
		ck_assert_uint_eq(pkt->l2_len, 14 + 4 * tags);
		ck_assert_uint_eq(pkt->l3_len, rows[row].version == 4 ? 28 : 40);
		ck_assert_uint_eq(pkt->l4_len, rows[row].l4_len);
		ck_assert_uint_eq(pkt->tso_segsz, 0);
		terms.capabilities = ALL & ~rows[row].capability;
		ck_assert_uint_eq(judge(&spec, 0, 0), OFFLOAD_CHECKSUM);
		ck_assert_int_eq(offload.sctp, rows[row].protocol == 132);
	}
}
END_TEST

/* What is right, but not what a NIC would find by itself, software does as it was asked to. */
START_TEST(unusual_checksums_are_software_s)
{
	struct rig_spec spec = tcp4;
	uint32_t length;

	spec.payload = 100;
	spec.fragment = 0x2000;
	ck_assert_uint_eq(judge(&spec, 0, 0), OFFLOAD_CHECKSUM);
	spec.fragment = 1;
	ck_assert_uint_eq(judge(&spec, 0, 0), OFFLOAD_CHECKSUM);
	spec.fragment = 0x4000;
	ck_assert_uint_eq(judge(&spec, 0, 0), OFFLOAD_NIC);
	spec.tags = 3;
	ck_assert_uint_eq(judge(&spec, 0, 0), OFFLOAD_CHECKSUM);
	spec = tcp6;
	spec.payload = 100;
	spec.n_extensions = 1;
	ck_assert_uint_eq(judge(&spec, 0, 0), OFFLOAD_CHECKSUM);
	spec.extensions[0] = 44;
	ck_assert_uint_eq(judge(&spec, 0, 0), OFFLOAD_CHECKSUM);
	ck_assert(offload.layers.fragment);
	spec.extensions[0] = 51; /* is not walked */
	ck_assert_uint_eq(judge(&spec, 0, 0), OFFLOAD_CHECKSUM);

	/* Another field than the protocol's, another header than the first. */
	length = make(&tcp4, 0, 0);
	header.csum_offset = 14;
	ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_CHECKSUM);
	make(&tcp4, 0, 0);
	header.csum_start += 50;
	ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_CHECKSUM);
	make(&tcp4, 0, 0);
	header.csum_start--;
	ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_CHECKSUM);

	/* IP's length is another than the frame's. */
	make(&tcp4, 0, 0);
	ck_assert_uint_eq(judge_bytes(length - 1, 2048, 2048), OFFLOAD_CHECKSUM);
	ck_assert_uint_eq(judge_bytes(length + 1, 2048, 2048), OFFLOAD_CHECKSUM);
	rig_put_16(bytes + 16, 0);
	ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_CHECKSUM);

	/* Headers that are not, or not in the first segment. */
	for (uint32_t first = 1; first < 54; first++) {
		make(&tcp4, 0, 0);
		ck_assert_uint_eq(judge_bytes(length, first, 2048), OFFLOAD_CHECKSUM);
	}
	ck_assert_uint_eq(judge_bytes(length, 54, 2048), OFFLOAD_NIC);
	bytes[46] = 0x40; /* TCP's header is too short */
	ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_CHECKSUM);
	make(&tcp4, 0, 0);
	bytes[14] = 0x44; /* IPv4's is */
	ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_CHECKSUM);
	bytes[14] = 0x65;
	ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_CHECKSUM);
	make(&tcp4, 0, 0);
	bytes[12] = 0x86, bytes[13] = 0xdd;
	ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_CHECKSUM);
}
END_TEST

/* A checksum in SCTP's field is CRC32c, unless the header is not all there. */
START_TEST(sctp)
{
	uint32_t length;

	terms.capabilities = 0;
	length = make(&sctp4, 0, 0);
	ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_CHECKSUM);
	ck_assert(offload.sctp);
	header_complete(pkt, &offload);
	rig_bytes(pkt, after);
	uint32_t crc = after[42] | (uint32_t)after[43] << 8 | (uint32_t)after[44] << 16 |
	               (uint32_t)after[45] << 24;
	memset(after + 42, 0, 4);
	ck_assert_uint_eq(crc, naive_crc32c(after + 34, length - 34));

	make(&sctp4, 0, 0);
	ck_assert_uint_eq(judge_bytes(45, 45, 1), OFFLOAD_CHECKSUM);
	ck_assert(!offload.sctp);
	header_complete(pkt, &offload);
	ck_assert_uint_eq(judge_bytes(46, 46, 1), OFFLOAD_CHECKSUM);
	ck_assert(offload.sctp);
	header.csum_offset = 6;
	ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_CHECKSUM);
	ck_assert(!offload.sctp);
	/* Of a fragment it would not be the whole packet's. */
	struct rig_spec spec = sctp4;
	spec.fragment = 0x2000;
	terms.capabilities = NIC;
	ck_assert_uint_eq(judge(&spec, 0, 0), OFFLOAD_CHECKSUM);
	ck_assert(!offload.sctp);
}
END_TEST

/* --- segmentation ------------------------------------------------------------------------------
 */

START_TEST(nic_cuts)
{
	static const struct {
		const struct rig_spec *spec;
		uint8_t type;
		uint64_t needed, flags;
	} rows[] = {
	        {&tcp4, 1,
	         RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
	                 RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
	         RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IP_CKSUM |
	                 RTE_MBUF_F_TX_IPV4},
	        {&tcp6, 4,
	         RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
	                 RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
	         RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IPV6},
	        {&udp4, 5,
	         RTE_ETH_TX_OFFLOAD_UDP_TSO | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
	                 RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
	         RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IP_CKSUM |
	                 RTE_MBUF_F_TX_IPV4},
	        {&udp6, 5,
	         RTE_ETH_TX_OFFLOAD_UDP_TSO | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
	                 RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
	         RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IPV6},
	};

	for (unsigned i = 0; i < RTE_DIM(rows); i++) {
		terms.capabilities = rows[i].needed;
		ck_assert_uint_eq(judge(rows[i].spec, rows[i].type, 1000), OFFLOAD_NIC);
		ck_assert_uint_eq(pkt->ol_flags, rows[i].flags);
		ck_assert_uint_eq(pkt->tso_segsz, 1000);
		ck_assert_uint_eq(pkt->l2_len, 14);
		ck_assert_uint_eq(pkt->l3_len, rows[i].spec->version == 4 ? 20 : 40);
		ck_assert_uint_eq(pkt->l4_len, rows[i].spec->protocol == 6 ? 20 : 8);
		/* What drivers do before they send: it writes in the headers, which are ours. */
		ck_assert_int_eq(rte_net_intel_cksum_prepare(pkt), 0);
		for (unsigned bit = 0; bit < 64; bit++) {
			if ((rows[i].needed >> bit & 1) == 0)
				continue;
			terms.capabilities = ALL & ~BIT(bit);
			ck_assert_uint_eq(judge(rows[i].spec, rows[i].type, 1000), OFFLOAD_SEGMENT);
			ck_assert_int_eq(offload.nic_checksum,
			                 BIT(bit) != RTE_ETH_TX_OFFLOAD_TCP_CKSUM &&
			                         BIT(bit) != RTE_ETH_TX_OFFLOAD_UDP_CKSUM);
		}
	}
	/* No driver has fragments. */
	terms.capabilities = ALL;
	ck_assert_uint_eq(judge(&udp4, 3, 1000), OFFLOAD_SEGMENT);
	ck_assert_uint_eq(judge(&udp6, 3, 1000), OFFLOAD_SEGMENT);
}
END_TEST

/* What a NIC may take for an attack, or does wrong, is cut in software. */
START_TEST(nic_gets_what_is_beyond_doubt)
{
	struct rig_spec spec = tcp4;

	ck_assert_uint_eq(judge(&tcp4, 1, 255), OFFLOAD_SEGMENT);
	ck_assert_uint_eq(judge(&tcp4, 1, 256), OFFLOAD_NIC);
	terms.max_frame = 20000;
	spec.payload = 30000;
	ck_assert_uint_eq(judge(&spec, 1, 9216), OFFLOAD_NIC);
	ck_assert_uint_eq(judge(&spec, 1, 9217), OFFLOAD_SEGMENT);
	ck_assert_uint_eq(pkt->nb_segs, 15);
	terms.max_mbufs = 15;
	ck_assert_uint_eq(judge(&spec, 1, 9216), OFFLOAD_NIC);
	terms.max_mbufs = 14;
	ck_assert_uint_eq(judge(&spec, 1, 9216), OFFLOAD_SEGMENT);
	spec = tcp4;
	spec.tcp_flags = 0x38;
	ck_assert_uint_eq(judge(&spec, 1, 1000), OFFLOAD_SEGMENT);
	spec = tcp6;
	spec.n_extensions = 1;
	ck_assert_uint_eq(judge(&spec, 4, 1000), OFFLOAD_SEGMENT);
	ck_assert(!offload.nic_checksum);
	make(&tcp4, 1, 1000);
	rig_put_16(bytes + 16, 0); /* as Windows has it */
	ck_assert_uint_eq(judge_bytes(54 + 4000, 2048, 2048), OFFLOAD_SEGMENT);
	ck_assert(offload.nic_checksum);
}
END_TEST

START_TEST(longest_segment)
{
	struct rig_spec spec = tcp4;
	uint32_t length;

	terms.max_frame = 54 + 1000;
	ck_assert_uint_eq(fault(&tcp4, 1, 1000), OFFLOAD_FAULT_NONE);
	ck_assert_uint_eq(fault(&tcp4, 1, 1001), OFFLOAD_FAULT_TOO_LONG);
	spec.tags = 2;
	ck_assert_uint_eq(fault(&spec, 1, 992), OFFLOAD_FAULT_NONE);
	ck_assert_uint_eq(fault(&spec, 1, 993), OFFLOAD_FAULT_TOO_LONG);
	ck_assert_uint_eq(fault(&udp4, 5, 1012), OFFLOAD_FAULT_NONE);
	ck_assert_uint_eq(fault(&udp4, 5, 1013), OFFLOAD_FAULT_TOO_LONG);
	/* Fragments are of whole units of 8 bytes. */
	terms.max_frame = 34 + 1000;
	ck_assert_uint_eq(fault(&udp4, 3, 1007), OFFLOAD_FAULT_NONE);
	ck_assert_uint_eq(offload.mss, 1000);
	ck_assert_uint_eq(fault(&udp4, 3, 1008), OFFLOAD_FAULT_TOO_LONG);
	terms.max_frame = 54 + 8 + 1000;
	ck_assert_uint_eq(fault(&udp6, 3, 1007), OFFLOAD_FAULT_NONE);
	ck_assert_uint_eq(fault(&udp6, 3, 1008), OFFLOAD_FAULT_TOO_LONG);

	/* More than IP's packets hold. */
	terms.max_frame = 9000;
	spec = (struct rig_spec){.version = 4, .protocol = 6, .payload = 65535 - 40};
	ck_assert_uint_eq(fault(&spec, 1, 8000), OFFLOAD_FAULT_NONE);
	length = make(&spec, 1, 8000);
	rig_put_16(bytes + 16, 0);
	ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_SEGMENT);
	ck_assert_uint_eq(judge_bytes(length + 1, 2048, 2048), OFFLOAD_INVALID);
	ck_assert_uint_eq(offload.fault, OFFLOAD_FAULT_TOO_LONG);
	spec = (struct rig_spec){.version = 6, .protocol = 17, .payload = 65535 - 8};
	length = make(&spec, 5, 8000);
	ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_NIC);
	rig_put_16(bytes + 18, 0);
	ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_SEGMENT);
	ck_assert_uint_eq(judge_bytes(length + 1, 2048, 2048), OFFLOAD_INVALID);
	header.gso_type = 3;
	ck_assert_uint_eq(judge_bytes(length - 40, 2048, 2048), OFFLOAD_SEGMENT);
	ck_assert_uint_eq(judge_bytes(length - 39, 2048, 2048), OFFLOAD_INVALID);
}
END_TEST

/* A frame with no more than one segment's payload is but a frame with a checksum. */
START_TEST(one_segment)
{
	struct rig_spec spec = tcp4;

	for (unsigned n = 0; n <= 1000; n += 500) {
		spec.payload = n;
		terms.capabilities = NIC;
		ck_assert_uint_eq(judge(&spec, 1, 1000), OFFLOAD_NIC);
		ck_assert_uint_eq(pkt->ol_flags, RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM);
		ck_assert_uint_eq(pkt->tso_segsz, 0);
		terms.capabilities = 0;
		ck_assert_uint_eq(judge(&spec, 1, 1000), OFFLOAD_CHECKSUM);
	}
	spec.payload = 1001;
	ck_assert_uint_eq(judge(&spec, 1, 1000), OFFLOAD_SEGMENT);
	spec = udp4;
	spec.payload = 992; /* and UDP's header */
	ck_assert_uint_eq(judge(&spec, 3, 1000), OFFLOAD_CHECKSUM);
	spec.payload = 993;
	ck_assert_uint_eq(judge(&spec, 3, 1000), OFFLOAD_SEGMENT);
	/* Whatever the size, then. */
	spec.payload = 992;
	ck_assert_uint_eq(judge(&spec, 3, 65535), OFFLOAD_CHECKSUM);
}
END_TEST

START_TEST(frames_that_are_not_of_the_type)
{
	static const struct rig_spec *const specs[] = {&tcp4, &tcp6, &udp4, &udp6, &sctp4};
	static const uint8_t types[] = {1, 4, 3, 5};

	for (unsigned i = 0; i < RTE_DIM(specs); i++)
		for (unsigned j = 0; j < RTE_DIM(types); j++) {
			bool fits = j < 2 ? i == j : i == 2 || i == 3;

			ck_assert_uint_eq(fault(specs[i], types[j], 1000),
			                  fits ? OFFLOAD_FAULT_NONE : OFFLOAD_FAULT_FRAME);
		}
}
END_TEST

START_TEST(headers_in_the_first_segment)
{
	struct rig_spec spec = {.tags = 2,
	                        .version = 6,
	                        .protocol = 6,
	                        .tcp_options = 40,
	                        .n_extensions = 8,
	                        .payload = 4000};
	const uint32_t headers = 14 + 8 + 40 + 64 + 60;
	uint32_t length;

	memset(spec.extensions, 60, sizeof(spec.extensions));
	length = make(&spec, 4, 1000);
	for (uint32_t first = 1; first < headers; first++) {
		ck_assert_uint_eq(judge_bytes(length, first, 2048), OFFLOAD_INVALID);
		ck_assert_uint_eq(offload.fault, OFFLOAD_FAULT_FRAME);
	}
	ck_assert_uint_eq(judge_bytes(length, headers, 2048), OFFLOAD_SEGMENT);
	/* Longer than anybody's. */
	make(&spec, 4, 1000);
	bytes[22 + 40 + 1] = 60;
	ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_INVALID);
	ck_assert_uint_eq(offload.fault, OFFLOAD_FAULT_FRAME);
}
END_TEST

START_TEST(header_and_frame_disagree)
{
	static const int16_t shifts[] = {-1, 1, -20, 20};

	for (unsigned i = 0; i < RTE_DIM(shifts); i++) {
		uint32_t length = make(&tcp4, 1, 1000);

		header.csum_start = (uint16_t)(header.csum_start + shifts[i]);
		ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_INVALID);
		ck_assert_uint_eq(offload.fault, OFFLOAD_FAULT_DISAGREES);
		make(&tcp4, 1, 1000);
		header.csum_offset = (uint16_t)(16 + (shifts[i] > 0 ? shifts[i] : -shifts[i]));
		ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_INVALID);
		ck_assert_uint_eq(offload.fault, OFFLOAD_FAULT_DISAGREES);
		make(&tcp6, 4, 1000);
		ck_assert_uint_eq(judge_bytes((uint32_t)(length + 20 + shifts[i]), 2048, 2048),
		                  OFFLOAD_INVALID);
		ck_assert_uint_eq(offload.fault, OFFLOAD_FAULT_DISAGREES);
		/* What the guest says of the headers' length nobody asks. */
		make(&tcp4, 1, 1000);
		header.hdr_len = (uint16_t)shifts[i];
		ck_assert_uint_eq(judge_bytes(length, 2048, 2048), OFFLOAD_NIC);
	}
}
END_TEST

START_TEST(what_cannot_be_cut)
{
	struct rig_spec spec = tcp4;

	for (unsigned flags = 1; flags < 256; flags++) {
		spec.tcp_flags = (uint8_t)flags;
		ck_assert_uint_eq(fault(&spec, 1, 1000),
		                  (flags & 6) != 0 ? OFFLOAD_FAULT_UNCUTTABLE : OFFLOAD_FAULT_NONE);
	}
	spec = tcp4;
	spec.fragment = 0x2000;
	ck_assert_uint_eq(fault(&spec, 1, 1000), OFFLOAD_FAULT_UNCUTTABLE);
	spec = udp6;
	spec.n_extensions = 1;
	spec.extensions[0] = 44;
	ck_assert_uint_eq(fault(&spec, 3, 1000), OFFLOAD_FAULT_UNCUTTABLE);
	spec.extensions[0] = 51; /* sums that we cannot make anew */
	ck_assert_uint_eq(fault(&spec, 3, 1000), OFFLOAD_FAULT_FRAME);
}
END_TEST

START_TEST(every_fault_has_a_text)
{
	for (unsigned i = 0; i <= OFFLOAD_FAULTS; i++) {
		ck_assert_ptr_nonnull(offload_fault_text((enum offload_fault)i));
		for (unsigned j = 0; j < i; j++)
			ck_assert_str_ne(offload_fault_text((enum offload_fault)i),
			                 offload_fault_text((enum offload_fault)j));
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {plain_frames,
	                              each_type_needs_its_feature,
	                              ecn_goes_with_tcp_and_its_feature,
	                              every_type_there_is,
	                              segmentation_needs_a_checksum_and_a_size,
	                              checksum_within_the_frame,
	                              nic_completes_checksums,
	                              unusual_checksums_are_software_s,
	                              sctp,
	                              nic_cuts,
	                              nic_gets_what_is_beyond_doubt,
	                              longest_segment,
	                              one_segment,
	                              frames_that_are_not_of_the_type,
	                              headers_in_the_first_segment,
	                              header_and_frame_disagree,
	                              what_cannot_be_cut,
	                              every_fault_has_a_text};
	TCase *tcase = tcase_create("all");

	pool = rig_pool_open(POOL_MBUFS, 2048);
	tcase_add_checked_fixture(tcase, setup, teardown);
	for (unsigned i = 0; i < RTE_DIM(tests); i++)
		tcase_add_test(tcase, tests[i]);
	return suite_main("header", tcase);
}
