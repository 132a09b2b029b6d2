/* Finding headers. See layers.h. */
#include "offload/layers.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#define TAGS_MAX 2

/* As many as RFC 8200, 4.1 recommends, if a packet has all of them, and some more. */
#define EXTENSIONS_MAX 8

enum { /* IANA's numbers of IPv6's extension headers */
       NEXT_HOP_BY_HOP = 0,
       NEXT_ROUTING = 43,
       NEXT_FRAGMENT = 44,
       NEXT_AH = 51,
       NEXT_DESTINATION = 60,
       NEXT_MOBILITY = 135,
       NEXT_HIP = 139,
       NEXT_SHIM6 = 140,
};

/* What can be read of a frame. */
struct view {
	const uint8_t *at;
	uint32_t length;
};

static inline bool has(const struct view *view, uint32_t at, uint32_t n)
{
	return at + n <= view->length;
}

static inline uint16_t load16(const struct view *view, uint32_t at)
{
	return (uint16_t)(view->at[at] << 8 | view->at[at + 1]);
}

/* The type of what stands behind the tags; 0: cut short. */
static uint16_t find_ethernet(const struct view *view, struct layers *layers)
{
	uint32_t at = RTE_ETHER_HDR_LEN;
	uint16_t type;

	if (!has(view, 0, at))
		return 0;
	type = load16(view, at - 2);
	for (unsigned i = 0;
	     i < TAGS_MAX && (type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ ||
	                      type == RTE_ETHER_TYPE_QINQ1);
	     i++) {
		if (!has(view, at, RTE_VLAN_HLEN))
			return 0;
		type = load16(view, at + 2);
		at += RTE_VLAN_HLEN;
	}
	layers->l2_len = (uint16_t)at;
	return type;
}

static bool find_ipv4(const struct view *view, struct layers *layers)
{
	uint32_t at = layers->l2_len, header, total;

	if (!has(view, at, sizeof(struct rte_ipv4_hdr)) || view->at[at] >> 4 != 4)
		return false;
	header = (view->at[at] & 15U) * 4;
	if (header < sizeof(struct rte_ipv4_hdr) || !has(view, at, header))
		return false;
	total = load16(view, at + offsetof(struct rte_ipv4_hdr, total_length));
	layers->ip = LAYERS_IPV4;
	layers->l3_len = (uint16_t)header;
	layers->protocol = view->at[at + offsetof(struct rte_ipv4_hdr, next_proto_id)];
	layers->fragment = (load16(view, at + offsetof(struct rte_ipv4_hdr, fragment_offset)) &
	                    (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0;
	layers->ip_says = total > 0 ? at + total : 0;
	return true;
}

static bool is_extension(uint8_t next)
{
	return next == NEXT_HOP_BY_HOP || next == NEXT_ROUTING || next == NEXT_FRAGMENT ||
	       next == NEXT_AH || next == NEXT_DESTINATION || next == NEXT_MOBILITY ||
	       next == NEXT_HIP || next == NEXT_SHIM6;
}

/* Walks the extension headers behind which there may be something to cut: those that a fragment
 * header has a place among. Behind the others `protocol` names the one that stopped us. */
static void walk_extensions(const struct view *view, struct layers *layers)
{
	uint32_t at = layers->l2_len + (uint32_t)sizeof(struct rte_ipv6_hdr);
	uint8_t next = layers->protocol;

	for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
		uint32_t length;

		if (next != NEXT_HOP_BY_HOP && next != NEXT_ROUTING && next != NEXT_DESTINATION)
			break;
		if (!has(view, at, 8))
			break;
		length = (view->at[at + 1] + 1U) * 8;
		if (!has(view, at, length))
			break;
		/* What each router has to see stays in front (RFC 8200, 4.5). */
		if (next != NEXT_DESTINATION) {
			layers->fragment_at = (uint16_t)(at + length);
			layers->next_at = (uint16_t)at;
		}
		next = view->at[at];
		at += length;
	}
	layers->protocol = next;
	layers->fragment = next == NEXT_FRAGMENT;
	layers->l3_len = (uint16_t)(at - layers->l2_len);
}

static bool find_ipv6(const struct view *view, struct layers *layers)
{
	uint32_t at = layers->l2_len, payload;

	if (!has(view, at, sizeof(struct rte_ipv6_hdr)) || view->at[at] >> 4 != 6)
		return false;
	payload = load16(view, at + offsetof(struct rte_ipv6_hdr, payload_len));
	layers->ip = LAYERS_IPV6;
	layers->l3_len = sizeof(struct rte_ipv6_hdr);
	layers->next_at = (uint16_t)(at + offsetof(struct rte_ipv6_hdr, proto));
	layers->fragment_at = (uint16_t)(at + sizeof(struct rte_ipv6_hdr));
	layers->protocol = view->at[layers->next_at];
	layers->ip_says = payload > 0 ? at + (uint32_t)sizeof(struct rte_ipv6_hdr) + payload : 0;
	layers->extended = is_extension(layers->protocol);
	if (layers->extended)
		walk_extensions(view, layers);
	return true;
}

static void find_l4(const struct view *view, struct layers *layers)
{
	uint32_t at = layers->l2_len + layers->l3_len, length = 0;

	if (layers->fragment)
		return;
	if (layers->protocol == LAYERS_UDP)
		length = sizeof(struct rte_udp_hdr);
	else if (layers->protocol == LAYERS_TCP && has(view, at, sizeof(struct rte_tcp_hdr)))
		length = (view->at[at + offsetof(struct rte_tcp_hdr, data_off)] >> 4) * 4U;
	if (length == 0 || !has(view, at, length) ||
	    (layers->protocol == LAYERS_TCP && length < sizeof(struct rte_tcp_hdr)))
		return;
	layers->l4_len = (uint16_t)length;
}

void layers_find(const struct rte_mbuf *pkt, struct layers *layers)
{
	struct view view = {.at = rte_pktmbuf_mtod(pkt, const uint8_t *),
	                    .length = RTE_MIN(rte_pktmbuf_data_len(pkt), LAYERS_MAX)};
	bool found = false;
	uint16_t type;

	memset(layers, 0, sizeof(*layers));
	type = find_ethernet(&view, layers);
	if (type == RTE_ETHER_TYPE_IPV4)
		found = find_ipv4(&view, layers);
	else if (type == RTE_ETHER_TYPE_IPV6)
		found = find_ipv6(&view, layers);
	if (found)
		find_l4(&view, layers);
}
