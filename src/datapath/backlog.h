/* A lane's backlog: a ring of packets that wait, bounded, in order. For the lane's owner only.
 */
#ifndef DATAPATH_BACKLOG_H
#define DATAPATH_BACKLOG_H

#include <stdint.h>

#include <rte_common.h>

struct rte_mbuf;

#define LANE_BURST 32U /* packets taken from a source at once */

/* Packets that a vf_to_vm lane holds back while the guest posts no buffers; a power of two. Some
 * 17 µs of 64 B line rate at 10 Gbit/s: it bridges a scheduled-out vCPU's wake-up, while longer
 * queues would only add delay. The vm_to_vf direction holds one burst and then leaves the packets
 * where they are, in the guest's own ring. */
#define LANE_BACKLOG_VF_TO_VM 256
#define LANE_BACKLOG_VM_TO_VF LANE_BURST

/* How long a VF queue may refuse everything before its packets are dropped rather than the
 * guest's transmit ring held up. */
#define LANE_STALL_MS 100

/* Packets that wait for room in the target, oldest first. */
struct backlog {
	struct rte_mbuf **slots; /* [mask + 1] */
	uint32_t mask;
	uint32_t head; /* index of the oldest, modulo mask + 1 */
	uint32_t count;
};

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
