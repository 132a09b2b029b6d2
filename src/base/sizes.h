/* How much packet memory a relay takes: the arithmetic of rings, backlogs and pools, for those who
 * make the pools and for those who judge beforehand whether there is room. Numbers are packets,
 * descriptors or mbufs, and bytes where they are called so. Pure functions; no DPDK here, so what
 * depends on its structs is held by assertions in dpdk/pool.c.
 */
#ifndef BASE_SIZES_H
#define BASE_SIZES_H

#include <stdint.h>

#define SIZES_RING \
	512 /* descriptors of a VF's queue, each way, if the VF has no limits of its own */
#define SIZES_BACKLOG 256 /* packets that a lane to a guest may hold back */

/* One mbuf size fits all: a frame of MTU 2100 with two VLAN tags takes one, longer ones several. */
#define SIZES_MBUF_DATA      2176 /* bytes of a frame in one mbuf */
#define SIZES_MBUF_BYTES     2496 /* of memory for one, with its headroom, header and padding */
#define SIZES_MBUF_CACHE     128  /* mbufs that a worker keeps: a few bursts */
#define SIZES_FRAME_OVERHEAD 26   /* bytes beyond the MTU: Ethernet header, two VLAN tags, CRC */

#define SIZES_POOL_FIXED_BYTES (UINT64_C(1) << 20) /* tables of a pool, beside its mbufs */

#define SIZES_MEMSEG_BYTES 48 /* of DPDK's table of its memory, for each page */

/* What may hold mbufs of one pool at once. */
struct sizes_pool {
	unsigned queues;      /* VF queues, rx and tx alike */
	unsigned ports;       /* that have so many: a bond's members */
	unsigned rxd, txd;    /* descriptors of each queue */
	unsigned backlog;     /* packets that a lane may hold back */
	unsigned frame_mbufs; /* mbufs of the longest frame */
	unsigned n_workers;   /* that may keep mbufs in their caches */
};

/* How many mbufs such a pool has. */
unsigned sizes_pool_mbufs(const struct sizes_pool *pool);

/* Bytes of memory that a pool of so many mbufs takes. */
uint64_t sizes_pool_bytes(unsigned mbufs);

/* Mbufs with `room` bytes of data each that a frame of that MTU takes. */
unsigned sizes_frame_mbufs(unsigned mtu, unsigned room);

#endif
