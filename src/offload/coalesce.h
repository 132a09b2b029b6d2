/* Receive coalescing in software: TCP segments of one stream that have come in one burst, in order,
 * become one frame of up to 64 KB, as Linux's GRO would make it of them in the guest. The guest's
 * network stack then works once instead of up to 45 times. Nothing is copied or held back: the
 * segments' buffers are chained, and what comes out of a burst is all that went in.
 *
 * Only what can be cut into the same segments again is joined: that is the measure of each rule in
 * the source. For the owner of the packets; no state is kept between bursts, nothing is allocated.
 */
#ifndef OFFLOAD_COALESCE_H
#define OFFLOAD_COALESCE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

/* Streams that are followed at once in a burst; the segments of others stay as they are. */
#define COALESCE_STREAMS 8U

/* Mbufs of a joined frame: 64 KB of 1448 bytes each, or of several in 1.5 KB buffers. */
#define COALESCE_MBUFS 64U

enum { /* `versions`: whose segments are joined */
       COALESCE_IPV4 = 1,
       COALESCE_IPV6 = 2,
};

/* Joins segments among n packets, a burst, as the VF has received them: their
 * checksums are right as the NIC says, or else as we find. Returns how many packets there are then;
 * those of a stream stay in their order. A joined one looks like a segment that is too long, with
 * the sum of the pseudo header for a checksum, and its mbuf asks for TSO (RTE_MBUF_F_TX_TCP_SEG,
 * the lengths of its headers, tso_segsz): to_guest.h makes the guest's header of that. */
uint16_t coalesce_burst(struct rte_mbuf **pkts, uint16_t n, unsigned versions);

/* Which versions may be joined for a guest that has negotiated these features of virtio's. */
unsigned coalesce_versions(uint64_t features);

static inline bool coalesce_has_joined(const struct rte_mbuf *pkt)
{
	return (pkt->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0;
}

/* Takes a frame apart that coalesce_burst has joined, into the segments that it was made of, each
 * as it was received. segments: room for COALESCE_MBUFS; returns how many there are. */
uint16_t coalesce_undo(struct rte_mbuf *pkt, struct rte_mbuf **segments);

#endif
