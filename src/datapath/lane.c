/* A lane's memory and what control may do with a lane that it owns.
 */
#include "datapath/lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/cutting.h"
#include "datapath/flow_hash.h"
#include "datapath/packets.h"

_Static_assert(offsetof(struct lane, counters.dropped_full_pkts) <= 2 * RTE_CACHE_LINE_SIZE,
               "what is counted for each burst is in the first two cache lines");

static int backlog_init(struct backlog *backlog, uint32_t capacity)
{
	if (backlog->slots != NULL)
		return 0;
	backlog->slots = calloc(capacity, sizeof(struct rte_mbuf *));
	if (backlog->slots == NULL)
		return -ENOMEM;
	backlog->mask = capacity - 1;
	return 0;
}

int lane_init(struct lane *lane, unsigned relay_id, enum lane_direction direction, unsigned index)
{
	uint32_t capacity =
	        direction == LANE_VF_TO_VM ? LANE_BACKLOG_VF_TO_VM : LANE_BACKLOG_VM_TO_VF;

	lane->relay_id = (uint8_t)relay_id;
	lane->direction = (uint8_t)direction;
	lane->index = (uint16_t)index;
	return backlog_init(&lane->backlog, capacity);
}

void lane_free(struct lane *lane)
{
	lane_drop_backlog(lane);
	for (unsigned i = 0; lane->spread != NULL && i < GUEST_QUEUES_MAX; i++)
		free(lane->spread->backlogs[i].slots);
	free(lane->spread);
	lane->spread = NULL;
	free(lane->cutting);
	lane->cutting = NULL;
	free(lane->backlog.slots);
	memset(&lane->backlog, 0, sizeof(lane->backlog));
}

uint32_t lane_held(const struct lane *lane)
{
	return lane->backlog.count + (lane->spread != NULL ? lane->spread->held : 0) +
	       (lane->cutting != NULL ? cutting_held(lane->cutting) : 0);
}

/* --- spreading ------------------------------------------------------------------------------- */

int lane_reserve(struct lane *lane, uint32_t queues)
{
	if (lane->spread == NULL)
		lane->spread = calloc(1, sizeof(*lane->spread));
	if (lane->spread == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < GUEST_QUEUES_MAX; i++)
		if ((queues >> i & 1) != 0 &&
		    backlog_init(&lane->spread->backlogs[i], LANE_BACKLOG_VF_TO_VM) < 0)
			return -ENOMEM;
	return 0;
}

int lane_reserve_cutting(struct lane *lane)
{
	if (lane->cutting == NULL)
		lane->cutting = calloc(1, sizeof(*lane->cutting));
	return lane->cutting != NULL ? 0 : -ENOMEM;
}

/* Moves all of a backlog to pkts; returns how many. */
static uint32_t backlog_take(struct backlog *backlog, struct rte_mbuf **pkts)
{
	uint32_t taken = 0;

	while (backlog->count > 0) {
		uint32_t n;
		struct rte_mbuf **front = backlog_front(backlog, &n);

		for (uint32_t i = 0; i < n; i++)
			pkts[taken++] = front[i];
		backlog_pop(backlog, n);
	}
	return taken;
}

void lane_aim(struct lane *lane, uint32_t queues)
{
	struct rte_mbuf *pkts[LANE_BACKLOG_VF_TO_VM]; /* no lane holds more */
	struct lane_spread *spread = lane->spread;
	uint32_t n = backlog_take(&lane->backlog, pkts);
	unsigned n_targets = 0;

	for (unsigned i = 0; spread != NULL && i < GUEST_QUEUES_MAX; i++)
		n += backlog_take(&spread->backlogs[i], &pkts[n]);
	if (spread != NULL)
		spread->held = spread->waiting = 0;
	if (spread == NULL || __builtin_popcount(queues) <= 1) {
		backlog_push(&lane->backlog, pkts, n);
		return;
	}
	for (unsigned i = 0; i < GUEST_QUEUES_MAX; i++)
		if ((queues >> i & 1) != 0)
			spread->targets[n_targets++] = (uint8_t)i;
	spread->n_targets = (uint16_t)n_targets;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t queue = spread->targets[flow_hash_pick(flow_hash(pkts[i]), n_targets)];

		backlog_push(&spread->backlogs[queue], &pkts[i], 1);
		spread->waiting |= 1U << queue;
	}
	spread->held = n;
}

/* --- ends ------------------------------------------------------------------------------------ */

static void drop_all(struct lane *lane, struct backlog *backlog)
{
	while (backlog->count > 0) {
		uint32_t n;
		struct rte_mbuf **pkts = backlog_front(backlog, &n);

		packets_drop_absent(&lane->counters, &lane->counters.absent[ABSENT_LEFT], pkts, n,
		                    packets_bytes(pkts, n));
		backlog_pop(backlog, n);
	}
}

void lane_drop_backlog(struct lane *lane)
{
	struct lane_spread *spread = lane->spread;

	drop_all(lane, &lane->backlog);
	for (unsigned i = 0; spread != NULL && i < GUEST_QUEUES_MAX; i++)
		drop_all(lane, &spread->backlogs[i]);
	if (spread != NULL)
		spread->held = spread->waiting = 0;
	if (lane->cutting != NULL)
		cutting_drop(lane->cutting, &lane->counters);
	lane->stalled_since = 0;
}
