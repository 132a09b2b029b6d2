/* How much packet memory a relay takes: the arithmetic of rings, backlogs and pools, for those who
 * make the pools and for those who judge beforehand whether there is room. Numbers are packets,
 * descriptors or mbufs, and bytes where they are called so. Pure functions; no DPDK here, so what
 * depends on its structs is held by assertions in dpdk/pool.c.
 *
 * Each relay has a pool of its own, so that no relay can take another's buffers. It has as many as
 * can be out at once, which is, for each VF queue:
 *
 *   rxd                          mbufs that lie in the VF's receive ring, always
 *   txd                          mbufs in its send ring: drivers free them when it is nearly full
 *   frame * (backlog + burst)    frames for the guest that wait, and those of the pass under way
 *   burst + read + long frame    what one read of the guest's ring may bring: a burst of frames,
 *                                until they have taken so many mbufs, and the last one is long
 *   frame * burst                the pieces that long frames have been cut into
 *
 * and for each worker that may poll it what its cache holds. With the ordinary MTU, rings of 512
 * and two workers that is 512 + 512 + 288 + 127 + 32 + 2 * 64 = 1599 mbufs of 2496 bytes: 3.8 MB,
 * and 64 relays take 244 MB.
 */
#ifndef BASE_SIZES_H
#define BASE_SIZES_H

#include <stdbool.h>
#include <stdint.h>

#define SIZES_RING \
	512 /* descriptors of a VF's queue, each way, if the VF has no limits of its own */
#define SIZES_BACKLOG        256    /* packets that a lane to a guest may hold back */
#define SIZES_BURST          32     /* packets that a pass takes from a source */
#define SIZES_READ           64U    /* mbufs after which a read of a guest's ring ends */
#define SIZES_LONG_FRAME     65600U /* bytes of a frame that are read from a guest at most */
#define SIZES_CACHE_MBUFS    64     /* mbufs that a worker keeps of a pool: a burst each way */
#define SIZES_FRAME_OVERHEAD 26     /* bytes beyond the MTU: Ethernet header, two VLAN tags, CRC */

/* Bytes of a frame in one mbuf: one of MTU 2100 with two VLAN tags fits, or, in a pool of small
 * ones, of MTU 1500. Longer ones take several. Hardware counts in steps of 128 bytes. */
#define SIZES_MBUF_DATA       2176
#define SIZES_MBUF_DATA_SMALL 1664
#define SIZES_MBUF_EXTRA      320 /* bytes beside: headroom, header, what the pool notes, padding */

/* A pool's memory is taken in pieces: in one piece it would take whole pages, and what is left of
 * the last one be too small for the next pool. */
#define SIZES_PIECE_BYTES 128000

/* Of a VF's queue: a ring each way, as long as its driver can make them, and what that notes. */
#define SIZES_QUEUE_BYTES (UINT64_C(256) << 10)

#define SIZES_MEMSEG_BYTES 48 /* of DPDK's table of its memory, for each page */

/* What may hold mbufs of one pool at once. */
struct sizes_pool {
	unsigned queues;      /* VF queues, rx and tx alike */
	unsigned ports;       /* that have so many: a bond's members */
	unsigned rxd, txd;    /* descriptors of each queue */
	unsigned backlog;     /* packets that a lane may hold back */
	unsigned frame_mbufs; /* mbufs of the longest frame that the VF may send */
	unsigned n_workers;   /* that may keep mbufs in their caches */
	unsigned mbuf_data;   /* bytes: SIZES_MBUF_DATA or SIZES_MBUF_DATA_SMALL */
};

/* Bytes of a frame in one mbuf, in a pool for frames of this MTU; only_long: the VF cannot do with
 * short ones, whatever its MTU. */
unsigned sizes_mbuf_data(unsigned mtu, bool only_long);

/* Bytes that an mbuf with so much data takes in its pool. */
unsigned sizes_mbuf_bytes(unsigned mbuf_data);

/* Mbufs that are made in a piece of a pool's memory. */
unsigned sizes_piece_mbufs(unsigned mbuf_data);

/* How many mbufs such a pool has. */
unsigned sizes_pool_mbufs(const struct sizes_pool *pool);

/* Bytes of memory that it takes. */
uint64_t sizes_pool_bytes(const struct sizes_pool *pool);

/* Mbufs with `room` bytes of data each that a frame of that MTU takes. */
unsigned sizes_frame_mbufs(unsigned mtu, unsigned room);

#endif
