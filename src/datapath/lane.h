/* A lane: one direction of one queue of a relay, the unit of work. It is polled by exactly one
 * worker at a time (the one whose published plan names it), and takes its unsent packets and its
 * counters along when it moves. While no published plan names it, control owns all of it.
 */
#ifndef DATAPATH_LANE_H
#define DATAPATH_LANE_H

#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "base/limits.h"
#include "datapath/backlog.h"
#include "datapath/counters.h"

#define LANE_HEARD (UINT64_C(1) << 63) /* above the 48 bits of an address, first byte on top */

/* What a vf_to_vm lane has besides when it spreads packets over several guest queues: a backlog for
 * each, so that one which stalls holds up its own flows only. Together they hold no more than a
 * lane's single backlog would. */
struct lane_spread {
	uint32_t waiting; /* bit q: packets wait for guest queue q */
	uint32_t held;    /* how many, in all backlogs */
	uint16_t n_targets;
	uint8_t targets[GUEST_QUEUES_MAX]; /* [n_targets]: guest queues, ascending */
	/* [guest queue]; LANE_BACKLOG_VF_TO_VM slots each, none before the first use */
	struct backlog backlogs[GUEST_QUEUES_MAX];
};

struct cutting;

/* What a worker touches at each pass that loses nothing is the first two cache lines. */
struct lane {
	uint64_t busy_cycles;   /* spent on packets; datapath: wo, control: ro (relaxed) */
	struct backlog backlog; /* datapath: rw; empty while the lane spreads */
	uint64_t stalled_since; /* datapath: rw; cycles, 0 = the target accepts packets */
	/* vm_to_vf: a source address that the guest has used, LANE_HEARD set; 0 asks for the next
	 * one, else no frame is looked at. datapath: fills a 0, control: reads and zeroes (relaxed)
	 */
	uint64_t heard;
	/* datapath: rw, but for the pointers; NULL = never needed */
	struct lane_spread *spread;
	struct cutting *cutting;       /* see datapath/cutting.h */
	uint8_t relay_id;              /* datapath: ro, control: wo */
	uint8_t direction;             /* enum lane_direction; datapath: ro, control: wo */
	uint16_t index;                /* [0, VF_QUEUES_MAX or GUEST_QUEUES_MAX); likewise */
	struct lane_counters counters; /* datapath: wo, control: ro (relaxed) */
} __rte_cache_aligned;

/* The backlog's memory is allocated at the first use and kept. 0 or -ENOMEM. */
int lane_init(struct lane *lane, unsigned relay_id, enum lane_direction direction, unsigned index);
void lane_free(struct lane *lane);

/* How many packets the lane holds back. For the lane's owner. */
uint32_t lane_held(const struct lane *lane);

/* Makes room to spread over these guest queues (bits), which stays. 0 or -ENOMEM. Control may call
 * it at any time: it touches nothing that a worker uses already. */
int lane_reserve(struct lane *lane, uint32_t queues);

/* Makes room for what a guest may ask for, which stays. 0 or -ENOMEM. Likewise. */
int lane_reserve_cutting(struct lane *lane);

/* Has the lane send to these guest queues from now on, one or several; room is reserved for
 * several. What it holds goes where the packets of its flow will go, so no flow loses its order.
 * For control, while the lane is in no plan. */
void lane_aim(struct lane *lane, uint32_t queues);

/* Drops what the lane still holds, because its target is gone. For the lane's owner. */
void lane_drop_backlog(struct lane *lane);

#endif
