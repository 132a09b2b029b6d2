/* Which flow a packet belongs to, as a number: what spreads a VF's packets over a guest's queues
 * where the VF cannot. Packets of a flow have the same hash, so they stay in order. Any thread.
 *
 * A flow is: of IPv4 and IPv6 the two addresses, and of TCP, UDP, UDP-Lite, SCTP, DCCP and ESP the
 * protocol and its first four bytes (ports, or the SPI) too; of anything else the two MAC
 * addresses. Up to two VLAN tags are looked through. Every fragment of a datagram hashes like the
 * others, by the addresses alone, since but the first one has no ports.
 *
 * Nothing is believed of a packet: what is cut short, or has more headers than anybody needs, is
 * hashed by as much as could be read within its length.
 */
#ifndef DATAPATH_FLOW_HASH_H
#define DATAPATH_FLOW_HASH_H

#include <stdint.h>

struct rte_mbuf;

/* Bytes from the frame's start that are looked at, however long it is and however many segments
 * it has: so one flow's packets are all read alike. Two tags, an IPv6 header and 194 bytes of
 * extension headers fit. */
#define FLOW_HASH_BYTES 256

/* The hash that the NIC has made already, if it has; else our own of the headers. */
uint32_t flow_hash(const struct rte_mbuf *pkt);

/* Our own, of a frame's first `length` bytes. */
uint32_t flow_hash_frame(const uint8_t *frame, uint32_t length);

/* One of n > 0, each for the same share of all hashes. */
static inline uint32_t flow_hash_pick(uint32_t hash, uint32_t n)
{
	return (uint32_t)(((uint64_t)hash * n) >> 32);
}

#endif
