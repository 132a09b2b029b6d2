/* The product's fixed sizes that more than one layer needs. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define RELAYS_MAX       64  /* relay ids 0 … 63, whatever DPDK's own port limit is */
#define LCORES_MAX       128 /* ids of lcores end below it, as DPDK is built everywhere */
#define GUEST_QUEUES_MAX 32  /* virtqueue pairs a guest may enable */
#define VF_QUEUES_MAX    32  /* VF queues (rx and tx alike) a relay may set up */
#define VF_QUEUES_USUAL  4   /* that it sets up at most when nobody says how many */

#define VLANS_MAX 64 /* tags that a VF is programmed for, at most */

#define MTU_USUAL 2100 /* of a relay, as far as its VF can */
#define MTU_JUMBO 9000 /* with --enable-jumbo */

_Static_assert(RELAYS_MAX <= 64, "a relay has its bit in a 64-bit word");
_Static_assert(2 * GUEST_QUEUES_MAX <= 64, "a guest's virtqueue has its bit in a 64-bit word");

/* The number that a macro stands for, as a text. */
#define LIMIT_TEXT(macro) LIMIT_TEXT_OF(macro)
#define LIMIT_TEXT_OF(x)  #x

#endif
