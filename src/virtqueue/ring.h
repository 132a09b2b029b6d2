/* A virtqueue as a worker sees it: where the ring lies and what was agreed on (the view), and how
 * far it has been walked (the rest). Split and packed rings (virtio 1.2, 2.7 and 2.8).
 *
 * A view never changes once published. Whoever owns the session makes a new one and swaps the
 * pointer; it frees the old one, and touches the walker's part, only after a grace period (see
 * datapath/worker.h) and while the pointer is NULL.
 */
#ifndef VIRTQUEUE_RING_H
#define VIRTQUEUE_RING_H

#include <linux/virtio_ring.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/idle_look.h"
#include "base/sizes.h"
#include "virtqueue/dirty_log.h"
#include "virtqueue/fault.h"
#include "virtqueue/memory.h"

#define VIRTQUEUE_SIZE_MAX 32768U /* entries; virtio 1.2, 2.7 */

/* Packets that are walked at once, at most. */
#define VIRTQUEUE_BURST 32U

/* Bytes of a frame that are taken from a guest; of longer ones the rest is cut off, so that they
 * are known to be too long. More than 64 KB of payload no header can describe. */
#define VIRTQUEUE_FRAME_MAX SIZES_LONG_FRAME

/* Descriptors after which a burst ends, though it may go on to the end of its chain: chains may be
 * as long as their ring, and 32 of them would hold up the worker's other lanes for milliseconds. */
#define VIRTQUEUE_BURST_DESCRIPTORS 1024U

/* Mbufs after which a burst ends, but for the frame's that it is at: of 64 KB each, a burst of
 * frames would take more than a pool has to spare. */
#define VIRTQUEUE_BURST_MBUFS SIZES_READ

/* struct virtio_net_hdr, which is shorter without VERSION_1 and MRG_RXBUF (virtio 1.2, 5.1.6.1). */
#define VIRTQUEUE_HEADER_LONG  12U
#define VIRTQUEUE_HEADER_SHORT 10U

#define VIRTQUEUE_ALIGNMENT 64 /* bytes of a cache line */

struct rte_mbuf;
struct rte_mempool;
struct journal;
struct virtqueue;
struct virtqueue_view;

/* Gives up to n <= VIRTQUEUE_BURST frames to the guest, and those that it took are the ring's:
 * freed, since it copies. Returns how many, in order from the first. *call: the guest wants an
 * interrupt. Sets virtqueue->fault when the guest has broken a rule, or ->refused when the first
 * frame that it did not take will never fit. */
typedef uint16_t (*virtqueue_send_fn)(struct virtqueue *virtqueue,
                                      const struct virtqueue_view *view, struct rte_mbuf **pkts,
                                      uint16_t n, bool *call);

/* Takes up to n <= VIRTQUEUE_BURST frames of the guest's into mbufs of pool, runts included,
 * chained where they are longer than one holds. Returns how many. *call and virtqueue->fault
 * likewise. */
typedef uint16_t (*virtqueue_receive_fn)(struct virtqueue *virtqueue,
                                         const struct virtqueue_view *view,
                                         struct rte_mempool *pool, struct rte_mbuf **pkts,
                                         uint16_t n, bool *call);

struct virtqueue_view {
	union { /* [size] */
		struct vring_desc *split;
		struct vring_packed_desc *packed;
	};
	union { /* what the driver writes; its used_event comes after ring[size] */
		struct vring_avail *avail;
		struct vring_packed_desc_event *driver_event;
	};
	union { /* what we write; our avail_event comes after ring[size] */
		struct vring_used *used;
		struct vring_packed_desc_event *device_event;
	};
	uint16_t size; /* entries, 1 to VIRTQUEUE_SIZE_MAX; of a split ring a power of two */
	uint8_t header_size;
	bool is_packed;
	bool mergeable, indirect, event_idx; /* as negotiated */
	bool headers; /* the guest's headers may ask for something: receive keeps them, see header.h
	               */
	bool vouched; /* a frame's checksum may be vouched for to the guest (GUEST_CSUM) */
	int call_fd;  /* eventfd, -1 = the driver polls */
	int kick_fd;  /* eventfd that is written to when the guest kicks, -1 = none */
	uint32_t kick_serial; /* of that descriptor, > 0; another one is another descriptor */
	const struct memory *memory;
	struct dirty_log log;
	/* Guest addresses of what is logged: split: the used ring. Packed: the descriptors, and
	 * what we write beside them. */
	uint64_t log_ring, log_event;
	virtqueue_send_fn send;
	virtqueue_receive_fn receive;
	struct journal *journal; /* of a packed ring; NULL = its place is kept nowhere */
	uint64_t features;       /* negotiated; what each frame asks for is above */
};

/* Where a walk stands. Entries are used in the order in which they were made available, so one
 * position is both. */
struct virtqueue_position {
	uint16_t index; /* split: of avail->ring and used->ring, modulo 2^16; packed: < size */
	bool wrap;      /* packed: our wrap counter, which is 1 at first; split: not used */
};

/* All that a worker touches of it is one cache line, and no other ring's: those of a pair may be
 * two workers'. */
struct virtqueue {
	/* Worker: ro; NULL = not now */
	_Atomic(const struct virtqueue_view *) view;
	/* Whether the guest has sent nothing since the last walk of a ring that it sends on */
	struct idle_look look;
	struct virtqueue_position at; /* worker: rw */
	uint16_t called_at;    /* index at the last look at what the guest wants; worker: rw */
	bool call_anyhow;      /* none of these since the start; likewise */
	bool refused;          /* the last frame refused fits no buffer; worker: rw */
	uint32_t last_region;  /* index of the one that was hit last; a hint, worker: rw */
	_Atomic uint8_t fault; /* enum virtqueue_fault; worker: wo, others: ro (relaxed) */
	uint64_t calls;        /* interrupts sent; worker: wo, others: ro (relaxed) */
	/* Kernel id of the thread that sends one just now, 0 = none; worker: wo, others: ro
	 * (relaxed) */
	_Atomic int caller;
	/* One of them has blocked until we were freed; worker: sets, who begins the ring: clears */
	_Atomic bool blocked;
} __attribute__((aligned(VIRTQUEUE_ALIGNMENT)));

_Static_assert(sizeof(struct virtqueue) == VIRTQUEUE_ALIGNMENT, "a virtqueue is one cache line");

/* Has workers walk the ring by this view, which has just been begun or goes on where the one before
 * is; NULL = not now. They leave the one before with the next grace period. */
void virtqueue_publish(struct virtqueue *virtqueue, const struct virtqueue_view *view);

/* Before the first walk of a ring that was (re)started at a position. */
void virtqueue_begin(struct virtqueue *virtqueue, struct virtqueue_position at);

#endif
