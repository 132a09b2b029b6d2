/* Parsing headers within their bounds, and hashing what makes a flow. See flow_hash.h.
 *
 * Each step reads only what it has checked against the length before. The lengths in the IP headers
 * are not asked: were padding taken for ports, a malformed packet would go by another queue.
 */
#include "datapath/flow_hash.h"

#include <stdbool.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#define MACS_LEN      (2 * RTE_ETHER_ADDR_LEN)
#define TAGS_MAX      2
#define EXTENSION_MAX 8 /* RFC 8200, 4.1: seven, if one has them all */

enum { /* IANA's protocol numbers */
       NEXT_HOP_BY_HOP = 0,
       NEXT_TCP = 6,
       NEXT_UDP = 17,
       NEXT_DCCP = 33,
       NEXT_ROUTING = 43,
       NEXT_ESP = 50,
       NEXT_AH = 51,
       NEXT_DESTINATION = 60,
       NEXT_SCTP = 132,
       NEXT_MOBILITY = 135,
       NEXT_UDPLITE = 136,
       NEXT_HIP = 139,
       NEXT_SHIM6 = 140,
};

static inline uint16_t load16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return rte_be_to_cpu_16(value);
}

static inline uint32_t load32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint64_t load64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* Multiplication carries low bits up, the shift brings high bits down: after two of these each bit
 * of a value has moved every bit that flow_hash_pick looks at. */
static inline uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static inline uint32_t finish(uint64_t hash)
{
	return (uint32_t)(mix(hash, UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}

/* The protocols that have ports, or what stands for them, in their first four bytes. */
static bool has_ports(uint8_t protocol)
{
	switch (protocol) {
	case NEXT_TCP:
	case NEXT_UDP:
	case NEXT_DCCP:
	case NEXT_ESP:
	case NEXT_SCTP:
	case NEXT_UDPLITE:
		return true;
	default:
		return false;
	}
}

static uint64_t mix_ports(uint64_t hash, uint8_t protocol, const uint8_t *at, uint32_t left)
{
	if (!has_ports(protocol) || left < 4)
		return hash;
	return mix(hash, (uint64_t)protocol << 32 | load32(at));
}

static uint64_t hash_ipv4(uint64_t macs, const uint8_t *ip, uint32_t left)
{
	uint32_t header;
	uint64_t hash;

	if (left < 20 || ip[0] >> 4 != 4)
		return macs;
	hash = mix(0, load64(ip + 12));
	header = (ip[0] & 15u) * 4;
	if (header < 20 || left < header)
		return hash;
	if ((load16(ip + 6) & 0x3fff) != 0) /* more fragments, or an offset */
		return hash;
	return mix_ports(hash, ip[9], ip + header, left - header);
}

/* The length of an extension header of which 8 bytes can be read; 0: it is none that leads on to
 * the ports. A fragment's does not, though the first fragment has them. */
static uint32_t extension_length(uint8_t next, const uint8_t *at)
{
	switch (next) {
	case NEXT_HOP_BY_HOP:
	case NEXT_ROUTING:
	case NEXT_DESTINATION:
	case NEXT_MOBILITY:
	case NEXT_HIP:
	case NEXT_SHIM6:
		return (at[1] + 1u) * 8;
	case NEXT_AH:
		return (at[1] + 2u) * 4;
	default:
		return 0;
	}
}

static uint64_t hash_ipv6(uint64_t macs, const uint8_t *ip, uint32_t left)
{
	uint64_t hash = 0;
	uint32_t at = 40;
	uint8_t next;

	if (left < 40 || ip[0] >> 4 != 6)
		return macs;
	for (unsigned i = 8; i < 40; i += 8)
		hash = mix(hash, load64(ip + i));
	next = ip[6];
	for (unsigned i = 0; i <= EXTENSION_MAX; i++) {
		uint32_t length;

		if (has_ports(next))
			return mix_ports(hash, next, ip + at, left - at);
		if (left - at < 8)
			return hash;
		length = extension_length(next, ip + at);
		if (length == 0 || length > left - at)
			return hash;
		next = ip[at];
		at += length;
	}
	return hash;
}

uint32_t flow_hash_frame(const uint8_t *frame, uint32_t length)
{
	uint32_t at = MACS_LEN;
	uint64_t macs;
	uint16_t type;

	if (length < MACS_LEN + 2)
		return 0;
	macs = mix(mix(0, load64(frame)), load32(frame + 8));
	type = load16(frame + at);
	for (unsigned i = 0;
	     i < TAGS_MAX && (type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ ||
	                      type == RTE_ETHER_TYPE_QINQ1);
	     i++) {
		at += 4;
		if (length < at + 2)
			return finish(macs);
		type = load16(frame + at);
	}
	at += 2;
	if (type == RTE_ETHER_TYPE_IPV4)
		return finish(hash_ipv4(macs, frame + at, length - at));
	if (type == RTE_ETHER_TYPE_IPV6)
		return finish(hash_ipv6(macs, frame + at, length - at));
	return finish(macs);
}

/* Copies as much of the segments as there is, `room` bytes at most; returns how many. */
static uint32_t gather(const struct rte_mbuf *segment, uint8_t *out, uint32_t room)
{
	uint32_t length = 0;

	for (; segment != NULL && length < room; segment = segment->next) {
		uint32_t n = RTE_MIN((uint32_t)segment->data_len, room - length);

		memcpy(&out[length], rte_pktmbuf_mtod(segment, const uint8_t *), n);
		length += n;
	}
	return length;
}

uint32_t flow_hash(const struct rte_mbuf *pkt)
{
	uint8_t copy[FLOW_HASH_BYTES];

	/* Not as it is: there are NICs whose hash has 16 bits, and the low ones have chosen the
	 * VF's queue already. */
	if (pkt->ol_flags & RTE_MBUF_F_RX_RSS_HASH)
		return finish(pkt->hash.rss);
	if (likely(pkt->next == NULL || pkt->data_len >= FLOW_HASH_BYTES))
		return flow_hash_frame(rte_pktmbuf_mtod(pkt, const uint8_t *),
		                       RTE_MIN(pkt->data_len, (uint32_t)FLOW_HASH_BYTES));
	uint32_t length = gather(pkt, copy, sizeof(copy));

	return flow_hash_frame(copy, length);
}
