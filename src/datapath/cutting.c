/* See cutting.h. The lane's owner only. */
#include "datapath/cutting.h"

#include "datapath/packets.h"

uint32_t cutting_held(const struct cutting *cutting)
{
	return (uint32_t)(cutting->n - cutting->next) + !segment_is_done(&cutting->segmenter);
}

void cutting_take(struct cutting *cutting, struct rte_mbuf *const *pkts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		cutting->waiting[i] = pkts[i];
	cutting->next = 0;
	cutting->n = (uint16_t)n;
}

void cutting_drop(struct cutting *cutting, struct lane_counters *counters)
{
	struct lane_loss *cause = &counters->absent[ABSENT_LEFT];
	uint32_t left = cutting->n - cutting->next;

	if (left > 0)
		packets_drop_absent(counters, cause, cutting->waiting + cutting->next, left,
		                    packets_bytes(cutting->waiting + cutting->next, left));
	cutting->next = cutting->n = 0;
	if (segment_is_done(&cutting->segmenter))
		return;
	packets_count_absent(counters, cause, 1, segment_drop(&cutting->segmenter));
}

uint32_t cutting_give_up(struct cutting *cutting, struct lane_counters *counters)
{
	struct rte_mbuf **pkts = cutting->waiting + cutting->next;
	uint32_t left = cutting->n - cutting->next, held = cutting_held(cutting);

	packets_drop_full(counters, &counters->no_room, pkts, left, packets_bytes(pkts, left));
	cutting->next = cutting->n = 0;
	if (held > left)
		packets_count_full(counters, &counters->no_room, 1,
		                   segment_drop(&cutting->segmenter));
	return held;
}
