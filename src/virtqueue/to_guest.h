/* The walkers of rings that a guest receives on; see ring.h. */
#ifndef VIRTQUEUE_TO_GUEST_H
#define VIRTQUEUE_TO_GUEST_H

#include "virtqueue/ring.h"

virtqueue_send_fn to_guest_choose(bool packed, bool logged, bool headers);

#endif
