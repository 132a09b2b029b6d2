/* Where the header stands that a guest has sent before a frame (virtio 1.2, 5.1.6.1), when whoever
 * receives from the guest has kept it: in the mbuf, in front of the frame. It is a copy: the guest
 * cannot change it any more, and nobody has judged it yet.
 */
#ifndef OFFLOAD_GUEST_HEADER_H
#define OFFLOAD_GUEST_HEADER_H

#include <linux/virtio_net.h>
#include <stdint.h>

#include <rte_mbuf.h>

/* Bytes before the frame that are for the header, which takes the first ones of them: it is longer
 * with VERSION_1 or MRG_RXBUF, by a field that means nothing in this direction. */
#define GUEST_HEADER_ROOM 12U
_Static_assert(GUEST_HEADER_ROOM <= RTE_PKTMBUF_HEADROOM, "there is room in front of a frame");

/* Of a frame as it was received: nothing has been put in front of it or taken away there. */
static inline struct virtio_net_hdr *guest_header_of(const struct rte_mbuf *pkt)
{
	return rte_pktmbuf_mtod_offset(pkt, struct virtio_net_hdr *, -(int)GUEST_HEADER_ROOM);
}

#endif
