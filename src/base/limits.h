/* The product's fixed sizes that more than one layer needs. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define RELAYS_MAX       64  /* relay ids 0 … 63, whatever DPDK's own port limit is */
#define LCORES_MAX       128 /* ids of lcores end below it, as DPDK is built everywhere */
#define GUEST_QUEUES_MAX 32  /* virtqueue pairs a guest may enable */
#define VF_QUEUES_MAX    32  /* VF queues (rx and tx alike) a relay may set up */

#endif
