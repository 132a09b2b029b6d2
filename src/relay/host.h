/* What hosts do to their VFs by the PF. Control thread only. */
#ifndef RELAY_HOST_H
#define RELAY_HOST_H

#include "relay/relay.h"

/* Without the kernel's events, which is said, VFs go on. */
void host_start(struct relays *relays);
void host_stop(struct relays *relays);
/* The relay's VF is attached. */
void host_attached(struct relay *relay);
/* The PF of the relay's VF has answered the question. Whether the VF counts as lost. VF_ATTACHED
 * only. */
bool host_told(struct relay *relay, const struct vf_host *host, enum vf_host_question question);

#endif
