/* What a lane from a guest has besides when the guest may ask for offloads: the frame that is being
 * cut into segments, which may be more than one pass sends, and those that came behind it and wait
 * until it is done. For the lane's owner only.
 */
#ifndef DATAPATH_CUTTING_H
#define DATAPATH_CUTTING_H

#include <stdbool.h>
#include <stdint.h>

#include "datapath/backlog.h"
#include "datapath/counters.h"
#include "offload/segment.h"

struct cutting {
	struct segmenter segmenter;           /* the frame that is being cut, if any */
	struct rte_mbuf *waiting[LANE_BURST]; /* [next, n): behind it, not judged yet */
	uint16_t next, n;
};

static inline bool cutting_is_done(const struct cutting *cutting)
{
	return cutting->next == cutting->n && segment_is_done(&cutting->segmenter);
}

/* Frames that wait, the one that is being cut included. */
uint32_t cutting_held(const struct cutting *cutting);

/* Takes n <= LANE_BURST frames as they were received, with their headers in front of them (see
 * offload/guest_header.h). What was there before has to be done. */
void cutting_take(struct cutting *cutting, struct rte_mbuf *const *pkts, uint32_t n);

/* Drops what waits, because its target is gone. */
void cutting_drop(struct cutting *cutting, struct lane_counters *counters);

/* Drops what waits, because it has waited too long. Returns how many frames. */
uint32_t cutting_give_up(struct cutting *cutting, struct lane_counters *counters);

#endif
