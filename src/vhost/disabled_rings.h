/* Rings that a guest sends on, and that are started but disabled: what is sent on them is thrown
 * away, as the specification wants it (vhost-user, "Ring states"), by the protocol thread, after
 * the workers have left them. The guest gets its buffers back, which it waits for when it takes the
 * queue down; and what it sent long ago does not go out when the queue is enabled again.
 *
 * A ring has to have been disabled for DISABLED_RINGS_MS first, since front ends do not wait for
 * the message that enables it before their guest sends (DPDK's virtio-user), and a guest that
 * disables a queue may think better of it: what is enabled within that time loses nothing.
 */
#ifndef VHOST_DISABLED_RINGS_H
#define VHOST_DISABLED_RINGS_H

#include "vhost/session_data.h"

#define DISABLED_RINGS_MS 1000

/* Every now and then; now_ms is any clock that does not go back. One ring at a time is emptied, of
 * a bounded number of descriptors. */
void disabled_rings_look(struct vhost_session *session, uint64_t now_ms);

#endif
