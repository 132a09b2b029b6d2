/* What the balancer is asked, and what it answers: see balancer.h.
 */
#ifndef BALANCER_SNAPSHOT_H
#define BALANCER_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

#define BALANCER_FULL        1000000u /* load of a CPU that is never idle; capacity of a whole one */
#define BALANCER_NOWHERE     (-1)     /* no worker: not placed, not pinned */
#define BALANCER_ANY_NODE    (-1)     /* node unknown, or none is nearer */
#define BALANCER_OWN_CORE    (-1)     /* a worker without siblings */
#define BALANCER_NODES_MAX   32       /* NUMA nodes that have workers */
#define BALANCER_WORKERS_MAX 1024
#define BALANCER_GROUPS_MAX  32      /* groups of one relay's direction: its target queues */
#define BALANCER_SPILL_AT    900000u /* defaults of struct balancer_settings */
#define BALANCER_SPILL_IDLE  500000u
#define BALANCER_RETURN_AT   700000u
#define BALANCER_SENSITIVITY 0.25

struct balancer_lane {
	uint8_t relay;     /* [0, RELAYS_MAX) */
	uint8_t direction; /* 0 vf_to_vm, 1 vm_to_vf: enum lane_direction */
	uint8_t index;     /* the lane's number in its relay's direction, for texts */
	uint8_t group;     /* [0, BALANCER_GROUPS_MAX): the queue that it sends to */
	int16_t worker;    /* index of the one that polls it, or BALANCER_NOWHERE */
	int16_t pin;       /* likewise; the same for all lanes of a group */
	int16_t vf_node, pool_node, guest_node; /* or BALANCER_ANY_NODE */
	uint32_t load;  /* busy share of a whole CPU, as measured on `worker` */
	uint32_t noise; /* how much the load varies by itself: see balancer_meter_add; 0 = exact */
};

_Static_assert(RELAYS_MAX <= UINT8_MAX + 1, "a relay's id fits 8 bits");

struct balancer_worker {
	int16_t node;      /* or BALANCER_ANY_NODE */
	int16_t core;      /* workers with the same number are siblings; or BALANCER_OWN_CORE */
	uint16_t lcore;    /* for texts */
	uint32_t capacity; /* BALANCER_FULL, less for one that shares its CPU; at least a 100th */
};

struct balancer_settings {
	double sensitivity;   /* [0, 1]: share of the excess that a round has to take away */
	bool global_numa_opt; /* any node will do: a remote one at its price */
	bool pack;            /* have what is nearly idle share few workers, so that others sleep */
	bool spill_over;      /* let groups leave a saturated node, by these marks: */
	uint32_t spill_at;    /* a worker is saturated from here on */
	uint32_t spill_idle;  /* a remote worker is idle up to here */
	uint32_t return_at;   /* a group comes home if its worker there stays below this */
	unsigned moves_max;   /* lanes per round; 0 = balancer_default_moves() */
};

/* What a round that moved nothing leaves behind: as long as no worker's load differs from then by
 * more than its noise, the next ones do not judge the same again, lest jitter should tip it some
 * day. The caller's, zeroed at first; the balancer's while a round runs. */
struct balancer_memory {
	uint64_t signature; /* of all but the loads; 0 = nothing is remembered */
	double noise;       /* of all lanes, squared: what was lost in it may stand out later */
	unsigned calm;      /* rounds since a worker was so busy that lanes had to be spread */
	uint32_t load[BALANCER_WORKERS_MAX];
};

struct balancer_snapshot {
	const struct balancer_lane *lanes;
	unsigned n_lanes;
	const struct balancer_worker *workers;
	unsigned n_workers;
	struct balancer_settings settings;
	struct balancer_memory *memory; /* or NULL: judge in any case, as for a dry run */
};

enum balancer_reason {
	BALANCER_NEW,     /* was on no worker */
	BALANCER_PIN,     /* its pin says so */
	BALANCER_JOIN,    /* to the worker of its group */
	BALANCER_HOME,    /* back to its NUMA node, where there is room */
	BALANCER_RELIEVE, /* from a worker that has too much */
	BALANCER_ROOM,    /* the other way: makes room for one that relieves */
	BALANCER_PACK,    /* so that the core that it leaves has nothing to do */
	BALANCER_SPILL,   /* all workers of its node are saturated, and this one is idle */
};

struct balancer_move {
	uint16_t lane; /* index in the snapshot */
	int16_t from;  /* BALANCER_NOWHERE if it was on none */
	int16_t to;
	enum balancer_reason reason;
	uint32_t load;             /* its load there, as a share of a whole CPU */
	uint32_t pressure_from[2]; /* of `from`, before and after the round; 0 if on none */
	uint32_t pressure_to[2];   /* of `to`, likewise */
	uint16_t remote_from_pct;  /* what remote memory costs it, in per cent of its load */
	uint16_t remote_to_pct;
};

enum balancer_outcome {
	BALANCER_QUIET,     /* no load has changed by more than its noise since the last look */
	BALANCER_EVEN,      /* so near to the best that nothing was looked for */
	BALANCER_STUCK,     /* nothing that may move would help */
	BALANCER_TOO_SMALL, /* the gain is below the sensitivity's share of the excess */
	BALANCER_NOISE,     /* the gain is no more than the loads' own ups and downs */
	BALANCER_MOVED,     /* carried out */
	BALANCER_PARTLY,    /* as much of it as one round may move */
	BALANCER_PACKED,    /* cores were emptied */
	BALANCER_DENSE,     /* no core can be emptied without filling the others too much */
	BALANCER_WAITS,     /* was busy not long ago: cores are not emptied yet */
};

/* What was found in one domain. Pressures are shares of a worker, siblings' half included. */
struct balancer_verdict {
	enum balancer_outcome outcome;
	int16_t node;    /* or BALANCER_ANY_NODE: several */
	int16_t busiest; /* the busiest worker that can be relieved */
	uint32_t before; /* its pressure */
	uint32_t after; /* the busiest one's after all the moves that were found, carried out or not
	                 */
	uint32_t mean;  /* if it were spread evenly */
	uint32_t needed; /* the least gain for which a round is carried out */
	unsigned found;  /* lanes to move for it */
};

/* Valid until the next call on the same balancer. */
struct balancer_result {
	const int16_t *workers; /* [n_lanes]: where each lane shall be */
	const struct balancer_move *moves;
	unsigned n_moves;
	const struct balancer_verdict *verdicts; /* none from balancer_place */
	unsigned n_verdicts;
	unsigned work; /* candidates looked at: what the time was spent on */
};

/* What remote memory costs the lane on a worker of that node, in per cent of its load at home. */
unsigned balancer_remote_pct(const struct balancer_lane *lane, int node);

#endif
