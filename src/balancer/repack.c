/* Filling seats anew: all groups of some cores are taken off, and the seats filled one after the
 * other, each with the heaviest group that is left and those that leave the least room beside it.
 * That finds arrangements which fit exactly, where moving and exchanging groups gets stuck.
 */
#include "balancer/model.h"

#define REPACK_GROUPS 256
#define REPACK_SEATS  128
#define TIGHTNESSES   3   /* ways to fill them that are tried */
#define FILL_LIMIT    100 /* sets looked at for one seat */

struct repack {
	struct balancer *b;
	unsigned n_groups, n_seats;
	int16_t group[REPACK_GROUPS]; /* the heaviest first */
	int16_t to[REPACK_GROUPS];    /* seat, NONE while it has none */
	int16_t seat[REPACK_SEATS];
	uint64_t room[REPACK_SEATS]; /* beside what is pinned there */
	bool filled[REPACK_SEATS];
	bool chosen[BALANCER_WORKERS_MAX]; /* by core */
	uint64_t weight;                   /* of the groups that have no seat yet */
	uint64_t room_left; /* on seats that are not filled, as load on a whole CPU */
	unsigned seats_left;

	/* The seat being filled: what may go there, and the best set so far. */
	unsigned n_choices;
	uint8_t choice[REPACK_GROUPS];
	uint64_t cost[REPACK_GROUPS];                      /* by choice */
	uint64_t rest[REPACK_GROUPS + 1];                  /* the sum of costs from here on */
	uint8_t taken[REPACK_GROUPS], best[REPACK_GROUPS]; /* choices */
	unsigned n_best;
	uint64_t least; /* room that the best leaves */
	uint64_t good;  /* room that may be left */
	unsigned budget;
};

/* --- one seat ------------------------------------------------------------------------------ */

/* The heaviest first; and what is there now before what weighs as much, or before all others: so
 * little moves. */
static void list_choices(struct repack *r, int seat, bool stay)
{
	const struct balancer *b = r->b;

	r->n_choices = 0;
	for (unsigned i = 0; i < r->n_groups; i++) {
		uint64_t cost = model_cost(b, r->group[i], seat);
		unsigned at = r->n_choices;

		if (r->to[i] != NONE || !model_allowed(b, r->group[i], seat))
			continue;
		if (b->groups[r->group[i]].seat == seat)
			for (; at > 0 && (stay || r->cost[at - 1] <= cost) &&
			       b->groups[r->group[r->choice[at - 1]]].seat != seat;
			     at--) {
				r->choice[at] = r->choice[at - 1];
				r->cost[at] = r->cost[at - 1];
			}
		r->choice[at] = (uint8_t)i;
		r->cost[at] = cost;
		r->n_choices++;
	}
	r->rest[r->n_choices] = 0;
	for (unsigned i = r->n_choices; i-- > 0;)
		r->rest[i] = r->rest[i + 1] + r->cost[i];
}

/* True when the search is over: little enough room is left, or enough was looked at. */
static bool fill(struct repack *r, unsigned from, unsigned n_taken, uint64_t room)
{
	uint64_t tried = UINT64_MAX;

	if (room < r->least) {
		r->least = room;
		r->n_best = n_taken;
		for (unsigned i = 0; i < n_taken; i++)
			r->best[i] = r->taken[i];
	}
	if (r->least <= r->good || r->budget == 0)
		return true;
	r->budget--;
	for (unsigned i = from; i < r->n_choices && r->rest[i] + r->least > room; i++) {
		if (r->cost[i] > room || r->cost[i] == tried)
			continue;
		tried = r->cost[i];
		r->taken[n_taken] = (uint8_t)i;
		if (fill(r, i + 1, n_taken + 1, room - r->cost[i]))
			return true;
	}
	return false;
}

static void assign(struct repack *r, unsigned i, int seat)
{
	r->to[i] = (int16_t)seat;
	r->weight -= r->b->groups[r->group[i]].weight;
}

/* With group i and others beside it. */
static void fill_seat(struct repack *r, unsigned i, unsigned s, unsigned tightness)
{
	struct balancer *b = r->b;
	int seat = r->seat[s];

	/* Of what room there is too much, each seat may leave its share, or a part of that. */
	r->good = (r->room_left - r->weight) / r->seats_left / (1 + 4 * tightness);
	r->room_left -= r->room[s] * SLOWNESS_ONE / b->seats[seat].slowness;
	r->seats_left--;
	r->filled[s] = true;
	assign(r, i, seat);
	list_choices(r, seat, tightness == 0);
	r->budget = FILL_LIMIT;
	r->least = UINT64_MAX;
	fill(r, 0, 0, r->room[s] - model_cost(b, r->group[i], seat));
	for (unsigned k = 0; k < r->n_best; k++)
		assign(r, r->choice[r->best[k]], seat);
	b->work += r->n_seats / 4 + r->n_groups / 4 + (FILL_LIMIT - r->budget);
}

/* --- all of them --------------------------------------------------------------------------- */

/* Where the group is, if that is not filled yet; or the least room that it fits into. */
static int choose_seat(const struct repack *r, int group)
{
	const struct balancer *b = r->b;
	int best = NONE;

	for (unsigned s = 0; s < r->n_seats; s++) {
		int seat = r->seat[s];

		if (r->filled[s] || !model_allowed(b, group, seat) ||
		    model_cost(b, group, seat) > r->room[s])
			continue;
		if (seat == b->groups[group].seat)
			return (int)s;
		if (best == NONE || r->room[s] < r->room[best])
			best = (int)s;
	}
	return best;
}

/* The less tightly, the less moves; the tighter, the more room is left for the last ones. */
static bool fill_all(struct repack *r, unsigned tightness)
{
	const struct balancer *b = r->b;

	r->weight = r->room_left = 0;
	r->seats_left = r->n_seats;
	for (unsigned i = 0; i < r->n_groups; i++) {
		r->to[i] = NONE;
		r->weight += b->groups[r->group[i]].weight;
	}
	for (unsigned s = 0; s < r->n_seats; s++) {
		r->filled[s] = false;
		r->room_left += r->room[s] * SLOWNESS_ONE / b->seats[r->seat[s]].slowness;
	}
	for (unsigned i = 0; i < r->n_groups; i++) {
		int s = NONE;

		if (r->to[i] != NONE)
			continue;
		if (r->weight <= r->room_left)
			s = choose_seat(r, r->group[i]);
		if (s == NONE)
			return false;
		fill_seat(r, i, (unsigned)s, tightness);
	}
	return true;
}

static bool carry_out(const struct repack *r)
{
	struct balancer *b = r->b;
	unsigned n_lanes = 0, last = 0;

	for (unsigned i = 0; i < r->n_groups; i++)
		if (r->to[i] != b->groups[r->group[i]].seat) {
			n_lanes += b->groups[r->group[i]].n_lanes;
			last = i;
		}
	/* They can only be done together. */
	if (n_lanes > b->moves_left || b->n_steps + r->n_groups > b->steps_max)
		return false;
	for (unsigned i = 0; i <= last; i++)
		if (r->to[i] != b->groups[r->group[i]].seat)
			search_step(b, r->group[i], r->to[i], i == last);
	return true;
}

/* --- which cores --------------------------------------------------------------------------- */

/* A seat's room is an even share of what its core may bear, less what has to stay there. */
static bool add_core(struct repack *r, int core, uint64_t limit)
{
	const struct balancer *b = r->b;
	uint64_t share = limit / (b->cores[core].n_seats + 1u);

	for (int s = b->cores[core].first; s != NONE; s = b->seats[s].next_in_core) {
		uint64_t pinned = b->seats[s].load;

		for (int g = b->seats[s].first; g != NONE; g = b->groups[g].next)
			pinned -= model_cost(b, g, s);
		if (pinned > share || r->n_seats == REPACK_SEATS)
			return false;
		r->room[r->n_seats] = share - pinned;
		r->seat[r->n_seats++] = (int16_t)s;
	}
	r->chosen[core] = true;
	return true;
}

static bool add_groups(struct repack *r)
{
	struct balancer *b = r->b;

	for (unsigned i = 0; i < b->n_groups; i++) {
		int g = b->order[0][i];

		if (b->groups[g].pin != BALANCER_NOWHERE ||
		    !r->chosen[b->seats[b->groups[g].seat].core])
			continue;
		if (r->n_groups == REPACK_GROUPS)
			return false;
		r->group[r->n_groups++] = (int16_t)g;
	}
	b->work += b->n_groups / 8;
	return true;
}

/* The hot core, the coolest, and of the others as many from the `skip` coolest on. */
static bool repack(struct balancer *b, const struct domain *domain, int hot, uint64_t limit,
                   unsigned size, unsigned skip)
{
	struct repack r = {.b = b};
	unsigned n = 1;

	if (!add_core(&r, hot, limit))
		return false;
	for (unsigned i = domain->n_cores; i-- > 0 && n < size;) {
		int core = b->after[i].core;

		if (core == hot || b->cores[core].aside)
			continue;
		if (n > 1 && skip > 0)
			skip--;
		else if (add_core(&r, core, limit))
			n++;
		else
			return false;
	}
	if (!add_groups(&r))
		return false;
	for (unsigned tightness = 0; tightness < TIGHTNESSES; tightness++)
		if (fill_all(&r, tightness) && carry_out(&r))
			return true;
	return false;
}

bool repack_relieve(struct balancer *b, const struct domain *domain, int hot, uint64_t limit)
{
	unsigned n = 0;

	for (unsigned i = 0; i < domain->n_cores; i++)
		n += !b->cores[b->core_list[domain->first_core + i]].aside;
	model_rank(b, domain, b->after);
	for (unsigned size = 3; n > 1; size *= 2) {
		if (size > n)
			size = n;
		for (unsigned skip = 0; skip + size <= n; skip += size > 2 ? size - 2 : 1) {
			if (b->work >= b->work_max)
				return false;
			if (repack(b, domain, hot, limit, size, skip))
				return true;
		}
		if (size == n)
			break;
	}
	return false;
}
