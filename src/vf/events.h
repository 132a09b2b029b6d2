/* Hearing of ports that were lost. Device thread only, but for the callback itself.
 */
#ifndef VF_EVENTS_H
#define VF_EVENTS_H

#include <stdint.h>

/* member is the port's place among the bond's members, 0 for a VF of its own. */
void vf_events_listen(uint16_t port_id, unsigned relay_id, unsigned member);
/* Returns when the callback does not run any more. */
void vf_events_ignore(uint16_t port_id);

#endif
