/* Evening out one domain: the hottest core is relieved by one move or by two groups that change
 * places, again and again, until it is as cool as it can fairly be. What neither can do is a
 * puzzle (balancer_puzzle.c); a core that not even that relieves is set aside.
 *
 * Every step makes the hottest core less hot and none as hot as it was: the list of the heats in
 * falling order always shrinks, so the search ends, and stopping after any step does no harm.
 */
#include "control/balancer_model.h"

#define LEAP_STEPS 12 /* to make room for one */

struct search {
	struct balancer *b;
	const struct domain *domain;
	int hot;         /* core */
	uint64_t heat;   /* its own */
	uint64_t target; /* no core needs to be cooler */
};

/* A group that leaves the hot core, and maybe one that comes back for it. */
struct candidate {
	int group, to, back;
	bool clean;     /* it makes no other core too hot */
	unsigned lanes; /* that move */
	uint64_t gain;  /* heat that is taken away, as far as it is too much */
	uint64_t level; /* the hotter of the cores concerned, afterwards */
	uint64_t cost;  /* load that moves */
};

static bool is_better(const struct candidate *a, const struct candidate *b)
{
	if (b->group == NONE || a->clean != b->clean)
		return b->group == NONE || a->clean;
	if (!a->clean)
		return a->level < b->level;
	if (a->gain * b->lanes != b->gain * a->lanes)
		return a->gain * b->lanes > b->gain * a->lanes;
	return a->cost < b->cost;
}

static void consider(const struct search *s, struct candidate *best, int group, int to, int back)
{
	struct balancer *b = s->b;
	int from = b->groups[group].seat;
	int hot = b->seats[from].core, other = b->seats[to].core;
	int64_t less = (int64_t)model_cost(b, group, from),
	        more = (int64_t)model_cost(b, group, to);
	struct candidate new = {.group = group, .to = to, .back = back};
	uint64_t heat, heat_other;

	b->work++;
	if (!model_allowed(b, group, to) || (back != NONE && !model_allowed(b, back, from)))
		return;
	new.lanes = b->groups[group].n_lanes;
	new.cost = (uint64_t)less;
	if (back != NONE) {
		less -= (int64_t)model_cost(b, back, from);
		more -= (int64_t)model_cost(b, back, to);
		new.lanes += b->groups[back].n_lanes;
		new.cost += (uint64_t)model_cost(b, back, from);
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
	/* Below a thousandth there is only rounding to be gained. */
	if (new.level + s->heat / 1024 + 1 > s->heat)
		return;
	new.gain = s->heat - (heat > s->target ? heat : s->target);
	if (is_better(&new, best))
		*best = new;
}

/* On another core than the hot one, and not on one that is set aside with the load it has. */
static bool can_take(const struct search *s, int seat)
{
	int core = s->b->seats[seat].core;

	return core != s->hot && !s->b->cores[core].aside;
}

/* --- one group moves ----------------------------------------------------------------------- */

static void consider_moves(const struct search *s, struct candidate *best)
{
	struct balancer *b = s->b;
	int16_t *coolest = b->coolest;

	for (unsigned i = 0; i < b->n_kinds; i++)
		coolest[i] = NONE;
	for (unsigned i = 0; i < s->domain->n_seats; i++) {
		int seat = b->seat_list[s->domain->first_seat + i];
		int16_t *known = &coolest[b->seats[seat].kind];

		if (can_take(s, seat) &&
		    (*known == NONE || model_seat_heat(b, seat) < model_seat_heat(b, *known)))
			*known = (int16_t)seat;
	}
	for (int from = b->cores[s->hot].first; from != NONE; from = b->seats[from].next_in_core)
		for (int g = b->seats[from].first; g != NONE; g = b->groups[g].next) {
			for (unsigned i = 0; i < b->n_kinds; i++)
				if (coolest[i] != NONE)
					consider(s, best, g, coolest[i], NONE);
			for (int to = b->cores[s->hot].first; to != NONE;
			     to = b->seats[to].next_in_core)
				if (to != from)
					consider(s, best, g, to, NONE);
		}
}

/* --- two groups change places -------------------------------------------------------------- */

/* Pairs whose difference is as near as possible to `difference`, a load: both lists fall, so that
 * one walk along each finds them all. */
static void consider_pairs(const struct search *s, struct candidate *best, int from, int to,
                           uint64_t difference)
{
	struct balancer *b = s->b;
	int back = b->seats[to].first;

	difference = difference * SLOWNESS_ONE / b->seats[to].slowness;
	for (int g = b->seats[from].first; g != NONE && back != NONE; g = b->groups[g].next) {
		uint64_t weight = b->groups[g].weight;
		int next = b->groups[back].next;

		while (next != NONE && b->groups[next].weight + difference >= weight) {
			back = next;
			next = b->groups[back].next;
		}
		/* The last one that leaves at most the difference, and the first that leaves more.
		 */
		consider(s, best, g, to, back);
		if (next != NONE)
			consider(s, best, g, to, next);
	}
}

static void consider_exchanges(const struct search *s, struct candidate *best, bool clean)
{
	struct balancer *b = s->b;

	for (unsigned i = 0; i < s->domain->n_seats; i++) {
		int to = b->seat_list[s->domain->first_seat + i];
		uint64_t there = model_seat_heat(b, to), difference;

		if (!can_take(s, to) || there >= (clean ? s->target : s->heat))
			continue;
		difference = (s->heat - there) / 4;
		if (clean) {
			uint64_t room = (s->target - there) / 2, need = (s->heat - s->target) / 2;

			difference = room < need ? room : need;
		}
		for (int from = b->cores[s->hot].first; from != NONE;
		     from = b->seats[from].next_in_core)
			consider_pairs(s, best, from, to, difference);
	}
}

/* --- the loop ------------------------------------------------------------------------------ */

bool search_step(struct balancer *b, int group, int to, bool last)
{
	if (b->n_steps == b->steps_max)
		return false;
	b->steps[b->n_steps++] = (struct step){.group = (int16_t)group,
	                                       .from = b->groups[group].seat,
	                                       .to = (int16_t)to,
	                                       .last = last};
	model_move(b, group, to);
	return true;
}

/* By one move or one exchange. */
static bool relieve_simply(struct search *s)
{
	struct balancer *b = s->b;
	struct candidate best = {.group = NONE};
	int from;

	consider_moves(s, &best);
	/* An exchange moves twice as much for at most the whole excess. */
	if (best.group == NONE || !best.clean || best.gain * 2 < s->heat - s->target)
		consider_exchanges(s, &best, true);
	if (best.group == NONE || !best.clean)
		consider_exchanges(s, &best, false);
	if (best.group == NONE || b->n_steps + 2 > b->steps_max)
		return false;
	from = b->groups[best.group].seat;
	search_step(b, best.group, best.to, best.back == NONE);
	if (best.back != NONE)
		search_step(b, best.back, from, true);
	return true;
}

static void undo_steps(struct balancer *b, unsigned n_steps)
{
	while (b->n_steps > n_steps) {
		const struct step *step = &b->steps[--b->n_steps];

		model_move(b, step->group, step->from);
	}
}

/* Puts a group where there is no room for it, and looks whether others can make room. */
static bool leap(const struct search *s, int group, int to)
{
	struct balancer *b = s->b;
	struct search inner = *s;
	unsigned n_steps = b->n_steps;

	if (!search_step(b, group, to, false))
		return false;
	for (unsigned i = 0; i < LEAP_STEPS; i++) {
		inner.hot = model_hottest(b, s->domain);
		inner.heat = model_heat(b, inner.hot);
		if (inner.heat + s->heat / 1024 + 1 <= s->heat) {
			for (unsigned j = n_steps; j < b->n_steps; j++)
				b->steps[j].last = j + 1 == b->n_steps;
			return true;
		}
		if (!relieve_simply(&inner))
			break;
	}
	undo_steps(b, n_steps);
	return false;
}

/* Where the group would fit best, on another core. */
static int coolest_for(const struct search *s, int group)
{
	const struct balancer *b = s->b;
	uint64_t least = UINT64_MAX;
	int best = NONE;

	for (unsigned i = 0; i < s->domain->n_seats; i++) {
		int seat = b->seat_list[s->domain->first_seat + i];
		uint64_t heat = model_seat_heat(b, seat) + 2 * model_cost(b, group, seat);

		if (b->seats[seat].core != s->hot && model_allowed(b, group, seat) &&
		    heat < least) {
			least = heat;
			best = seat;
		}
	}
	return best;
}

static bool relieve_by_leap(const struct search *s)
{
	struct balancer *b = s->b;

	for (int from = b->cores[s->hot].first; from != NONE; from = b->seats[from].next_in_core)
		for (int g = b->seats[from].first, next; g != NONE; g = next) {
			int to = coolest_for(s, g);

			next = b->groups[g].next;
			if (b->leaps_left == 0)
				return false;
			b->leaps_left--;
			if (to != NONE && leap(s, g, to))
				return true;
		}
	return false;
}

/* Moves that are not needed in the end: groups that may as well be where they were. */
static void take_back(struct balancer *b, const struct domain *domain, uint64_t limit)
{
	for (unsigned g = 0; g < b->n_groups; g++) {
		const struct group *group = &b->groups[g];
		int core = b->seats[group->origin].core;

		if (!model_has_moved(b, domain, (int)g) || b->cores[core].aside)
			continue;
		if (model_heat_if(b, core, group->origin,
		                  (int64_t)model_cost(b, (int)g, group->origin), NONE, 0) <= limit)
			model_move(b, (int)g, group->origin);
	}
}

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

/* Nothing to choose from: no group that may move, or but one, alone, where it is as well off as
 * anywhere. */
static bool is_simple(const struct balancer *b, const struct domain *domain, int core)
{
	uint64_t load = b->cores[core].load;
	unsigned n = 0;
	int last = NONE;

	for (int s = b->cores[core].first; s != NONE; s = b->seats[s].next_in_core)
		for (int g = b->seats[s].first; g != NONE; g = b->groups[g].next) {
			n++;
			last = g;
		}
	return n == 0 || (n == 1 && model_cost(b, last, b->groups[last].seat) == load &&
	                  !is_cheaper_elsewhere(b, domain, last));
}

bool search_domain(struct balancer *b, const struct domain *domain)
{
	struct search s = {.b = b, .domain = domain};
	bool uneven = false, know_best = false;

	b->n_steps = 0;
	s.target = model_with_slack(model_fair_heat(b, domain));
	for (;;) {
		bool simple;

		s.hot = model_hottest(b, domain);
		if (s.hot == NONE)
			break;
		s.heat = model_heat(b, s.hot);
		if (s.heat <= s.target)
			break;
		simple = is_simple(b, domain, s.hot);
		if (!know_best && !simple) {
			uint64_t best = puzzle_best(b, domain, s.heat, s.target);

			know_best = true;
			if (best > s.target)
				s.target = model_with_slack(best);
			if (s.heat <= s.target)
				break;
			if (best != 0 && puzzle_shorten(b, domain, s.target))
				return true;
		}
		uneven = true;
		if (!simple && (relieve_simply(&s) || puzzle_relieve(b, domain, s.hot, s.target) ||
		                relieve_by_leap(&s)))
			continue;
		b->cores[s.hot].aside = true;
		s.target = model_with_slack(model_fair_heat(b, domain));
		know_best = false;
	}
	if (model_moved_lanes(b, domain) <= b->moves_left)
		take_back(b, domain, s.target);
	/* Else not all of it will be done now, and then by the steps. */
	return uneven;
}
