/* A lane's memory and what control may do with a lane that it owns.
 */
#include "datapath/lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/backlog.h"
#include "datapath/burst.h"

int lane_init(struct lane *lane, unsigned relay_id, enum lane_direction direction, unsigned index)
{
	uint32_t capacity =
	        direction == LANE_VF_TO_VM ? LANE_BACKLOG_VF_TO_VM : LANE_BACKLOG_VM_TO_VF;

	if (lane->backlog.slots != NULL)
		return 0;
	lane->backlog.slots = calloc(capacity, sizeof(struct rte_mbuf *));
	if (lane->backlog.slots == NULL)
		return -ENOMEM;
	lane->backlog.mask = capacity - 1;
	lane->relay_id = (uint8_t)relay_id;
	lane->direction = (uint8_t)direction;
	lane->index = (uint16_t)index;
	return 0;
}

void lane_free(struct lane *lane)
{
	lane_drop_backlog(lane);
	free(lane->backlog.slots);
	memset(&lane->backlog, 0, sizeof(lane->backlog));
}

void lane_drop_backlog(struct lane *lane)
{
	struct lane_counters *counters = &lane->counters;

	while (lane->backlog.count > 0) {
		uint32_t n;
		struct rte_mbuf **pkts = backlog_front(&lane->backlog, &n);

		burst_drop(pkts, n, &counters->dropped_absent_pkts,
		           &counters->dropped_absent_bytes);
		backlog_pop(&lane->backlog, n);
	}
	lane->stalled_since = 0;
}

void lane_counters_read(const struct lane *lane, struct lane_counters *out)
{
	const uint64_t *from = (const uint64_t *)&lane->counters;
	uint64_t *to = (uint64_t *)out;

	for (size_t i = 0; i < sizeof(*out) / sizeof(*to); i++)
		to[i] = counter_read(&from[i]);
}
