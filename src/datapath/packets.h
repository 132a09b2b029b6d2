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

/* Frees packets and counts them under one cause. */
static inline void packets_drop(struct rte_mbuf **pkts, uint32_t n, uint64_t *pkts_counter,
                                uint64_t *bytes_counter)
{
	counter_add(pkts_counter, n);
	counter_add(bytes_counter, packets_bytes(pkts, n));
	rte_pktmbuf_free_bulk(pkts, n);
}

#endif
