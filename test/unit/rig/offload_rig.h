/* Frames that ask for offloads, and what has to hold of what is made of them: without EAL and
 * without libcheck, for unit tests and the fuzz target.
 */
#ifndef OFFLOAD_RIG_H
#define OFFLOAD_RIG_H

#include <rte_net.h>

#include "guest_memory_rig.h"
#include "naive_packet.h"
#include "offload/header.h"

#define RIG_OFFLOAD_BYTES 65600U

/* The bytes in mbufs: `first` in the first one, then `others` in each (both > 0, as far as there is
 * room), from any place in the buffer on. */
static inline struct rte_mbuf *rig_mbufs(struct rig_pool *pool, const uint8_t *bytes,
                                         uint32_t length, uint32_t first, uint32_t others)
{
	struct rte_mbuf *pkt = NULL, *last = NULL;

	for (uint32_t at = 0, n; at < length || pkt == NULL; at += n) {
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool->pool);

		rig_expect(mbuf != NULL);
		n = RTE_MIN(length - at, at == 0 ? first : others);
		n = RTE_MIN(n, (uint32_t)rte_pktmbuf_tailroom(mbuf));
		/* At the buffer's end, so that what is read beyond it is seen. */
		mbuf->data_off = (uint16_t)(mbuf->buf_len - n);
		mbuf->data_len = (uint16_t)n;
		memcpy(rte_pktmbuf_mtod(mbuf, void *), bytes + at, n);
		if (pkt == NULL)
			pkt = mbuf;
		else
			last->next = mbuf;
		last = mbuf;
		if (pkt != mbuf)
			pkt->nb_segs++;
		pkt->pkt_len += n;
	}
	return pkt;
}

/* Returns how many bytes there are; the mbufs agree on it. */
static inline uint32_t rig_bytes(const struct rte_mbuf *pkt, uint8_t *bytes)
{
	uint32_t length = 0, n = 0;

	for (const struct rte_mbuf *at = pkt; at != NULL; at = at->next, n++) {
		rig_expect(length + at->data_len <= RIG_OFFLOAD_BYTES);
		rig_expect(at->data_off + at->data_len <= at->buf_len);
		memcpy(bytes + length, rte_pktmbuf_mtod(at, const void *), at->data_len);
		length += at->data_len;
	}
	rig_expect(length == pkt->pkt_len && n == pkt->nb_segs);
	return length;
}

/* What the NIC is asked for is where the frame has it, and DPDK agrees with the request. */
static inline void rig_expect_nic(struct rte_mbuf *pkt, const struct offload *offload)
{
	uint64_t l4 = pkt->ol_flags & RTE_MBUF_F_TX_L4_MASK;

	rig_expect(rte_validate_tx_offload(pkt) == 0);
	rig_expect((pkt->ol_flags & RTE_MBUF_F_TX_IPV4) != 0 ||
	           (pkt->ol_flags & RTE_MBUF_F_TX_IPV6) != 0);
	rig_expect(pkt->l2_len + pkt->l3_len == offload->checksum_start);
	rig_expect(pkt->l2_len + pkt->l3_len + pkt->l4_len <= pkt->data_len);
	rig_expect(l4 == RTE_MBUF_F_TX_TCP_CKSUM ||
	           (l4 == RTE_MBUF_F_TX_UDP_CKSUM) == (offload->layers.protocol == LAYERS_UDP));
}

#endif
