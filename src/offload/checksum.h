/* Checksums in software: what a guest left undone is completed in the frame, whose bytes may lie in
 * several segments and be cut at any of them. For the owner of the frame, whose mbufs nobody
 * shares.
 */
#ifndef OFFLOAD_CHECKSUM_H
#define OFFLOAD_CHECKSUM_H

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;

/* Sums are ones' complement sums of 16-bit words as they stand in memory: on any machine what is
 * stored is what was summed, without a swap. */

/* a + b, neither of them complemented. */
static inline uint16_t checksum_add(uint16_t a, uint16_t b)
{
	uint32_t sum = (uint32_t)a + b;

	return (uint16_t)(sum + (sum >> 16));
}

/* a - b. */
static inline uint16_t checksum_subtract(uint16_t a, uint16_t b)
{
	return checksum_add(a, (uint16_t)~b);
}

/* The sum of the bytes [start, start + length), which the frame has. */
uint16_t checksum_sum(const struct rte_mbuf *pkt, uint32_t start, uint32_t length);

/* Completes a partial checksum (virtio 1.2, 5.1.6.2): sums everything from start to the frame's
 * end, and stores the complement at start + offset. A sum of 0 is stored as 0xffff, which is the
 * same number: only that way it does not mean "none" in UDP's header. false: the field is not in
 * the frame, which is as it was. */
bool checksum_complete(struct rte_mbuf *pkt, uint32_t start, uint32_t offset);

/* SCTP's header from start on gets its CRC32c (RFC 9260, 6.8) of everything to the frame's end.
 * false: the frame is shorter than the header, and is as it was. */
bool checksum_complete_sctp(struct rte_mbuf *pkt, uint32_t start);

#endif
