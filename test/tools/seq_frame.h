/* The frames of seqguest: Ethernet, IPv4, UDP, a probe header with the sequence number, and a
 * pattern up to the frame's end.
 */
#ifndef SEQ_FRAME_H
#define SEQ_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#define FRAME_MAX 9216
#define FRAME_MIN 60

#define PROBE_SEQUENCED 0x5e9u /* accounted for */
#define PROBE_RAW       0x4a5u /* only counted */

/* After the UDP header; a frame of FRAME_MIN bytes just holds it. Host byte order: both ends are
 * this program. */
struct probe {
	uint16_t magic;
	uint16_t sender;
	uint16_t flow;
	uint32_t seq;
	uint32_t sent_us;
	uint16_t length; /* of the frame */
	uint16_t check;  /* of the fields above */
} __attribute__((packed));

#define PROBE_OFFSET (RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr))
#define PROBE_END    (PROBE_OFFSET + sizeof(struct probe))

_Static_assert(PROBE_END <= FRAME_MIN, "a small frame must hold the probe");

static inline uint16_t probe_check(const struct probe *p)
{
	uint32_t x = p->magic ^ (p->sender * 7u) ^ (p->flow * 31u) ^ (p->seq * 2654435761u) ^
	             p->sent_us ^ (p->length * 131u);

	return (uint16_t)(x ^ (x >> 16));
}

static inline uint8_t probe_pattern(const struct probe *p, unsigned at)
{
	return (uint8_t)(p->seq * 17u + p->flow * 5u + at);
}

/* Writes p->length bytes (at least FRAME_MIN) to frame. */
static inline void frame_fill(uint8_t *frame, struct probe *p, const struct rte_ether_addr *from)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)frame;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(eth + 1);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	unsigned ip_length = p->length - (unsigned)sizeof(*eth);

	memset(frame, 0, PROBE_OFFSET);
	eth->dst_addr = (struct rte_ether_addr){{2, 0, 0, 0xff, 0, 1}};
	eth->src_addr = *from;
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->total_length = rte_cpu_to_be_16((uint16_t)ip_length);
	ip->time_to_live = 64;
	ip->next_proto_id = IPPROTO_UDP;
	ip->src_addr = rte_cpu_to_be_32(RTE_IPV4(198, 18, 0, 1));
	ip->dst_addr = rte_cpu_to_be_32(RTE_IPV4(198, 18, 1, 1));
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	udp->src_port = rte_cpu_to_be_16((uint16_t)(10000 + p->flow));
	udp->dst_port = rte_cpu_to_be_16((uint16_t)(20000 + p->flow));
	udp->dgram_len = rte_cpu_to_be_16((uint16_t)(ip_length - sizeof(*ip)));
	p->check = probe_check(p);
	memcpy(frame + PROBE_OFFSET, p, sizeof(*p));
	for (unsigned i = PROBE_END; i < p->length; i++)
		frame[i] = probe_pattern(p, i);
}

/* Is it one of our frames? Then p tells about it. length >= FRAME_MIN. */
static inline bool frame_probe(const uint8_t *frame, struct probe *p)
{
	memcpy(p, frame + PROBE_OFFSET, sizeof(*p));
	return (p->magic == PROBE_SEQUENCED || p->magic == PROBE_RAW) && p->check == probe_check(p);
}

static inline bool frame_intact(const uint8_t *frame, unsigned length, const struct probe *p)
{
	if (p->length != length)
		return false;
	for (unsigned i = PROBE_END; i < length; i++)
		if (frame[i] != probe_pattern(p, i))
			return false;
	return true;
}

#endif
