/* The walkers of rings that a guest sends on; see ring.h. */
#ifndef VIRTQUEUE_FROM_GUEST_H
#define VIRTQUEUE_FROM_GUEST_H

#include "virtqueue/ring.h"

virtqueue_receive_fn from_guest_choose(bool packed, bool logged, bool headers);

#endif
