/* The VLANs that guests use, and whether their VFs receive frames of them. Control thread only.
 */
#ifndef RELAY_TRUNK_H
#define RELAY_TRUNK_H

#include "relay/relay.h"

/* From now on the guests' VLANs are learnt, and their VFs programmed. */
void trunk_start(struct relays *relays);
void trunk_stop(struct relays *relays);
/* The VF's host may think differently now of what its PF has refused. */
void trunk_ask_again(struct relay *relay);
/* Those whose frames the VF receives, and those that its PF refused: VLANS_MAX at most each. Both
 * empty without a VF that filters by VLAN. */
void trunk_read(const struct relay *relay, struct vlan_set *received, struct vlan_set *refused);

#endif
