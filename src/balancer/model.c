/* Builds the balancer's picture of a snapshot, moves groups about in it, and tells how hot that
 * makes the cores.
 */
#include "balancer/model.h"

#include <errno.h>
#include <string.h>

/* --- seats --------------------------------------------------------------------------------- */

static int find_slot(struct balancer *b, int16_t node)
{
	for (unsigned i = 0; i < b->n_slots; i++)
		if (b->slot_node[i] == node)
			return (int)i;
	if (b->n_slots == BALANCER_NODES_MAX)
		return -EINVAL;
	b->slot_node[b->n_slots] = node;
	return (int)b->n_slots++;
}

static int add_seat(struct balancer *b, unsigned index)
{
	const struct balancer_worker *workers = b->snapshot->workers;
	const struct balancer_worker *worker = &workers[index];
	struct seat *seat = &b->seats[index];
	struct core *core;
	int slot = find_slot(b, worker->node);

	if (slot < 0 || worker->capacity < BALANCER_FULL / 100 ||
	    worker->capacity > BALANCER_FULL * 100 || worker->core < BALANCER_OWN_CORE)
		return -EINVAL;
	*seat = (struct seat){
	        .slowness = (uint32_t)((uint64_t)SLOWNESS_ONE * BALANCER_FULL / worker->capacity),
	        .first = NONE,
	        .core = NONE,
	        .kind = NONE,
	        .next_in_core = NONE,
	        .slot = (uint8_t)slot};
	/* Siblings are on one node whatever the snapshot says: it could not be otherwise. */
	for (unsigned i = 0; i < index && worker->core != BALANCER_OWN_CORE; i++)
		if (workers[i].core == worker->core && workers[i].node == worker->node)
			seat->core = b->seats[i].core;
	for (unsigned i = 0; i < index && seat->kind == NONE; i++)
		if (b->seats[i].slot == seat->slot && b->seats[i].slowness == seat->slowness)
			seat->kind = b->seats[i].kind;
	if (seat->kind == NONE)
		seat->kind = (int16_t)b->n_kinds++;
	if (seat->core == NONE) {
		seat->core = (int16_t)b->n_cores;
		b->cores[b->n_cores++] = (struct core){.first = NONE};
	}
	core = &b->cores[seat->core];
	seat->next_in_core = core->first;
	core->first = (int16_t)index;
	core->n_seats++;
	return 0;
}

/* --- groups -------------------------------------------------------------------------------- */

static bool lane_is_sound(const struct balancer *b, const struct balancer_lane *lane)
{
	int n_workers = (int)b->snapshot->n_workers;

	return lane->relay < RELAYS_MAX && lane->direction < 2 &&
	       lane->group < BALANCER_GROUPS_MAX && lane->worker >= BALANCER_NOWHERE &&
	       lane->worker < n_workers && lane->pin >= BALANCER_NOWHERE && lane->pin < n_workers;
}

/* Finds what the lane costs on each node. Neighbouring lanes mostly have the same nodes, so that
 * the last answer often still holds. */
static void find_remote_pct(struct balancer *b, const struct balancer_lane *lane)
{
	const struct balancer_lane *last = b->remote_of;

	if (last != NULL && last->vf_node == lane->vf_node && last->pool_node == lane->pool_node &&
	    last->guest_node == lane->guest_node)
		return;
	b->remote_of = lane;
	for (unsigned slot = 0; slot < b->n_slots; slot++)
		b->remote_pct[slot] = balancer_remote_pct(lane, b->slot_node[slot]);
}

static void add_load(struct balancer *b, int group, const struct balancer_lane *lane)
{
	uint64_t load = lane->load < BALANCER_FULL ? lane->load : BALANCER_FULL;
	uint64_t noise = lane->noise < BALANCER_FULL ? lane->noise : BALANCER_FULL;
	uint32_t *cost = &b->cost[(size_t)group * b->n_slots];

	find_remote_pct(b, lane);
	if (lane->worker != BALANCER_NOWHERE)
		load = load * 100 / (100 + b->remote_pct[b->seats[lane->worker].slot]);
	for (unsigned slot = 0; slot < b->n_slots; slot++)
		cost[slot] += (uint32_t)(load * (100 + b->remote_pct[slot]) / 100);
	b->groups[group].noise_squared += noise * noise;
}

static int add_lane(struct balancer *b, unsigned index)
{
	const struct balancer_lane *lane = &b->snapshot->lanes[index];
	struct group *group;
	int16_t *known;

	if (!lane_is_sound(b, lane))
		return -EINVAL;
	known = &b->by_key[(lane->relay * 2u + lane->direction) * BALANCER_GROUPS_MAX +
	                   lane->group];
	if (*known == NONE) {
		*known = (int16_t)b->n_groups;
		b->groups[b->n_groups] =
		        (struct group){.pin = lane->pin, .seat = NONE, .next = NONE};
		memset(&b->cost[(size_t)b->n_groups * b->n_slots], 0,
		       b->n_slots * sizeof(*b->cost));
		b->n_groups++;
	}
	group = &b->groups[*known];
	if (group->pin != lane->pin)
		return -EINVAL;
	if (group->seat == NONE)
		group->seat = lane->worker;
	group->n_lanes++;
	b->group_of[index] = *known;
	add_load(b, *known, lane);
	return 0;
}

/* A group's home is where remote memory costs it least. That goes by its first lane's nodes, not by
 * the costs, which may all be 0. */
static void find_home(struct balancer *b, int index, const struct balancer_lane *lane)
{
	struct group *group = &b->groups[index];
	unsigned least = UINT32_MAX;

	if (group->home != 0)
		return;
	find_remote_pct(b, lane);
	for (unsigned slot = 0; slot < b->n_slots; slot++) {
		unsigned pct = b->remote_pct[slot];

		if (pct < least) {
			least = pct;
			group->home = 0;
			group->weight = b->cost[(size_t)index * b->n_slots + slot];
		}
		if (pct == least)
			group->home |= 1u << slot;
	}
}

/* The heavier group goes first, and of two that weigh the same the one with the lower number: so
 * the order does not depend on how groups came to be where they are. */
static bool goes_first(const struct balancer *b, int group, int other)
{
	uint32_t weight = b->groups[group].weight, than = b->groups[other].weight;

	return weight > than || (weight == than && group < other);
}

/* Sorts all groups into order[0], the heaviest first: a merge sort. */
static void sort_groups(struct balancer *b)
{
	for (unsigned i = 0; i < b->n_groups; i++)
		b->order[0][i] = (int16_t)i;
	for (unsigned width = 1; width < b->n_groups; width *= 2) {
		int16_t *from = b->order[0], *to = b->order[1];

		for (unsigned start = 0; start < b->n_groups; start += 2 * width) {
			unsigned i = start, end = start + 2 * width, at = start;
			unsigned middle = start + width, j;

			middle = middle < b->n_groups ? middle : b->n_groups;
			end = end < b->n_groups ? end : b->n_groups;
			for (j = middle; at < end; at++)
				to[at] = j == end || (i < middle && goes_first(b, from[i], from[j]))
				                 ? from[i++]
				                 : from[j++];
		}
		b->order[0] = to;
		b->order[1] = from;
	}
}

int model_build(struct balancer *b, const struct balancer_snapshot *snapshot)
{
	const struct balancer_settings *settings = &snapshot->settings;

	b->snapshot = snapshot;
	b->remote_of = NULL;
	b->n_groups = b->n_seats = b->n_kinds = b->n_cores = b->n_slots = b->n_domains = 0;
	b->n_moves = b->n_verdicts = b->work = 0;
	if (snapshot->n_lanes > b->lanes_max || snapshot->n_workers > b->workers_max ||
	    snapshot->n_workers == 0 || !(settings->sensitivity >= 0 && settings->sensitivity <= 1))
		return -EINVAL;
	for (unsigned i = 0; i < snapshot->n_workers; i++)
		if (add_seat(b, i) < 0)
			return -EINVAL;
	b->n_seats = snapshot->n_workers;
	memset(b->by_key, 0xff, sizeof(*b->by_key) * MODEL_KEYS);
	for (unsigned i = 0; i < snapshot->n_lanes; i++)
		if (add_lane(b, i) < 0)
			return -EINVAL;
	for (unsigned i = 0; i < snapshot->n_lanes; i++)
		find_home(b, b->group_of[i], &snapshot->lanes[i]);
	sort_groups(b);
	/* The lightest first: each goes to the head of its seat's list. */
	for (unsigned i = b->n_groups; i-- > 0;) {
		struct group *group = &b->groups[b->order[0][i]];
		int16_t seat = group->pin != BALANCER_NOWHERE ? group->pin : group->seat;

		group->seat = NONE;
		group->nodes = group->home;
		if (seat != NONE)
			model_move(b, b->order[0][i], seat);
		group->origin = seat;
	}
	return 0;
}

/* --- moving -------------------------------------------------------------------------------- */

static void list_remove(struct balancer *b, int group)
{
	int16_t *link = &b->seats[b->groups[group].seat].first;

	while (*link != group)
		link = &b->groups[*link].next;
	*link = b->groups[group].next;
}

static void list_insert(struct balancer *b, int group)
{
	int16_t *link = &b->seats[b->groups[group].seat].first;

	while (*link != NONE && goes_first(b, *link, group))
		link = &b->groups[*link].next;
	b->groups[group].next = *link;
	*link = (int16_t)group;
}

static void seat_add(struct balancer *b, int seat, uint64_t load, unsigned n_lanes)
{
	int index = b->seats[seat].core;
	struct core *core = &b->cores[index];

	b->seats[seat].load += load;
	core->load += load;
	b->seats[seat].n_lanes = (uint16_t)(b->seats[seat].n_lanes + n_lanes);
	core->n_lanes = (uint16_t)(core->n_lanes + n_lanes);
	core->heat = model_heat_if(b, index, NONE, 0, NONE, 0);
}

void model_move(struct balancer *b, int index, int seat)
{
	struct group *group = &b->groups[index];
	bool may_move = group->pin == BALANCER_NOWHERE;

	if (group->seat != NONE) {
		/* Unsigned arithmetic: adding the complement takes away. */
		seat_add(b, group->seat, 0 - model_cost(b, index, group->seat),
		         0u - group->n_lanes);
		if (may_move)
			list_remove(b, index);
	}
	group->seat = (int16_t)seat;
	if (seat == NONE)
		return;
	seat_add(b, seat, model_cost(b, index, seat), group->n_lanes);
	if (may_move)
		list_insert(b, index);
}

#define HEAT_MAX (1ull << 50) /* beyond what any snapshot can hold */

/* --- heat ---------------------------------------------------------------------------------- */

uint64_t model_heat_if(const struct balancer *b, int index, int seat, int64_t more, int seat2,
                       int64_t more2)
{
	const struct core *core = &b->cores[index];
	uint64_t busiest = 0;

	for (int i = core->first; i != NONE; i = b->seats[i].next_in_core) {
		uint64_t load = b->seats[i].load;

		if (i == seat)
			load += (uint64_t)more;
		if (i == seat2)
			load += (uint64_t)more2;
		if (load > busiest)
			busiest = load;
	}
	return core->load + (uint64_t)more + (uint64_t)more2 + busiest;
}

/* With k seats a core of heat h holds a load of at most h · k / (k + 1): then all are equal. */
static uint64_t seat_capacity(const struct balancer *b, int seat)
{
	return b->snapshot->workers[seat].capacity / (b->cores[b->seats[seat].core].n_seats + 1u);
}

/* What is to be spread over a domain, and what there is to carry it. */
struct budget {
	uint64_t demand[BALANCER_NODES_MAX]; /* of groups that are at home on one node */
	uint64_t anywhere;                   /* of the others */
	uint64_t capacity[BALANCER_NODES_MAX];
	uint64_t export_pct; /* what load becomes elsewhere, at least; 0 = it has to stay */
};

static bool budget_holds(const struct balancer *b, const struct budget *budget, uint64_t heat)
{
	double over = 0, room = 0; /* the products may not fit 64 bits */

	for (unsigned i = 0; i < b->n_slots; i++) {
		double capacity = (double)budget->capacity[i] * (double)heat / BALANCER_FULL;
		double demand = (double)budget->demand[i];

		if (demand > capacity)
			over += demand - capacity;
		else
			room += capacity - demand;
	}
	if (over > 0 && budget->export_pct == 0)
		return false;
	return over * (double)budget->export_pct / 100 + (double)budget->anywhere <= room;
}

static void budget_add_group(const struct balancer *b, struct budget *budget, unsigned index)
{
	const struct group *group = &b->groups[index];
	const uint32_t *cost = &b->cost[(size_t)index * b->n_slots];

	if (group->pin != BALANCER_NOWHERE) {
		budget->demand[b->seats[group->seat].slot] += cost[b->seats[group->seat].slot];
		return;
	}
	if ((group->home & (group->home - 1)) != 0)
		budget->anywhere += group->weight;
	else if ((group->nodes & group->home) != 0)
		budget->demand[__builtin_ctz(group->home)] += group->weight;
	else /* it has spilled over, and stays on that node */
		budget->demand[b->seats[group->seat].slot] += cost[b->seats[group->seat].slot];
	if ((group->nodes & ~group->home) == 0 || (group->nodes & group->home) == 0 ||
	    group->weight == 0)
		return;
	for (unsigned slot = 0; slot < b->n_slots; slot++) {
		uint64_t pct = (uint64_t)cost[slot] * 100 / group->weight;

		if ((group->home >> slot & 1) == 0 &&
		    (budget->export_pct == 0 || pct < budget->export_pct))
			budget->export_pct = pct;
	}
}

uint64_t model_fair_heat(const struct balancer *b, const struct domain *domain)
{
	struct budget budget = {.anywhere = 0};
	uint64_t low = 0, high = 0, heaviest = 0, fastest = UINT32_MAX;

	for (unsigned i = 0; i < domain->n_seats; i++) {
		int seat = b->seat_list[domain->first_seat + i];

		if (b->cores[b->seats[seat].core].aside)
			continue;
		budget.capacity[b->seats[seat].slot] += seat_capacity(b, seat);
		if (b->seats[seat].slowness < fastest)
			fastest = b->seats[seat].slowness;
	}
	for (unsigned i = 0; i < b->n_groups; i++) {
		const struct group *group = &b->groups[i];
		const struct core *core = &b->cores[b->seats[group->seat].core];

		if (&b->domains[core->domain] != domain || core->aside)
			continue;
		budget_add_group(b, &budget, i);
		if (group->weight > heaviest)
			heaviest = group->weight;
	}
	low = 2 * heaviest * fastest / SLOWNESS_ONE;
	for (high = low + 1; !budget_holds(b, &budget, high) && high < HEAT_MAX; high *= 2)
		low = high;
	while (high - low > 16) {
		uint64_t middle = low + (high - low) / 2;

		if (budget_holds(b, &budget, middle))
			high = middle;
		else
			low = middle;
	}
	return high;
}

int model_hottest(const struct balancer *b, const struct domain *domain)
{
	uint64_t hottest = 0;
	int found = NONE;

	for (unsigned i = 0; i < domain->n_cores; i++) {
		int core = b->core_list[domain->first_core + i];
		uint64_t heat = b->cores[core].aside ? 0 : model_heat(b, core);

		if (b->cores[core].aside || (found != NONE && heat <= hottest))
			continue;
		hottest = heat;
		found = core;
	}
	return found;
}

void model_rank(const struct balancer *b, const struct domain *domain, struct ranked *ranked)
{
	for (unsigned i = 0; i < domain->n_cores; i++) {
		int core = b->core_list[domain->first_core + i];
		struct ranked new = {.heat = model_heat(b, core), .core = (int16_t)core};
		unsigned at = i;

		for (int s = b->cores[core].first; s != NONE; s = b->seats[s].next_in_core) {
			new.load += b->seats[s].load *SLOWNESS_ONE / b->seats[s].slowness;
			new.capacity += seat_capacity(b, s);
		}
		for (; at > 0 && ranked[at - 1].heat < new.heat; at--)
			ranked[at] = ranked[at - 1];
		ranked[at] = new;
	}
}

unsigned model_moved_lanes(const struct balancer *b, const struct domain *domain)
{
	unsigned n = 0;

	for (unsigned g = 0; g < b->n_groups; g++)
		if (model_has_moved(b, domain, (int)g))
			n += b->groups[g].n_lanes;
	return n;
}

/* --- domains ------------------------------------------------------------------------------- */

static void add_domain(struct balancer *b, uint32_t nodes, unsigned *n_cores, unsigned *n_seats)
{
	struct domain *domain = &b->domains[b->n_domains];

	*domain = (struct domain){
	        .nodes = nodes, .first_core = (uint16_t)*n_cores, .first_seat = (uint16_t)*n_seats};
	for (unsigned i = 0; i < b->n_cores; i++) {
		if ((nodes >> b->seats[b->cores[i].first].slot & 1) == 0)
			continue;
		b->cores[i].domain = (uint8_t)b->n_domains;
		b->core_list[(*n_cores)++] = (int16_t)i;
		domain->n_cores++;
	}
	for (unsigned i = 0; i < b->n_seats; i++) {
		if ((nodes >> b->seats[i].slot & 1) == 0)
			continue;
		b->seat_list[(*n_seats)++] = (int16_t)i;
		domain->n_seats++;
	}
	b->n_domains++;
}

void model_split(struct balancer *b)
{
	uint32_t parts[BALANCER_NODES_MAX] = {0}; /* disjoint sets of slots */
	unsigned n = b->n_slots, n_cores = 0, n_seats = 0;

	for (unsigned i = 0; i < n; i++)
		parts[i] = 1u << i;
	for (unsigned g = 0; g < b->n_groups && n > 1; g++) {
		uint32_t nodes = b->groups[g].nodes;
		unsigned into = 0;

		if (b->groups[g].pin != BALANCER_NOWHERE || (nodes & (nodes - 1)) == 0)
			continue;
		while (into + 1 < n && (parts[into] & nodes) == 0)
			into++;
		for (unsigned i = n - 1; i > into; i--)
			if ((parts[i] & nodes) != 0) {
				parts[into] |= parts[i];
				parts[i] = parts[--n];
			}
	}
	b->n_domains = 0;
	for (unsigned i = 0; i < n; i++)
		add_domain(b, parts[i], &n_cores, &n_seats);
}
