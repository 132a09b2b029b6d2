/* Which functions walk a ring: one pair for each kind, with and without a log, so that none asks
 * again for each packet.
 */
#ifndef VIRTQUEUE_WALKERS_H
#define VIRTQUEUE_WALKERS_H

#include "virtqueue/ring.h"

/* Sets those that fit all else that the view says. */
void walkers_choose(struct virtqueue_view *view);

#endif
