/* What a lane asks of either end. The far end is a guest; its kinds are files of src/guest, and the
 * datapath knows them by these functions alone. The VF's end is DPDK's ethdev: what is said of
 * sending holds for rte_eth_tx_burst, too.
 *
 * Who owns a packet: what an end has accepted is the end's, which frees it, or keeps it as long as
 * it needs it, and the caller may not look at it any more. What it has not accepted stays the
 * caller's. What it has received is the caller's.
 *
 * Called by workers, one at a time for each queue and direction; never blocks, allocates or logs.
 *
 * A worker that is about to sleep asks ends to wake it (`arm`), and one that stays awake to leave
 * that (`spare`); neither concerns a burst.
 */
#ifndef DATAPATH_END_H
#define DATAPATH_END_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/idle_look.h"

/* There is nobody at this end any more: what was to be sent will not get there. */
#define END_GONE (-ENOTCONN)
/* This queue cannot be used just now, and nothing is lost for it: keep the packets, bounded as if
 * the queue were full, and try again at the next pass. */
#define END_PAUSED (-EAGAIN)
/* The guest's ring is none: nothing gets there until the guest has set it up anew. */
#define END_BROKEN (-EPROTO)

/* DPDK's own headers take a compiler half a second: files that look into these include them. */
struct rte_mbuf;
struct rte_mempool;

struct guest;

/* Takes up to n packets that the guest sends on pair `queue` into mbufs of pool. Returns how many,
 * END_GONE or END_PAUSED. */
typedef int (*guest_receive_fn)(struct guest *guest, uint16_t queue, struct rte_mempool *pool,
                                struct rte_mbuf **pkts, uint16_t n);

/* Gives up to n <= LANE_BURST packets to the guest, on pair `queue`. Returns how many were
 * accepted, in order from the first: fewer than n when the guest has posted no buffers for the next
 * one; or END_GONE, END_PAUSED or END_BROKEN, and none was. */
typedef int (*guest_send_fn)(struct guest *guest, uint16_t queue, struct rte_mbuf **pkts,
                             uint16_t n);

/* Whether the guest has posted on pair `queue` what one frame can have at most: a buffer, or as
 * many as its ring has entries when a frame may be merged from several. A frame that is offered
 * after this was true, and not accepted, never will be. Asked only when one was not accepted. */
typedef bool (*guest_offers_fn)(struct guest *guest, uint16_t queue);

/* As rte_eth_tx_burst. */
typedef uint16_t (*vf_send_fn)(uint16_t port_id, uint16_t queue, struct rte_mbuf **pkts,
                               uint16_t n);

/* Where it is seen whether the guest has sent nothing on pair `queue`, NULL = nowhere: then
 * `receive` has to be asked. It lives as long as the process. Whoever makes a plan asks for it. */
typedef const struct idle_look *(*guest_look_fn)(struct guest *guest, uint16_t queue);

/* A descriptor that somebody writes to when there is something for us, which nobody reads: an
 * eventfd. */
struct wake_source {
	int fd;
	uint32_t serial; /* > 0; another one is another descriptor, be its number the same */
};

/* Has the guest write to a descriptor when it sends on pair `queue`. True: for whatever the caller
 * does not find when it looks after a full fence, *source is written to. Until the next grace
 * period the descriptor is open. False: it cannot be had, now or ever: look from time to time. */
typedef bool (*guest_arm_fn)(struct guest *guest, uint16_t queue, struct wake_source *source);

/* The guest may spare itself that from now on. */
typedef void (*guest_spare_fn)(struct guest *guest, uint16_t queue);

struct guest_ops {
	guest_look_fn look; /* NULL = none has any */
	guest_arm_fn arm;   /* NULL = none can be; else there is a look, too */
	guest_spare_fn spare;
	guest_receive_fn receive;
	guest_send_fn send;
	guest_offers_fn offers;
};

/* A guest as a plan is made of it; its kind knows more. Constant as long as the process lives. */
struct guest {
	const struct guest_ops *ops;
};

#endif
