/* What the balancer's parts share; private to this folder. The snapshot becomes groups (what moves
 * as one) on seats (workers) of cores; the search moves groups about and asks how hot cores get.
 *
 * Loads are in millionths of a CPU, at a seat divided by its capacity. A core's heat is its whole
 * load and once more that of its busiest seat: twice the pressure of its busiest worker, and with
 * half a sibling's load counting, a whole number.
 */
#ifndef BALANCER_MODEL_H
#define BALANCER_MODEL_H

#include <stdalign.h>

#include "balancer/snapshot.h"

#define NONE       (-1) /* no seat, group or core */
#define MODEL_KEYS (RELAYS_MAX * 2 * BALANCER_GROUPS_MAX)

_Static_assert(BALANCER_NODES_MAX <= 32, "a NUMA node has its bit in a 32-bit word");
_Static_assert(BALANCER_WORKERS_MAX <= INT16_MAX, "a seat's number fits 16 bits");
_Static_assert(MODEL_KEYS <= INT16_MAX, "a group's number fits 16 bits");
_Static_assert(GUEST_QUEUES_MAX <= BALANCER_GROUPS_MAX && VF_QUEUES_MAX <= BALANCER_GROUPS_MAX,
               "each queue that a relay's direction may send to has a group");

struct group {
	uint64_t noise_squared;
	uint32_t weight;  /* its load at home, on a whole CPU; orders groups */
	uint32_t home;    /* the node slots where it costs least: a bit each */
	uint32_t nodes;   /* the slots where it may be in this round */
	int16_t pin;      /* seat or NONE */
	int16_t start;    /* its seat in the snapshot, or its pin's; NONE if it is new */
	int16_t origin;   /* its seat before anything is made more even */
	int16_t seat;     /* as planned; NONE while not placed */
	int16_t next;     /* on its seat, the heaviest first; pinned groups are on no such list */
	uint16_t n_lanes; /* at least 1 */
	uint8_t reason;   /* enum balancer_reason, once it has moved */
};

struct seat {
	uint64_t load;        /* of the groups on it, pinned ones too */
	uint64_t load_before; /* when its domain's turn came */
	uint32_t slowness;    /* SLOWNESS_ONE for a whole CPU, more for less */
	int16_t first;        /* group that may move */
	int16_t core;
	int16_t next_in_core;
	uint16_t n_lanes;
	uint8_t slot; /* of its NUMA node */
	int16_t kind; /* seats of one kind are on one node, and equally fast */
};

#define SLOWNESS_ONE 65536u

struct core {
	uint64_t load; /* of its seats */
	uint64_t heat;
	int16_t first; /* seat */
	uint16_t n_seats;
	uint16_t n_lanes;
	uint8_t domain;
	bool aside; /* no move relieves it: the others are judged without it */
};

/* Cores between which groups may move. */
struct domain {
	uint32_t nodes;               /* slots */
	uint16_t first_core, n_cores; /* in core_list */
	uint16_t first_seat, n_seats; /* in seat_list */
	bool done;                    /* it has had its turn in this round */
};

/* One move of the search; moves up to and including a `last` one belong together. */
struct step {
	int16_t group, to;
	bool last;
};

/* Core heats in falling order, and what it takes to judge them. */
struct ranked {
	uint64_t heat;
	uint64_t load;     /* not divided by capacity */
	uint64_t capacity; /* load that it holds per unit of heat, in millionths */
	int16_t core;
};

/* All arrays are in `memory`: see balancer_create. */
struct balancer {
	unsigned lanes_max, workers_max;
	const struct balancer_snapshot *snapshot; /* of the call under way */

	unsigned n_groups, n_seats, n_kinds, n_cores, n_slots, n_domains;
	struct group *groups; /* [lanes_max] */
	int16_t *group_of;    /* [lanes_max]: by lane */
	uint32_t *cost;    /* [lanes_max * n_slots]: by group and slot, on a whole CPU; room for all
	                      slots */
	int16_t *order[2]; /* [lanes_max]: groups, the heaviest first; and scratch */
	int16_t *by_key;   /* [MODEL_KEYS]: groups by relay, direction and number */
	struct seat *seats;             /* [workers_max] */
	struct core *cores;             /* [workers_max] */
	int16_t *core_list, *seat_list; /* [workers_max]: by domain */
	int16_t *coolest;               /* [workers_max]: scratch: seats by kind */
	struct ranked *before, *after;  /* [workers_max] */
	struct domain domains[BALANCER_NODES_MAX];
	int16_t slot_node[BALANCER_NODES_MAX];
	const struct balancer_lane *remote_of; /* whose remote_pct is known */
	unsigned remote_pct[BALANCER_NODES_MAX];

	struct step *steps; /* [steps_max]: of the domain under way */
	unsigned n_steps, steps_max;
	unsigned moves_left; /* lanes that this round may still move */
	unsigned work;       /* groups and arrangements looked at */
	unsigned work_max;   /* for the domain under way */

	int16_t *workers;            /* [lanes_max]: the results */
	struct balancer_move *moves; /* [lanes_max] */
	uint64_t *pressure_before;   /* [workers_max] */
	uint64_t *noise;             /* [workers_max]: scratch */
	bool quiet;                  /* there is nothing new to judge */
	struct balancer_verdict verdicts[BALANCER_NODES_MAX];
	unsigned n_moves, n_verdicts;

	alignas(max_align_t) char memory[];
};

/* Reads the snapshot. Groups sit where their pin says or where their first placed lane is, or
 * nowhere. 0 or -EINVAL. */
int model_build(struct balancer *b, const struct balancer_snapshot *snapshot);
/* Divides the cores into domains; groups' `nodes` must be set. */
void model_split(struct balancer *b);
/* Puts a group on a seat, from wherever it is (NONE: from nowhere). */
void model_move(struct balancer *b, int group, int seat);
/* The heat that the core would have with that much more (less) load on one or two of its seats;
 * the second seat may be NONE. */
uint64_t model_heat_if(const struct balancer *b, int core, int seat, int64_t more, int seat2,
                       int64_t more2);
/* The heat that the hottest of the domain's cores, those aside not counted, has at least however
 * well things are spread: a lower bound. */
uint64_t model_fair_heat(const struct balancer *b, const struct domain *domain);
/* The hottest core of a domain that is not aside; NONE if all are. */
int model_hottest(const struct balancer *b, const struct domain *domain);
/* The cores of a domain, the hottest first. */
void model_rank(const struct balancer *b, const struct domain *domain, struct ranked *ranked);
/* How many of the domain's lanes are not where they were. */
unsigned model_moved_lanes(const struct balancer *b, const struct domain *domain);

/* A group's load on that seat. */
static inline uint64_t model_cost(const struct balancer *b, int group, int seat)
{
	const struct seat *s = &b->seats[seat];
	uint64_t cost = b->cost[(size_t)group * b->n_slots + s->slot];

	return cost * s->slowness / SLOWNESS_ONE;
}

/* Whether the group may be on that seat in this round. */
static inline bool model_allowed(const struct balancer *b, int group, int seat)
{
	return b->groups[group].nodes >> b->seats[seat].slot & 1;
}

static inline uint64_t model_heat(const struct balancer *b, int core)
{
	return b->cores[core].heat;
}

/* Twice the pressure on a seat: comparable with a core's heat. */
static inline uint64_t model_seat_heat(const struct balancer *b, int seat)
{
	return b->seats[seat].load + b->cores[b->seats[seat].core].load;
}

/* Whether the group is in that domain, and not where it was when the domain's turn came. */
static inline bool model_has_moved(const struct balancer *b, const struct domain *domain, int group)
{
	const struct group *g = &b->groups[group];

	return g->seat != g->origin &&
	       &b->domains[b->cores[b->seats[g->seat].core].domain] == domain;
}

#endif
