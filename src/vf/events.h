/* Hearing of ports that were lost. Device thread only, but for the callback itself, and for
 * vf_events_init, which belongs to the time before there is any other thread.
 */
#ifndef VF_EVENTS_H
#define VF_EVENTS_H

#include <stdint.h>

/* The PF has reset the VF, or it has left the machine: in either case what is attached is of no use
 * any more, and has to be detached (and attached anew when it is there). member is its place in a
 * bond, else 0. Called on DPDK's interrupt thread; must not block, or call into src/vf. */
typedef void (*vf_event_fn)(void *context, unsigned relay_id, unsigned member);

/* Once, before the first VF is attached; the arguments outlive the last VF. */
void vf_events_init(vf_event_fn on_lost, void *context);

/* member is the port's place among the bond's members, 0 for a VF of its own. */
void vf_events_listen(uint16_t port_id, unsigned relay_id, unsigned member);
/* Returns when the callback does not run any more. */
void vf_events_ignore(uint16_t port_id);

#endif
