/* Stand-ins for VFs (net_af_packet, net_tap) whose network interface on the host is taken down,
 * changed or deleted. Control thread only.
 */
#ifndef RELAY_STAND_IN_H
#define RELAY_STAND_IN_H

#include "relay/relay.h"
#include "vf/interface.h"

/* The kernel has told of the interface of the relay's VF, or may have. VF_ATTACHED only. */
void stand_in_look(struct relay *relay, enum vf_interface_news news);
/* The relay's VF is attached. */
void stand_in_attached(struct relay *relay);

#endif
