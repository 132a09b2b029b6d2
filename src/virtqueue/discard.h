/* Frames that a guest sends while it has its ring disabled: given back to it unread (vhost-user,
 * "Ring states"). For whoever has the ring for itself then, a worker or another thread.
 */
#ifndef VIRTQUEUE_DISCARD_H
#define VIRTQUEUE_DISCARD_H

#include "virtqueue/ring.h"

/* Gives back what the guest has made available on a ring that it sends on: up to
 * VIRTQUEUE_BURST_DESCRIPTORS descriptors, and the rest of the last chain. Returns how many frames
 * that were. *call and virtqueue->fault are as with virtqueue_receive_fn. */
uint16_t virtqueue_discard(struct virtqueue *virtqueue, const struct virtqueue_view *view,
                           bool *call);

#endif
