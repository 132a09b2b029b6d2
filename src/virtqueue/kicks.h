/* Whether the guest shall kick when it sends: what we write for its driver to go by (virtio 1.2,
 * 2.7.7, 2.7.10 and 2.8.10). Who polls a ring has the guest spare itself the kicks; who is about to
 * sleep asks for one.
 *
 * For the ring's worker, or for a ring that nobody walks. Writes to the guest's memory, and only
 * where it says something else so far; what the guest writes there itself is its own harm.
 */
#ifndef VIRTQUEUE_KICKS_H
#define VIRTQUEUE_KICKS_H

#include "virtqueue/ring.h"

/* For what comes at this place or behind it. The caller looks at the ring once more, after a full
 * fence: the guest shows what it sends, has its fence, and then looks whether to kick. */
void kicks_ask(const struct virtqueue_view *view, struct virtqueue_position at);

/* With event indices a split ring is left alone: that means one kick in 65,536. */
void kicks_spare(const struct virtqueue_view *view);

#endif
