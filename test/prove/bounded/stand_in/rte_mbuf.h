/* In the place of DPDK's: packets of which only the lengths and the places count. An allocation may
 * fail at any time. All mbufs of the pool have the same bytes for their data, since nobody looks at
 * what is in them; a harness may give them others.
 */
#ifndef STAND_IN_RTE_MBUF_H
#define STAND_IN_RTE_MBUF_H

#include "prove.h"

#define RTE_PKTMBUF_HEADROOM 128

struct rte_mbuf {
	uint8_t *buffer; /* [buffer_size] */
	uint32_t buffer_size;
	uint16_t data_off, data_len, nb_segs;
	uint32_t pkt_len;
	struct rte_mbuf *next;
};

struct rte_mempool {
	uint8_t *buffer;
	uint16_t data_room; /* RTE_PKTMBUF_HEADROOM included */
};

static uint32_t prove_allocated, prove_freed; /* mbufs */

#define rte_pktmbuf_mtod_offset(m, type, offset) ((type)((m)->buffer + (m)->data_off + (offset)))
#define rte_pktmbuf_mtod(m, type)                rte_pktmbuf_mtod_offset(m, type, 0)

static inline uint16_t rte_pktmbuf_data_room_size(const struct rte_mempool *pool)
{
	return pool->data_room;
}

static inline uint16_t rte_pktmbuf_tailroom(const struct rte_mbuf *m)
{
	return (uint16_t)(m->buffer_size - m->data_off - m->data_len);
}

static inline struct rte_mbuf *prove_mbuf_take(struct rte_mempool *pool)
{
	struct rte_mbuf *m = any_bytes(sizeof(*m));

	prove_allocated++;
	*m = (struct rte_mbuf){.buffer = pool->buffer,
	                       .buffer_size = pool->data_room,
	                       .data_off = RTE_PKTMBUF_HEADROOM,
	                       .nb_segs = 1};
	return m;
}

static inline struct rte_mbuf *rte_pktmbuf_alloc(struct rte_mempool *pool)
{
	if (nondet_bool())
		return NULL;
	return prove_mbuf_take(pool);
}

static inline int rte_pktmbuf_alloc_bulk(struct rte_mempool *pool, struct rte_mbuf **pkts,
                                         unsigned n)
{
	prove(n <= VIRTQUEUE_BURST, "no more mbufs are asked for than a burst takes");
	if (nondet_bool())
		return -1;
	for (unsigned i = 0; i < n; i++)
		pkts[i] = prove_mbuf_take(pool);
	return 0;
}

static inline void rte_pktmbuf_free(struct rte_mbuf *m)
{
	prove_freed += m->nb_segs;
}

static inline void rte_pktmbuf_free_bulk(struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rte_pktmbuf_free(pkts[i]);
}

#endif
