/* Headers for guests. See to_guest.h. */
#include "offload/to_guest.h"

#include <stddef.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#define FEATURE(bit) (UINT64_C(1) << (bit))

static bool may_be_joined(const struct rte_mbuf *pkt, uint64_t features)
{
	uint64_t needed =
	        FEATURE(VIRTIO_NET_F_GUEST_CSUM) |
	        FEATURE((pkt->ol_flags & RTE_MBUF_F_TX_IPV4) != 0 ? VIRTIO_NET_F_GUEST_TSO4
	                                                          : VIRTIO_NET_F_GUEST_TSO6);

	return (features & needed) == needed;
}

static void describe_joined(const struct rte_mbuf *pkt, struct virtio_net_hdr *header)
{
	uint32_t start = (uint32_t)pkt->l2_len + pkt->l3_len;

	*header = (struct virtio_net_hdr){
	        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	        .gso_type = (pkt->ol_flags & RTE_MBUF_F_TX_IPV4) != 0 ? VIRTIO_NET_HDR_GSO_TCPV4
	                                                              : VIRTIO_NET_HDR_GSO_TCPV6,
	        .hdr_len = rte_cpu_to_le_16((uint16_t)(start + pkt->l4_len)),
	        .gso_size = rte_cpu_to_le_16((uint16_t)pkt->tso_segsz),
	        .csum_start = rte_cpu_to_le_16((uint16_t)start),
	        .csum_offset = rte_cpu_to_le_16(offsetof(struct rte_tcp_hdr, cksum))};
}

/* The mbuf says it all: coalesce.h has read the frame. */
static void cut_joined(const struct rte_mbuf *pkt, struct offload *offload)
{
	bool ipv4 = (pkt->ol_flags & RTE_MBUF_F_TX_IPV4) != 0;

	*offload = (struct offload){.way = OFFLOAD_SEGMENT,
	                            .cut = OFFLOAD_CUT_TCP,
	                            .mss = (uint16_t)pkt->tso_segsz,
	                            .checksum_start = (uint16_t)(pkt->l2_len + pkt->l3_len),
	                            .checksum_offset = offsetof(struct rte_tcp_hdr, cksum),
	                            .layers = {.l2_len = (uint16_t)pkt->l2_len,
	                                       .l3_len = (uint16_t)pkt->l3_len,
	                                       .l4_len = (uint16_t)pkt->l4_len,
	                                       .ip = ipv4 ? LAYERS_IPV4 : LAYERS_IPV6,
	                                       .protocol = LAYERS_TCP,
	                                       .ip_says = pkt->pkt_len}};
}

bool to_guest_describe(const struct rte_mbuf *pkt, uint64_t features, struct virtio_net_hdr *header,
                       struct offload *offload)
{
	memset(header, 0, sizeof(*header));
	if (likely((pkt->ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0)) {
		if ((features & FEATURE(VIRTIO_NET_F_GUEST_CSUM)) != 0)
			header->flags = to_guest_flags(pkt);
		return true;
	}
	if (!may_be_joined(pkt, features)) {
		cut_joined(pkt, offload);
		return false;
	}
	describe_joined(pkt, header);
	return true;
}
