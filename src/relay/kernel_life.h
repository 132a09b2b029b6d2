/* The life of a relay's interface of the host's kernel: it is made with the VF's first attach,
 * stays while the VF is lost and comes back, and goes when the VF is removed for good. While
 * somebody wants it, the relay's vhost-user socket is closed. Control thread, but for
 * kernel_life_attach.
 */
#ifndef RELAY_KERNEL_LIFE_H
#define RELAY_KERNEL_LIFE_H

#include "relay/relay.h"

/* For an attach's run, on the device thread: makes the VF, and the interface if that is wanted and
 * not there. Both or nothing; as vf_attach. */
int kernel_life_attach(struct vf_job *vf_job);
/* The attach has ended well: the interface is there, if one was wanted. */
void kernel_life_attached(struct relay *relay);
/* The VF goes for good: so does the interface, if it is there. */
void kernel_life_leave(struct relay *relay);
/* The plans were published: what is KERNEL_LEAVING is in none of them any more. */
void kernel_life_unplanned(struct relay *relay);
/* What is wanted of the VF, or the phase of the socket, has changed: closes the socket where the
 * kernel has the far end, and opens it again where that was so. */
void kernel_life_settle_socket(struct relay *relay);

#endif
