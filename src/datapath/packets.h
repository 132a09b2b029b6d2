/* What is done with several packets at once. Any thread, for packets of its own.
 */
#ifndef DATAPATH_PACKETS_H
#define DATAPATH_PACKETS_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "datapath/counters.h"

static inline uint64_t packets_bytes(struct rte_mbuf *const *pkts, uint32_t n)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < n; i++)
		bytes += pkts[i]->pkt_len;
	return bytes;
}

static inline void loss_add(struct lane_loss *loss, uint32_t n, uint64_t bytes)
{
	counter_add(&loss->pkts, n);
	counter_add(&loss->bytes, bytes);
}

/* Each of these frees n packets of `bytes` bytes together, and counts them in one of the sums;
 * which cause of that it was is the caller's to say: a member of the same counters. */
static inline void packets_count_full(struct lane_counters *counters, struct lane_loss *cause,
                                      uint32_t n, uint64_t bytes)
{
	loss_add(cause, n, bytes);
	counter_add(&counters->dropped_full_pkts, n);
	counter_add(&counters->dropped_full_bytes, bytes);
}

static inline void packets_drop_full(struct lane_counters *counters, struct lane_loss *cause,
                                     struct rte_mbuf **pkts, uint32_t n, uint64_t bytes)
{
	packets_count_full(counters, cause, n, bytes);
	rte_pktmbuf_free_bulk(pkts, n);
}

static inline void packets_count_absent(struct lane_counters *counters, struct lane_loss *cause,
                                        uint32_t n, uint64_t bytes)
{
	loss_add(cause, n, bytes);
	counter_add(&counters->dropped_absent_pkts, n);
	counter_add(&counters->dropped_absent_bytes, bytes);
}

static inline void packets_drop_absent(struct lane_counters *counters, struct lane_loss *cause,
                                       struct rte_mbuf **pkts, uint32_t n, uint64_t bytes)
{
	packets_count_absent(counters, cause, n, bytes);
	rte_pktmbuf_free_bulk(pkts, n);
}

static inline void packets_drop_invalid(struct lane_counters *counters, struct lane_loss *cause,
                                        struct rte_mbuf *pkt)
{
	loss_add(cause, 1, pkt->pkt_len);
	counter_add(&counters->dropped_invalid_pkts, 1);
	counter_add(&counters->dropped_invalid_bytes, pkt->pkt_len);
	rte_pktmbuf_free_bulk(&pkt, 1);
}

#endif
