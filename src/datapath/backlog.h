/* The backlog's ring of packets: bounded, in order. For the lane's owner only.
 */
#ifndef DATAPATH_BACKLOG_H
#define DATAPATH_BACKLOG_H

#include "datapath/lane.h"

static inline uint32_t backlog_room(const struct backlog *backlog)
{
	return backlog->mask + 1 - backlog->count;
}

/* The oldest packets that lie next to each other in memory: [0, *n), *n >= 1. count must be > 0. */
static inline struct rte_mbuf **backlog_front(const struct backlog *backlog, uint32_t *n)
{
	uint32_t at = backlog->head & backlog->mask;

	*n = RTE_MIN(backlog->count, backlog->mask + 1 - at);
	return &backlog->slots[at];
}

/* Forgets the n oldest packets, whom somebody else owns now. n <= count. */
static inline void backlog_pop(struct backlog *backlog, uint32_t n)
{
	backlog->head += n;
	backlog->count -= n;
}

/* Takes as many of the n packets as there is room for; returns how many. */
static inline uint32_t backlog_push(struct backlog *backlog, struct rte_mbuf **pkts, uint32_t n)
{
	n = RTE_MIN(n, backlog_room(backlog));
	for (uint32_t i = 0; i < n; i++)
		backlog->slots[(backlog->head + backlog->count + i) & backlog->mask] = pkts[i];
	backlog->count += n;
	return n;
}

#endif
