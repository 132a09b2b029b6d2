/* What tests of the rules for rings have in common: a small ring, and a walk of it that takes all
 * that there is.
 */
#ifndef FAULTS_RIG_H
#define FAULTS_RIG_H

#include "guest_ring_rig.h"

#define SIZE  8U   /* the ring's */
#define GOOD  200U /* bytes of a good buffer */
#define FRAME 60U
#define PLACE (RIG_DATA + 0x2000U) /* of the buffer in question */

static inline uint32_t walk(struct rig_driver *driver, struct rig_pool *pool)
{
	struct rte_mbuf *pkts[SIZE];
	bool call;
	uint32_t n;

	if (!driver->to_guest) {
		n = rig_receive(driver, pool, pkts, SIZE, &call);
		rte_pktmbuf_free_bulk(pkts, n);
	} else {
		for (uint32_t i = 0; i < SIZE; i++)
			pkts[i] = rig_frame_new(pool, i, FRAME, 2048, false);
		n = rig_send(driver, pkts, SIZE, &call);
		rte_pktmbuf_free_bulk(pkts + n, SIZE - n);
	}
	rig_expect(call == (n > 0));
	return n;
}

#endif
