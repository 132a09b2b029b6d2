/* Small arrangements, searched in full: some seats, the groups on them, and a bound on what is
 * looked at. Two questions are asked: how cool can it be made (branch and bound), and how few
 * moves reach that (iterative deepening).
 */
#include <string.h>

#include "balancer/model.h"

#define PUZZLE_GROUPS  24
#define PUZZLE_SEATS   8
#define PUZZLE_WINDOWS 4   /* choices of cores that are tried beside a hot one */
#define RELIEVE_LIMIT  500 /* positions looked at, per question */
#define SHORTEN_LIMIT  6000
#define BEST_LIMIT     4000

struct puzzle {
	struct balancer *b;
	unsigned n_groups, n_seats, n_cores;
	int16_t group[PUZZLE_GROUPS];
	int16_t seat[PUZZLE_SEATS];
	uint64_t cost[PUZZLE_GROUPS][PUZZLE_SEATS];
	uint8_t allowed[PUZZLE_GROUPS];         /* a bit per seat */
	uint64_t least_left[PUZZLE_GROUPS + 1]; /* what the groups from here on weigh at least */
	uint64_t smallest;                      /* cost of any group anywhere */

	int16_t core[PUZZLE_SEATS]; /* its number in the model */
	uint8_t core_of[PUZZLE_SEATS];
	uint8_t first_seat[PUZZLE_SEATS]; /* by core */
	uint8_t core_seats[PUZZLE_SEATS]; /* by core: how many */
	uint64_t load[PUZZLE_SEATS];
	uint64_t core_load[PUZZLE_SEATS];
	uint64_t limit[PUZZLE_SEATS]; /* by core: the heat that it may have */
	uint64_t holds[PUZZLE_SEATS]; /* by core: the load that it has at that heat, at most */

	int8_t start[PUZZLE_GROUPS]; /* seats */
	int8_t at[PUZZLE_GROUPS];
	int8_t best[PUZZLE_GROUPS];
	int8_t left[PUZZLE_SEATS]; /* by core: the last group that was taken from it */
	uint64_t target;
	unsigned budget;
	uint64_t best_heat;
	bool anew; /* where groups were does not matter */
	bool found;
};

/* --- setting it up ------------------------------------------------------------------------- */

static void set_limit(struct puzzle *p, unsigned core, uint64_t limit)
{
	p->limit[core] = limit;
	p->holds[core] = limit * p->core_seats[core] / (p->core_seats[core] + 1u);
}

static bool add_core(struct puzzle *p, int core, uint64_t limit)
{
	const struct balancer *b = p->b;
	unsigned index = p->n_cores;

	if (p->n_seats + b->cores[core].n_seats > PUZZLE_SEATS)
		return false;
	p->core[index] = (int16_t)core;
	p->first_seat[index] = (uint8_t)p->n_seats;
	p->core_seats[index] = (uint8_t)b->cores[core].n_seats;
	p->core_load[index] = 0;
	set_limit(p, index, limit);
	for (int s = b->cores[core].first; s != NONE; s = b->seats[s].next_in_core) {
		p->seat[p->n_seats] = (int16_t)s;
		p->core_of[p->n_seats] = (uint8_t)index;
		p->load[p->n_seats++] = b->seats[s].load;
		p->core_load[index] += b->seats[s].load;
	}
	p->n_cores++;
	return true;
}

static void insert_group(struct puzzle *p, int group)
{
	const struct group *groups = p->b->groups;
	unsigned at = p->n_groups++;

	for (; at > 0; at--) {
		const struct group *before = &groups[p->group[at - 1]];

		if (before->weight > groups[group].weight ||
		    (before->weight == groups[group].weight && p->group[at - 1] < group))
			break;
		p->group[at] = p->group[at - 1];
	}
	p->group[at] = (int16_t)group;
}

/* All groups that may move and sit on the puzzle's seats (or did at first), the heaviest first. */
static bool add_groups(struct puzzle *p)
{
	const struct balancer *b = p->b;

	for (unsigned s = 0; s < p->n_seats; s++)
		for (int g = b->seats[p->seat[s]].first; g != NONE; g = b->groups[g].next) {
			if (p->n_groups == PUZZLE_GROUPS)
				return false;
			insert_group(p, g);
		}
	p->smallest = UINT64_MAX;
	for (unsigned i = 0; i < p->n_groups; i++) {
		p->allowed[i] = 0;
		for (unsigned s = 0; s < p->n_seats; s++) {
			p->cost[i][s] = model_cost(b, p->group[i], p->seat[s]);
			if (model_allowed(b, p->group[i], p->seat[s]))
				p->allowed[i] |= (uint8_t)(1u << s);
			if (p->cost[i][s] < p->smallest)
				p->smallest = p->cost[i][s];
			if (b->groups[p->group[i]].seat == p->seat[s])
				p->at[i] = p->start[i] = (int8_t)s;
		}
	}
	return p->n_groups > 0;
}

static void put(struct puzzle *p, unsigned i, unsigned seat)
{
	p->at[i] = (int8_t)seat;
	p->load[seat] += p->cost[i][seat];
	p->core_load[p->core_of[seat]] += p->cost[i][seat];
}

static void take(struct puzzle *p, unsigned i)
{
	unsigned seat = (unsigned)p->at[i];

	p->load[seat] -= p->cost[i][seat];
	p->core_load[p->core_of[seat]] -= p->cost[i][seat];
}

static uint64_t core_heat(const struct puzzle *p, unsigned core)
{
	const uint64_t *load = &p->load[p->first_seat[core]];
	uint64_t busiest = 0;

	for (unsigned s = 0; s < p->core_seats[core]; s++)
		if (load[s] > busiest)
			busiest = load[s];
	return p->core_load[core] + busiest;
}

/* --- how cool can it be made --------------------------------------------------------------- */

static bool fits(const struct puzzle *p, unsigned seat)
{
	unsigned core = p->core_of[seat];

	return core_heat(p, core) <= p->limit[core];
}

/* Whether what is left to place can fit by its sum alone. Room that is too small for the smallest
 * group is no room. */
static bool sum_fits(const struct puzzle *p, unsigned next)
{
	uint64_t room = 0;

	for (unsigned c = 0; c < p->n_cores; c++)
		if (p->holds[c] >= p->core_load[c] + p->smallest)
			room += p->holds[c] - p->core_load[c];
	return p->least_left[next] <= room;
}

/* Two seats are the same to all groups that are still to come: so are their siblings, if they have
 * one each. */
static bool seats_alike(const struct puzzle *p, unsigned a, unsigned b)
{
	const struct seat *seats = p->b->seats;
	unsigned core = p->core_of[a], other = p->core_of[b];

	return p->load[a] == p->load[b] && p->core_load[core] == p->core_load[other] &&
	       p->core_seats[core] == p->core_seats[other] && p->core_seats[core] <= 2 &&
	       seats[p->seat[a]].kind == seats[p->seat[b]].kind;
}

/* The seat where the group was goes first: fewer moves. Then the least loaded. */
static unsigned order_seats(const struct puzzle *p, unsigned i, unsigned order[PUZZLE_SEATS])
{
	int start = p->anew ? NONE : p->start[i];
	unsigned n = 0;

	for (unsigned s = 0; s < p->n_seats; s++) {
		bool twin = false;
		unsigned at = n;

		for (unsigned j = 0; j < n; j++)
			twin |= seats_alike(p, order[j], s) && (int)s != start;
		if (twin || (p->allowed[i] >> s & 1) == 0)
			continue;
		for (; at > 0 && (int)order[at - 1] != start &&
		       ((int)s == start || p->load[s] < p->load[order[at - 1]]);
		     at--)
			order[at] = order[at - 1];
		order[at] = s;
		n++;
	}
	return n;
}

/* All groups have a seat: from here on only what is cooler by some thousandths counts. */
static bool found_cooler(struct puzzle *p)
{
	uint64_t hottest = 0;

	for (unsigned c = 0; c < p->n_cores; c++) {
		uint64_t heat = core_heat(p, c);

		if (heat > hottest)
			hottest = heat;
	}
	for (unsigned i = 0; i < p->n_groups; i++)
		p->best[i] = p->at[i];
	for (unsigned c = 0; c < p->n_cores; c++)
		set_limit(p, c, hottest - hottest / 256 - 1);
	p->best_heat = hottest;
	p->found = true;
	return hottest <= p->target;
}

/* True when the search is over: cool enough, or enough looked at. */
static bool arrange(struct puzzle *p, unsigned i)
{
	unsigned order[PUZZLE_SEATS], n;

	if (i == p->n_groups)
		return found_cooler(p);
	if (p->budget == 0)
		return true;
	p->budget--;
	if (!sum_fits(p, i))
		return false;
	n = order_seats(p, i, order);
	for (unsigned j = 0; j < n; j++) {
		bool over = false;

		put(p, i, order[j]);
		if (fits(p, order[j]))
			over = arrange(p, i + 1);
		take(p, i);
		if (over)
			return true;
	}
	return false;
}

static bool solve(struct puzzle *p)
{
	p->least_left[p->n_groups] = 0;
	for (unsigned i = p->n_groups; i-- > 0;) {
		uint64_t least = UINT64_MAX;

		for (unsigned s = 0; s < p->n_seats; s++)
			if (p->cost[i][s] < least)
				least = p->cost[i][s];
		p->least_left[i] = p->least_left[i + 1] + least;
	}
	for (unsigned i = 0; i < p->n_groups; i++)
		take(p, i);
	arrange(p, 0);
	return p->found;
}

/* --- which cores --------------------------------------------------------------------------- */

static unsigned start_budget(struct balancer *b, unsigned limit)
{
	unsigned budget = b->puzzle_budget < limit ? b->puzzle_budget : limit;

	b->puzzle_budget -= budget;
	return budget;
}

static void return_budget(struct balancer *b, unsigned budget)
{
	b->puzzle_budget += budget;
}

/* The hot core, and as many of the cooler ones as a puzzle holds, from the `skip` coolest on. */
static bool choose_cores(struct puzzle *p, const struct domain *domain, int hot, unsigned skip)
{
	struct balancer *b = p->b;
	uint64_t limit = model_heat(b, hot);
	unsigned n_groups = 0;

	limit -= limit / 1024 + 1;
	if (!add_core(p, hot, limit))
		return false;
	for (int s = b->cores[hot].first; s != NONE; s = b->seats[s].next_in_core)
		for (int g = b->seats[s].first; g != NONE; g = b->groups[g].next)
			n_groups++;
	model_rank(b, domain, b->after);
	for (unsigned i = domain->n_cores - skip; i-- > 0;) {
		int core = b->after[i].core;
		unsigned more = 0;

		if (core == hot || b->cores[core].aside)
			continue;
		for (int s = b->cores[core].first; s != NONE; s = b->seats[s].next_in_core)
			for (int g = b->seats[s].first; g != NONE; g = b->groups[g].next)
				more++;
		if (n_groups + more > PUZZLE_GROUPS || !add_core(p, core, limit))
			break;
		n_groups += more;
	}
	return p->n_cores > 1 && n_groups <= PUZZLE_GROUPS;
}

uint64_t puzzle_best(struct balancer *b, const struct domain *domain, uint64_t heat,
                     uint64_t target)
{
	struct puzzle p = {.b = b, .target = target};
	bool known;

	for (unsigned i = 0; i < domain->n_cores; i++) {
		int core = b->core_list[domain->first_core + i];

		if (!b->cores[core].aside && !add_core(&p, core, heat - heat / 34))
			return 0;
	}
	if (!add_groups(&p))
		return 0;
	p.anew = true;
	p.budget = start_budget(b, BEST_LIMIT);
	solve(&p);
	known = p.budget > 0;
	return_budget(b, p.budget);
	if (!known)
		return 0;
	return p.found ? p.best_heat : heat;
}

bool puzzle_relieve(struct balancer *b, const struct domain *domain, int hot, uint64_t target)
{
	for (unsigned window = 0, skip = 0; window < PUZZLE_WINDOWS; window++) {
		struct puzzle p = {.b = b, .target = target};
		int last = NONE;

		if (b->relieve_budget < RELIEVE_LIMIT || skip >= domain->n_cores ||
		    !choose_cores(&p, domain, hot, skip) || !add_groups(&p))
			return false;
		p.budget = RELIEVE_LIMIT;
		solve(&p);
		b->relieve_budget -= RELIEVE_LIMIT - p.budget;
		for (unsigned i = 0; p.found && i < p.n_groups; i++)
			if (p.best[i] != p.start[i])
				last = (int)i;
		if (p.found && b->n_steps + p.n_groups > b->steps_max)
			return false;
		for (int i = 0; i <= last; i++)
			if (p.best[i] != p.start[i])
				search_step(b, p.group[i], p.seat[p.best[i]], i == last);
		if (p.found)
			return true;
		skip += p.n_cores - 1;
	}
	return false;
}

/* --- by how few moves ---------------------------------------------------------------------- */

/* Which group leaves a core that is too hot, and where to? One of them must, so trying all of them
 * misses nothing; neither does it to take them from a core in their order. */
static bool shorten(struct puzzle *p, unsigned moves)
{
	unsigned n_over = 0, core = 0;
	int8_t left;

	if (p->budget == 0)
		return false;
	p->budget--;
	for (unsigned c = 0; c < p->n_cores; c++)
		if (core_heat(p, c) > p->limit[c]) {
			n_over++;
			core = c;
		}
	if (n_over == 0 || n_over > moves)
		return n_over == 0;
	left = p->left[core];
	for (unsigned i = (unsigned)(left + 1); i < p->n_groups; i++) {
		int8_t from = p->at[i];

		if (from != p->start[i] || p->core_of[from] != core)
			continue;
		p->left[core] = (int8_t)i;
		take(p, i);
		for (unsigned to = 0; to < p->n_seats; to++) {
			if ((int)to == from || (p->allowed[i] >> to & 1) == 0)
				continue;
			put(p, i, to);
			if ((moves > 1 || fits(p, to)) && shorten(p, moves - 1))
				return true;
			take(p, i);
		}
		put(p, i, (unsigned)from);
	}
	p->left[core] = left;
	return false;
}

/* Puts all groups where they were at first. */
static bool rewind_groups(struct puzzle *p)
{
	const struct balancer *b = p->b;

	for (unsigned i = 0; i < p->n_groups; i++) {
		int16_t origin = b->groups[p->group[i]].origin;
		unsigned s = 0;

		while (s < p->n_seats && p->seat[s] != origin)
			s++;
		if (s == p->n_seats)
			return false;
		take(p, i);
		put(p, i, s);
		p->start[i] = (int8_t)s;
	}
	return true;
}

bool puzzle_shorten(struct balancer *b, const struct domain *domain, uint64_t limit)
{
	struct puzzle p = {.b = b};
	bool found = false;
	unsigned n_lanes = 0;

	for (unsigned i = 0; i < domain->n_cores; i++) {
		int core = b->core_list[domain->first_core + i];
		uint64_t heat = model_heat(b, core);

		if (!add_core(&p, core, b->cores[core].aside && heat > limit ? heat : limit))
			return false;
	}
	if (!add_groups(&p) || !rewind_groups(&p))
		return false;
	memset(p.left, NONE, sizeof(p.left));
	p.budget = start_budget(b, SHORTEN_LIMIT);
	for (unsigned moves = 0; moves <= p.n_groups && !found && p.budget > 0; moves++)
		found = shorten(&p, moves);
	return_budget(b, p.budget);
	for (unsigned i = 0; found && i < p.n_groups; i++)
		if (p.at[i] != p.start[i])
			n_lanes += b->groups[p.group[i]].n_lanes;
	if (!found || n_lanes > b->moves_left)
		return false;
	for (unsigned i = 0; i < p.n_groups; i++)
		if (b->groups[p.group[i]].seat != p.seat[p.at[i]])
			model_move(b, p.group[i], p.seat[p.at[i]]);
	return true;
}
