/* Evening out one domain: the hottest core is relieved by one move or by two groups that change
 * places, again and again, until it is as cool as it can fairly be. Where neither helps, some
 * cores are emptied and filled anew (repack.c); a core that not even that relieves is set aside.
 *
 * Every step makes the hottest core less hot and none as hot as it was: the list of the heats in
 * falling order always shrinks, so the search ends, and stopping after any step does no harm.
 */
#include "balancer/search.h"

#include "balancer/repack.h"
#include "balancer/steps.h"

struct search {
	struct balancer *b;
	const struct domain *domain;
	int hot;         /* the hottest core */
	uint64_t heat;   /* of the hot core */
	uint64_t target; /* no core needs to be cooler */
};

/* A group that leaves the hot core, and maybe one that comes back for it. */
struct candidate {
	int group, to, back;
	bool clean;     /* it makes no other core too hot */
	unsigned lanes; /* that move */
	int64_t gain;   /* heat that is taken away, as far as it is too much, less the waste */
	uint64_t level; /* the hotter of the cores concerned, afterwards */
	int64_t cost;   /* load that moves */
};

/* Clean candidates go first, the ones with the greatest gain per lane; else the level decides. */
static bool is_better(const struct candidate *a, const struct candidate *b)
{
	if (b->group == NONE || a->clean != b->clean)
		return b->group == NONE || a->clean;
	if (!a->clean)
		return a->level < b->level;
	if (a->gain * (int64_t)b->lanes != b->gain * (int64_t)a->lanes)
		return a->gain * (int64_t)b->lanes > b->gain * (int64_t)a->lanes;
	return a->cost < b->cost;
}

/* What remote memory adds to a group's load if it moves; less than 0 if it comes nearer home. */
static int64_t remote_cost_added(const struct balancer *b, int group, int from, int to)
{
	const uint32_t *cost = &b->cost[(size_t)group * b->n_slots];

	return (int64_t)cost[b->seats[to].slot] - (int64_t)cost[b->seats[from].slot];
}

/* Weighs one move, or one exchange, and keeps it if it is better than the best so far. */
static void consider(const struct search *s, struct candidate *best, int group, int to, int back)
{
	struct balancer *b = s->b;
	int from = b->groups[group].seat;
	int hot = b->seats[from].core, other = b->seats[to].core;
	int64_t less = (int64_t)model_cost(b, group, from);
	int64_t more = (int64_t)model_cost(b, group, to);
	struct candidate new = {.group = group,
	                        .to = to,
	                        .back = back,
	                        .lanes = b->groups[group].n_lanes,
	                        .cost = less};
	int64_t wasted = remote_cost_added(b, group, from, to);
	uint64_t heat, heat_other;

	b->work++;
	if (!model_allowed(b, group, to) || (back != NONE && !model_allowed(b, back, from)))
		return;
	if (back != NONE) {
		new.lanes += b->groups[back].n_lanes;
		new.cost += (int64_t)model_cost(b, back, to);
		less -= (int64_t)model_cost(b, back, from);
		more -= (int64_t)model_cost(b, back, to);
		wasted += remote_cost_added(b, back, to, from);
	}
	if (hot == other) {
		heat = heat_other = model_heat_if(b, hot, from, -less, to, more);
		new.clean = true;
	} else {
		heat = model_heat_if(b, hot, from, -less, NONE, 0);
		heat_other = model_heat_if(b, other, to, more, NONE, 0);
		new.clean = heat_other <= s->target;
	}
	new.level = heat > heat_other ? heat : heat_other;
	/* Less than a 400th is no gain: the judge takes such heats for the same (judge.c), and a
	 * sibling of the busiest seat could get busier by more. */
	if (new.level + s->heat / 400 + 1 > s->heat)
		return;
	new.gain = (int64_t)(s->heat - (heat > s->target ? heat : s->target)) - 2 * wasted;
	if (is_better(&new, best))
		*best = new;
}

/* Whether groups of the hot core may go to that seat: not if it is on the hot core itself, nor on
 * one that is set aside with the load it has. */
static bool can_take(const struct search *s, int seat)
{
	int core = s->b->seats[seat].core;

	return core != s->hot && !s->b->cores[core].aside;
}

/* --- which candidates ---------------------------------------------------------------------- */

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The load that should go from one seat to the other: so much that neither core is too hot; or, if
 * that cannot be done cleanly, so much that they are equally hot. 0 if there is none. */
static uint64_t load_to_shift(const struct search *s, int from, int to, bool clean)
{
	const struct balancer *b = s->b;
	const struct core *core = &b->cores[b->seats[to].core];
	uint64_t here = model_seat_heat(b, from), there = model_seat_heat(b, to);
	uint64_t limit = clean ? s->target : s->heat;
	uint64_t room, need;

	if (b->seats[from].core == b->seats[to].core)
		return here > there ? (here - there) / 2 : 0;
	if (there >= limit || core->heat >= limit)
		return 0;
	if (!clean)
		return (s->heat - there) / 4;
	/* What comes to a seat counts twice for it, and once for its siblings. */
	room = lesser((limit - there) / 2, limit - core->heat);
	need = here == s->heat ? (s->heat - limit) / 2 : s->heat - limit;
	return lesser(room, need);
}

/* Weighs the two groups on a seat whose weights are next to the load to shift, on either side. */
static void consider_move(const struct search *s, struct candidate *best, int from, int to,
                          bool clean)
{
	struct balancer *b = s->b;
	uint64_t load = load_to_shift(s, from, to, clean) * SLOWNESS_ONE / b->seats[to].slowness;
	int heavier = NONE, g = b->seats[from].first;
	unsigned n = 0;

	if (load == 0)
		return;
	for (; g != NONE && b->groups[g].weight > load; g = b->groups[g].next) {
		n++;
		if (model_allowed(b, g, to))
			heavier = g;
	}
	b->work += n / 4;
	while (g != NONE && !model_allowed(b, g, to))
		g = b->groups[g].next;
	if (heavier != NONE)
		consider(s, best, heavier, to, NONE);
	if (g != NONE)
		consider(s, best, g, to, NONE);
}

/* An exchange moves at least two lanes, and gains no more than twice what the heaviest group
 * weighs: whether that is less than what has been found. */
static bool no_exchange_is_better(const struct search *s, const struct candidate *best, int from,
                                  bool clean)
{
	int heaviest = s->b->seats[from].first;

	return heaviest == NONE ||
	       (clean && best->group != NONE &&
	        best->gain >= (int64_t)(model_cost(s->b, heaviest, from) * best->lanes));
}

/* Weighs the exchanges of two groups whose weights differ by about the load to shift: both lists
 * fall, so that one walk along each finds all of them. */
static void consider_exchange(const struct search *s, struct candidate *best, int from, int to,
                              bool clean)
{
	struct balancer *b = s->b;
	uint64_t difference = load_to_shift(s, from, to, clean);
	int back = b->seats[to].first;

	if (difference == 0 || back == NONE)
		return;
	if (clean && best->group != NONE && best->gain >= (int64_t)(difference * best->lanes))
		return;
	difference = difference * SLOWNESS_ONE / b->seats[to].slowness;
	for (int g = b->seats[from].first; g != NONE && back != NONE; g = b->groups[g].next) {
		uint64_t weight = b->groups[g].weight;
		int next = b->groups[back].next;

		/* The lighter ones cannot gain as much by lane either: a walk along a seat with
		 * hundreds of groups ends here. */
		if (clean && best->group != NONE &&
		    best->gain >= (int64_t)(model_cost(b, g, from) * best->lanes))
			break;
		while (next != NONE && b->groups[next].weight + difference >= weight) {
			b->work++;
			back = next;
			next = b->groups[back].next;
		}
		consider(s, best, g, to, back);
		if (next != NONE)
			consider(s, best, g, to, next);
	}
}

/* The coolest seat of each kind: groups that move go to one of them. */
static void find_coolest(const struct search *s)
{
	struct balancer *b = s->b;

	for (unsigned i = 0; i < b->n_kinds; i++)
		b->coolest[i] = NONE;
	for (unsigned i = 0; i < s->domain->n_seats; i++) {
		int seat = b->seat_list[s->domain->first_seat + i];
		int16_t *known = &b->coolest[b->seats[seat].kind];

		if (can_take(s, seat) &&
		    (*known == NONE || model_seat_heat(b, seat) < model_seat_heat(b, *known)))
			*known = (int16_t)seat;
	}
}

/* Weighs all moves from the hot core, and those exchanges that could be better. */
static void consider_all(const struct search *s, struct candidate *best, bool clean)
{
	struct balancer *b = s->b;
	int first = b->cores[s->hot].first;

	for (int from = first; from != NONE; from = b->seats[from].next_in_core) {
		for (unsigned i = 0; i < b->n_kinds; i++)
			if (b->coolest[i] != NONE)
				consider_move(s, best, from, b->coolest[i], clean);
		for (int to = first; to != NONE; to = b->seats[to].next_in_core)
			if (to != from) {
				consider_move(s, best, from, to, clean);
				consider_exchange(s, best, from, to, clean);
			}
	}
	for (int from = first; from != NONE; from = b->seats[from].next_in_core)
		for (unsigned i = 0; i < s->domain->n_seats; i++) {
			int to = b->seat_list[s->domain->first_seat + i];

			if (no_exchange_is_better(s, best, from, clean))
				break;
			if (can_take(s, to))
				consider_exchange(s, best, from, to, clean);
		}
}

/* --- the loop ------------------------------------------------------------------------------ */

/* Makes the best single move or exchange that relieves the hot core. False if there is none. */
static bool relieve_by_one_move(struct search *s)
{
	struct balancer *b = s->b;
	struct candidate best = {.group = NONE};
	int from;

	if (b->work >= b->work_max)
		return false;
	b->work += s->domain->n_seats / 2;
	find_coolest(s);
	consider_all(s, &best, true);
	if (best.group == NONE || !best.clean)
		consider_all(s, &best, false);
	if (best.group == NONE || b->n_steps + 2 > b->steps_max)
		return false;
	from = b->groups[best.group].seat;
	steps_add(b, best.group, best.to, best.back == NONE);
	if (best.back != NONE)
		steps_add(b, best.back, from, true);
	return true;
}

/* Whether two groups may change places: neither core gets hotter than the limit. */
static bool may_exchange(const struct balancer *b, int group, int other, uint64_t limit)
{
	int seat = b->groups[group].seat, seat2 = b->groups[other].seat;
	int core = b->seats[seat].core, core2 = b->seats[seat2].core;
	int64_t more = (int64_t)model_cost(b, other, seat) - (int64_t)model_cost(b, group, seat);
	int64_t more2 = (int64_t)model_cost(b, group, seat2) - (int64_t)model_cost(b, other, seat2);

	if (!model_allowed(b, group, seat2) || !model_allowed(b, other, seat) ||
	    b->cores[core].aside || b->cores[core2].aside)
		return false;
	if (core == core2)
		return model_heat_if(b, core, seat, more, seat2, more2) <= limit;
	return model_heat_if(b, core, seat, more, NONE, 0) <= limit &&
	       model_heat_if(b, core2, seat2, more2, NONE, 0) <= limit;
}

/* A group goes back to its place, and one that came there goes where it was. */
static void exchange_back(struct balancer *b, const struct domain *domain, int group,
                          uint64_t limit)
{
	int16_t seat = b->groups[group].seat, origin = b->groups[group].origin;

	for (int g = b->seats[origin].first; g != NONE; g = b->groups[g].next)
		if (model_has_moved(b, domain, g) && may_exchange(b, group, g, limit)) {
			model_move(b, g, seat);
			model_move(b, group, origin);
			return;
		}
}

/* Takes back what is not needed in the end: moves of groups that may as well be where they were. */
static void take_back_needless(struct balancer *b, const struct domain *domain, uint64_t limit)
{
	for (unsigned g = 0; g < b->n_groups; g++) {
		const struct group *group = &b->groups[g];
		int core = b->seats[group->origin].core;

		if (!model_has_moved(b, domain, (int)g) || b->cores[core].aside)
			continue;
		if (model_heat_if(b, core, group->origin,
		                  (int64_t)model_cost(b, (int)g, group->origin), NONE, 0) <= limit)
			model_move(b, (int)g, group->origin);
		else
			exchange_back(b, domain, (int)g, limit);
	}
}

/* Whether another seat of the domain serves the group at less cost. */
static bool is_cheaper_elsewhere(const struct balancer *b, const struct domain *domain, int group)
{
	uint64_t cost = model_cost(b, group, b->groups[group].seat);

	for (unsigned i = 0; i < domain->n_seats; i++) {
		int seat = b->seat_list[domain->first_seat + i];

		if (model_allowed(b, group, seat) && model_cost(b, group, seat) < cost)
			return true;
	}
	return false;
}

/* Whether a core leaves nothing to choose from: it has no group that may move, or but one, which is
 * alone there and as well off as anywhere. */
static bool has_no_choice(const struct balancer *b, const struct domain *domain, int core)
{
	int only = NONE;

	for (int s = b->cores[core].first; s != NONE; s = b->seats[s].next_in_core) {
		int first = b->seats[s].first;

		if (first != NONE && (only != NONE || b->groups[first].next != NONE))
			return false;
		if (first != NONE)
			only = first;
	}
	return only == NONE || (model_cost(b, only, b->groups[only].seat) == b->cores[core].load &&
	                        !is_cheaper_elsewhere(b, domain, only));
}

/* What is as good as `heat`, the best that is possible: going on would move lanes for little. */
static uint64_t good_enough(uint64_t heat)
{
	return heat + heat / 40;
}

bool search_domain(struct balancer *b, const struct domain *domain)
{
	struct search s = {.b = b, .domain = domain};
	bool uneven = false;

	b->n_steps = 0;
	s.target = good_enough(model_fair_heat(b, domain));
	for (;;) {
		s.hot = model_hottest(b, domain);
		if (s.hot == NONE)
			break;
		s.heat = model_heat(b, s.hot);
		if (s.heat <= s.target)
			break;
		uneven = true;
		if (!has_no_choice(b, domain, s.hot) &&
		    (relieve_by_one_move(&s) || repack_relieve(b, domain, s.hot, s.target)))
			continue;
		b->cores[s.hot].aside = true;
		s.target = good_enough(model_fair_heat(b, domain));
	}
	if (model_moved_lanes(b, domain) <= b->moves_left)
		take_back_needless(b, domain, s.target);
	/* Otherwise this round makes only the first of the steps. */
	return uneven;
}
