/* The header that goes before a frame to a guest (struct virtio_net_hdr; virtio 1.2, 5.1.6.4): what
 * the VF's NIC has found out about its checksum, and what coalesce.h has made of it. Pure; any
 * thread.
 */
#ifndef OFFLOAD_TO_GUEST_H
#define OFFLOAD_TO_GUEST_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "offload/header.h"

/* The header's flags of a frame that has not been joined, for a guest that has negotiated
 * VIRTIO_NET_F_GUEST_CSUM; all else of the header is 0. "One level of checksums" is validated:
 * where there are several, the outermost is what the guest takes it for, and a NIC that looks into
 * tunnels may have meant the inner one. */
static inline uint8_t to_guest_flags(const struct rte_mbuf *pkt)
{
	bool good = (pkt->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD &&
	            (pkt->packet_type & RTE_PTYPE_TUNNEL_MASK) == 0;

	return good ? VIRTIO_NET_HDR_F_DATA_VALID : 0;
}

/* Whether the guest may be sent the frame as it is: then *header is what goes before it, in the
 * layout of virtio (num_buffers is not ours to say). Else it has not negotiated what the frame
 * needs: *offload says how segment.h cuts it, and each piece is asked about anew.
 * features: virtio's bits that the guest has acknowledged. */
bool to_guest_describe(const struct rte_mbuf *pkt, uint64_t features, struct virtio_net_hdr *header,
                       struct offload *offload);

#endif
