/* The header that goes before a frame to a guest (struct virtio_net_hdr; virtio 1.2, 5.1.6.4): what
 * the VF's NIC has found out about its checksum, and what coalesce.h has made of it. Pure; any
 * thread.
 */
#ifndef OFFLOAD_TO_GUEST_H
#define OFFLOAD_TO_GUEST_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

#include "offload/header.h"

struct rte_mbuf;

/* Whether the guest may be sent the frame as it is: then *header is what goes before it, in the
 * layout of virtio (num_buffers is not ours to say). Else it has not negotiated what the frame
 * needs: *offload says how segment.h cuts it, and each piece is asked about anew.
 * features: virtio's bits that the guest has acknowledged. */
bool to_guest_describe(const struct rte_mbuf *pkt, uint64_t features, struct virtio_net_hdr *header,
                       struct offload *offload);

#endif
