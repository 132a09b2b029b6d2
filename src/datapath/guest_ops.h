/* What a lane needs of a guest: two burst operations. The backends stand in the port layer; the
 * datapath only knows this header. Called by workers, never blocking.
 */
#ifndef DATAPATH_GUEST_OPS_H
#define DATAPATH_GUEST_OPS_H

#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

struct guest;

struct guest_ops {
	/* Takes up to n packets that the guest sends on pair `queue` into mbufs of pool. Returns
	 * how many (the caller owns them), or -ENOTCONN. One worker per queue at a time. */
	int (*receive)(struct guest *guest, uint16_t queue, struct rte_mempool *pool,
	               struct rte_mbuf **pkts, uint16_t n);
	/* Copies up to n <= LANE_BURST packets into the buffers that the guest has posted on pair
	 * `queue`. Returns how many, in order from the first; the caller keeps owning all n mbufs.
	 * -ENOTCONN when there is no guest. One worker per queue at a time. */
	int (*send)(struct guest *guest, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
};

/* The one backend in use: chosen at start, constant afterwards. */
struct guest {
	const struct guest_ops *ops;
};

#endif
