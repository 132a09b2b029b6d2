/* What every kind of guest end offers, and how a guest's virtqueues are numbered. For the kinds.
 *
 * The same features at each start, whatever VF stands behind and whichever kind serves: QEMU
 * refuses a back end whose features change under a running guest.
 */
#ifndef GUEST_OFFERED_H
#define GUEST_OFFERED_H

#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdint.h>

#include "vhost/features.h"

#define FEATURE(bit) (UINT64_C(1) << (bit))

/* What of these concerns the control queue, the MTU, the link and announcements is the front end's
 * own to do, which takes only what is offered here. VIRTIO_NET_F_MRG_RXBUF is the configuration's.
 */
#define FEATURES_ALWAYS                                                                          \
	(FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_F_ANY_LAYOUT) |                            \
	 FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | FEATURE(VIRTIO_RING_F_EVENT_IDX) |               \
	 FEATURE(VIRTIO_F_IN_ORDER) | FEATURE(VIRTIO_F_RING_PACKED) | FEATURE(VIRTIO_NET_F_MQ) | \
	 FEATURE(VIRTIO_NET_F_CTRL_VQ) | FEATURE(VIRTIO_NET_F_CTRL_RX) |                         \
	 FEATURE(VIRTIO_NET_F_GUEST_ANNOUNCE) | FEATURE(VIRTIO_NET_F_STATUS) |                   \
	 FEATURE(VIRTIO_NET_F_MTU) | FEATURE(VHOST_F_LOG_ALL) | FEATURE(FEATURE_PROTOCOL))

/* What a guest may ask for, or be given, with a frame: what a VF's NIC does not do of it is done in
 * software, so that these too are the same everywhere. Guests that are given nothing lose nothing.
 */
#define FEATURES_OFFLOADS                                                     \
	(FEATURE(VIRTIO_NET_F_CSUM) | FEATURE(VIRTIO_NET_F_GUEST_CSUM) |      \
	 FEATURE(VIRTIO_NET_F_GSO) | FEATURE(VIRTIO_NET_F_GUEST_TSO4) |       \
	 FEATURE(VIRTIO_NET_F_GUEST_TSO6) | FEATURE(VIRTIO_NET_F_GUEST_ECN) | \
	 FEATURE(VIRTIO_NET_F_GUEST_UFO) | FEATURE(VIRTIO_NET_F_HOST_ECN) |   \
	 FEATURE(VIRTIO_NET_F_HOST_UFO))
#define FEATURES_TSO (FEATURE(VIRTIO_NET_F_HOST_TSO4) | FEATURE(VIRTIO_NET_F_HOST_TSO6))

/* Numbers of a pair's virtqueues (virtio 1.2, 5.1.2). */
static inline uint16_t virtqueue_to_guest(uint16_t queue)
{
	return (uint16_t)(queue * 2);
}

static inline uint16_t virtqueue_from_guest(uint16_t queue)
{
	return (uint16_t)(queue * 2 + 1);
}

#endif
