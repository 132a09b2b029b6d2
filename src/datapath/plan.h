/* A plan: what one worker polls, immutable once published. Control makes it, the worker walks it,
 * and control frees it when no worker can see it any more (see worker.h).
 */
#ifndef DATAPATH_PLAN_H
#define DATAPATH_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "datapath/end.h"
#include "datapath/lane.h"
#include "offload/header.h"

struct vlan_set;

/* How a lane that receives from the VF gets to know of packets while its worker sleeps. */
enum vf_alarm_kind {
	VF_ALARM_NONE,      /* by looking from time to time */
	VF_ALARM_READABLE,  /* fd is readable as long as there are some */
	VF_ALARM_INTERRUPT, /* fd is written to once, after the interrupt was enabled */
};

struct vf_alarm {
	enum vf_alarm_kind kind;
	int fd; /* the port's, until it is closed; VF_ALARM_NONE: not used */
};

/* A lane with all that the worker needs to know of its two ends while this plan holds. The first
 * cache line is all that an ordinary pass reads. */
struct lane_work {
	unsigned (*run)(const struct lane_work *work);
	struct lane *lane;
	/* Whether the guest has sent nothing, NULL = ask from_guest; vf_to_*: NULL */
	const struct idle_look *look;
	struct guest *guest; /* vf_to_nobody: NULL */
	union {
		guest_receive_fn from_guest; /* vm_to_* */
		guest_send_fn to_guest;      /* vf_to_vm; vf_to_nobody: NULL */
	};
	struct rte_mempool *pool; /* where packets from the guest go; vf_to_*: NULL */
	vf_send_fn to_vf;         /* NULL = rte_eth_tx_burst itself; vf_to_*: NULL */
	uint16_t port_id;         /* vm_to_nobody: not used */
	uint16_t vf_queue;
	uint16_t guest_queue;
	uint16_t max_frame; /* bytes; the longest frame that the VF may send */

	uint64_t stall_cycles; /* LANE_STALL_MS in cycles */
	uint32_t guest_queues; /* bit q: a vf_to_vm lane sends to guest queue q; else 0 */
	uint32_t join;         /* COALESCE_*: whose segments a vf_to_vm lane joins; else 0 */
	/* Where a vm_to_vf lane notes the VLANs of the guest's frames, NULL = nobody asks:
	 * datapath: adds; it outlives the plan */
	struct vlan_set *vlans;
	struct lane_loss
	        *loss; /* *_to_nobody: the cause, among the counters of the lane; else NULL */
	/* Of a vm_to_vf lane whose guest may ask for offloads; else its features are 0 */
	struct header_terms terms;
	struct vf_alarm vf_alarm; /* vf_to_*; vm_to_*: none, their guest has its own */
	bool calls_by_time;       /* has to be run from time to time, whatever comes */
} __rte_cache_aligned;

/* What the worker knows of a lane's alarm; see alarms.h. */
struct lane_alarm {
	uint32_t serial; /* of the guest's descriptor that wakes it, 0 = none */
	bool watched;    /* the VF's descriptor wakes it */
	bool armed;      /* the VF's interrupt is enabled */
	bool awaited;    /* whatever comes by it wakes the worker */
};

/* The worker's own, in a plan that it has; all zeros at first. */
struct plan_alarms {
	bool entered;              /* its descriptors wake nobody for the plan before */
	bool quiet;                /* all lanes were told to be silent while the worker is awake */
	unsigned works;            /* passes that have moved something since they may be loud */
	struct lane_alarm lanes[]; /* [n_works] */
};

struct plan {
	unsigned n_works;
	struct plan_alarms *alarms;
	struct lane_work works[]; /* [n_works] */
};

/* works is copied. NULL + errno. free() ends it, the alarms included. */
struct plan *plan_create(const struct lane_work *works, unsigned n_works);

bool lane_work_equal(const struct lane_work *a, const struct lane_work *b);

#endif
