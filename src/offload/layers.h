/* Where the headers of a frame stand, found in the frame's own bytes: Ethernet with up to two tags,
 * IPv4 with options, IPv6 with extension headers, and what comes behind. Nothing is believed of the
 * frame: each field is read only when it lies within the first segment's data. Pure; any thread.
 */
#ifndef OFFLOAD_LAYERS_H
#define OFFLOAD_LAYERS_H

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;

/* Bytes from the frame's start in which all headers have to end: two tags, IPv6 with 354 bytes of
 * extension headers, and the longest TCP header fit. igb takes no more for segmentation, either. */
#define LAYERS_MAX 512U

/* Of Ethernet: two tags. */
#define LAYERS_L2_MAX 22U

enum layers_ip { LAYERS_NO_IP, LAYERS_IPV4, LAYERS_IPV6 };

/* Lengths and offsets are in bytes; offsets count from the frame's start. */
struct layers {
	uint16_t l2_len;  /* Ethernet and its tags; 0: cut short */
	uint16_t l3_len;  /* IP's header with options, or with those extension headers that are
	                   * walked; 0: LAYERS_NO_IP */
	uint16_t l4_len;  /* TCP's header with options, or UDP's; 0: another, or cut short */
	uint8_t ip;       /* enum layers_ip */
	uint8_t protocol; /* IANA's number of what stands behind l3_len */
	bool fragment;    /* of a datagram */
	bool extended;    /* IPv6 has extension headers, walked or not */
	uint32_t ip_says; /* the frame's length as IP's header has it, 0: that says nothing */
	/* IPv6: where a fragment header would go, and the byte that would have to name it. */
	uint16_t fragment_at, next_at;
};

/* Numbers of `protocol` (IANA). */
#define LAYERS_TCP  6
#define LAYERS_UDP  17
#define LAYERS_SCTP 132

/* Fills all of *layers. */
void layers_find(const struct rte_mbuf *pkt, struct layers *layers);

#endif
