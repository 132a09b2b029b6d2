/* The MAC addresses that guests use, and whether their VFs receive for them. Control thread only.
 */
#ifndef RELAY_MAC_H
#define RELAY_MAC_H

#include "relay/relay.h"

/* From now on the guests' addresses are learnt, and their VFs programmed. */
void mac_start(struct relays *relays);
void mac_stop(struct relays *relays);
/* The address that the guest uses; false while there is no guest, or nothing was heard of it. */
bool mac_read(const struct relay *relay, uint8_t out[ETH_ALEN]);

#endif
