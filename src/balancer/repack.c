/* Filling seats anew: all groups of some cores are taken off, and the seats filled one after the
 * other, each with the heaviest group that is left and those that leave the least room beside it.
 * That finds arrangements which fit exactly, where moving and exchanging groups gets stuck.
 */
#include "balancer/repack.h"

#include "balancer/steps.h"

#define REPACK_GROUPS 256
#define REPACK_SEATS  128
#define TIGHTNESSES   3   /* how tightly seats are filled, one try each */
#define FILL_LIMIT    100 /* sets of groups that are looked at for one seat */
#define STEPS_DOWN    8   /* limits between the hot core's heat and the target that are tried */

_Static_assert(REPACK_GROUPS <= UINT8_MAX + 1, "a choice fits 8 bits");

/* Which of the seats that have room for a group it is put on. */
enum choice {
	CHOOSE_OWN,   /* the one that it is on now, else as CHOOSE_LEAST */
	CHOOSE_LEAST, /* the one with the least room */
	CHOOSE_MOST,  /* the one with the most room */
};

/* The heaviest group decides what the others can do, so its choice is one of its own. The first way
 * moves the fewest groups. */
struct way {
	enum choice heaviest, others;
};

static const struct way ways[] = {{CHOOSE_OWN, CHOOSE_OWN},
                                  {CHOOSE_LEAST, CHOOSE_LEAST},
                                  {CHOOSE_MOST, CHOOSE_MOST},
                                  {CHOOSE_OWN, CHOOSE_MOST},
                                  {CHOOSE_OWN, CHOOSE_LEAST}};

/* A seat to be filled. Loads are at its speed. */
struct place {
	int16_t seat;
	bool filled;
	uint64_t pinned; /* load that has to stay there */
	uint64_t load;   /* all of it, once the place is filled */
	uint64_t room;   /* beside what is pinned, if the core's seats share evenly what it bears */
	uint64_t alone;  /* room for one heavy group, if its siblings leave theirs to it */
};

struct repack {
	struct balancer *b;
	uint64_t limit; /* the heat that no core may exceed */
	unsigned n_groups, n_places;
	int16_t group[REPACK_GROUPS]; /* the heaviest first */
	int16_t to[REPACK_GROUPS];    /* its seat, NONE while it has none */
	struct place place[REPACK_SEATS];
	bool chosen[BALANCER_WORKERS_MAX]; /* by core: its seats are places */
	uint64_t weight;                   /* of the groups that have no seat yet */
	uint64_t room_left;                /* of the places that are open, as load on a whole CPU */
	unsigned places_left;

	/* The place being filled: what may go there, and the best set so far. */
	unsigned n_choices;
	uint8_t choice[REPACK_GROUPS];                     /* indices of `group` */
	uint64_t cost[REPACK_GROUPS];                      /* by choice */
	uint64_t rest[REPACK_GROUPS + 1];                  /* the sum of costs from here on */
	uint8_t taken[REPACK_GROUPS], best[REPACK_GROUPS]; /* choices */
	unsigned n_best;
	uint64_t least; /* room that the best set leaves */
	uint64_t good;  /* room that may be left */
	unsigned budget;
};

/* a - b, or nothing. */
static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* --- room ---------------------------------------------------------------------------------- */

static uint64_t on_whole_cpu(const struct repack *r, const struct place *place, uint64_t load)
{
	return load * SLOWNESS_ONE / r->b->seats[place->seat].slowness;
}

static void set_room(struct repack *r, struct place *place, uint64_t room)
{
	r->room_left -= on_whole_cpu(r, place, place->room);
	place->room = room;
	r->room_left += on_whole_cpu(r, place, place->room);
}

/* Gives the core's open places their room. Heat is the load of a core and once more that of its
 * busiest seat: what the filled seats leave of the limit is shared evenly by the open ones. */
static void share_room(struct repack *r, int core)
{
	uint64_t used = 0, busiest = 0, pinned = 0, share, n_open = 0;

	for (unsigned p = 0; p < r->n_places; p++) {
		const struct place *place = &r->place[p];

		if (r->b->seats[place->seat].core != core)
			continue;
		if (!place->filled) {
			pinned += place->pinned;
			n_open++;
			continue;
		}
		used += place->load;
		if (place->load > busiest)
			busiest = place->load;
	}
	share = minus(r->limit, used) / (n_open + 1);
	if (share < busiest && n_open > 0)
		share = minus(r->limit, used + busiest) / n_open;
	for (unsigned p = 0; p < r->n_places; p++) {
		struct place *place = &r->place[p];
		uint64_t left;

		if (r->b->seats[place->seat].core != core || place->filled)
			continue;
		set_room(r, place, minus(share, place->pinned));
		left = minus(r->limit, used + pinned - place->pinned);
		place->alone = minus(lesser(left / 2, minus(left, busiest)), place->pinned);
	}
}

/* --- one place ----------------------------------------------------------------------------- */

/* The heaviest first; and what is there now before what weighs as much, or (`stay`) before all
 * others: so little moves. */
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

/* Looks for the set of choices that leaves the least room. True when the search is over: little
 * enough room is left, or enough was looked at. */
static bool find_set(struct repack *r, unsigned from, unsigned n_taken, uint64_t room)
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
		if (find_set(r, i + 1, n_taken + 1, room - r->cost[i]))
			return true;
	}
	return false;
}

static void assign(struct repack *r, unsigned i, struct place *place)
{
	r->to[i] = place->seat;
	r->weight -= r->b->groups[r->group[i]].weight;
	place->load += model_cost(r->b, r->group[i], place->seat);
}

/* With group i and others beside it. */
static void fill_place(struct repack *r, unsigned i, struct place *place, unsigned tightness)
{
	struct balancer *b = r->b;

	/* Of what room there is too much, each seat may leave its share, or a part of that. */
	r->good = minus(r->room_left, r->weight) / r->places_left / (1 + 4 * tightness);
	r->places_left--;
	place->filled = true;
	assign(r, i, place);
	list_choices(r, place->seat, tightness == 0);
	r->budget = FILL_LIMIT;
	r->least = UINT64_MAX;
	find_set(r, 0, 0, minus(place->room, place->load - place->pinned));
	for (unsigned k = 0; k < r->n_best; k++)
		assign(r, r->choice[r->best[k]], place);
	set_room(r, place, 0);
	share_room(r, b->seats[place->seat].core);
	b->work += r->n_places / 4 + r->n_groups / 4 + (FILL_LIMIT - r->budget);
}

/* --- all of them --------------------------------------------------------------------------- */

/* NULL if the group fits nowhere. */
static struct place *choose_place(struct repack *r, int group, enum choice choice)
{
	const struct balancer *b = r->b;
	struct place *best = NULL;
	uint64_t best_room = 0;

	for (unsigned p = 0; p < r->n_places; p++) {
		struct place *place = &r->place[p];
		uint64_t cost = model_cost(b, group, place->seat);
		uint64_t room = cost <= place->room ? place->room : place->alone;

		if (place->filled || cost > room || !model_allowed(b, group, place->seat))
			continue;
		if (choice == CHOOSE_OWN && place->seat == b->groups[group].seat)
			return place;
		if (best == NULL || (choice == CHOOSE_MOST ? room > best_room : room < best_room)) {
			best = place;
			best_room = room;
		}
	}
	return best;
}

/* No group has a seat, and no place is filled but those where more is pinned than their share. */
static void start(struct repack *r)
{
	const struct balancer *b = r->b;

	r->weight = r->room_left = 0;
	r->places_left = r->n_places;
	for (unsigned i = 0; i < r->n_groups; i++) {
		r->to[i] = NONE;
		r->weight += b->groups[r->group[i]].weight;
	}
	for (unsigned p = 0; p < r->n_places; p++) {
		struct place *place = &r->place[p];
		unsigned n_seats = b->cores[b->seats[place->seat].core].n_seats;

		place->load = place->pinned;
		place->room = 0;
		place->filled = place->pinned > r->limit / (n_seats + 1u);
		r->places_left -= place->filled;
	}
	for (unsigned p = 0; p < r->n_places; p++)
		share_room(r, b->seats[r->place[p].seat].core);
}

/* The less tightly, the less moves; the tighter, the more room is left for the last ones. */
static bool fill_all(struct repack *r, unsigned tightness, const struct way *way)
{
	start(r);
	for (unsigned i = 0; i < r->n_groups; i++) {
		struct place *place = NULL;

		if (r->to[i] != NONE)
			continue;
		if (r->weight <= r->room_left)
			place = choose_place(r, r->group[i], i == 0 ? way->heaviest : way->others);
		if (place == NULL)
			return false;
		fill_place(r, i, place, tightness);
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
			steps_add(b, r->group[i], r->to[i], i == last);
	return true;
}

/* --- which cores --------------------------------------------------------------------------- */

/* False if it cannot be made cool enough, or if there are too many seats. */
static bool add_core(struct repack *r, int core)
{
	const struct balancer *b = r->b;
	uint64_t all_pinned = 0, most_pinned = 0;

	for (int s = b->cores[core].first; s != NONE; s = b->seats[s].next_in_core) {
		uint64_t pinned = b->seats[s].load;

		if (r->n_places == REPACK_SEATS)
			return false;
		for (int g = b->seats[s].first; g != NONE; g = b->groups[g].next)
			pinned -= model_cost(b, g, s);
		r->place[r->n_places++] = (struct place){.seat = (int16_t)s, .pinned = pinned};
		all_pinned += pinned;
		if (pinned > most_pinned)
			most_pinned = pinned;
	}
	r->chosen[core] = true;
	return all_pinned + most_pinned <= r->limit;
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

/* What is tried: so many cores, which are the hot one, the coolest, and of the others those from
 * the `skip` coolest on; no heat above the limit; one way. */
struct attempt {
	const struct domain *domain;
	int hot;
	uint64_t limit;
	const struct way *way;
	unsigned size, skip;
};

static bool try_repacking(struct balancer *b, const struct attempt *attempt)
{
	struct repack r = {.b = b, .limit = attempt->limit};
	unsigned n = 1, skip = attempt->skip;

	if (!add_core(&r, attempt->hot))
		return false;
	for (unsigned i = attempt->domain->n_cores; i-- > 0 && n < attempt->size;) {
		int core = b->after[i].core;

		if (core == attempt->hot || b->cores[core].aside)
			continue;
		if (n > 1 && skip > 0)
			skip--;
		else if (add_core(&r, core))
			n++;
		else
			return false;
	}
	if (!add_groups(&r))
		return false;
	for (unsigned tightness = 0; tightness < TIGHTNESSES; tightness++)
		if (fill_all(&r, tightness, attempt->way) && carry_out(&r))
			return true;
	return false;
}

/* With ever more cores, up to all of them that are not aside. */
static bool try_all_sizes(struct balancer *b, struct attempt *attempt, unsigned n_cores)
{
	for (unsigned size = 3; n_cores > 1; size *= 2) {
		attempt->size = size < n_cores ? size : n_cores;
		for (unsigned skip = 0; skip + attempt->size <= n_cores;
		     skip += attempt->size > 2 ? attempt->size - 2 : 1) {
			attempt->skip = skip;
			if (b->work >= b->work_max)
				return false;
			if (try_repacking(b, attempt))
				return true;
		}
		if (attempt->size == n_cores)
			break;
	}
	return false;
}

bool repack_relieve(struct balancer *b, const struct domain *domain, int hot, uint64_t target)
{
	uint64_t heat = model_heat(b, hot);
	unsigned n_cores = 0;

	for (unsigned i = 0; i < domain->n_cores; i++)
		n_cores += !b->cores[b->core_list[domain->first_core + i]].aside;
	model_rank(b, domain, b->after);
	for (unsigned way = 0; way < sizeof(ways) / sizeof(*ways); way++)
		for (unsigned step = STEPS_DOWN; step > 0; step--) {
			struct attempt attempt = {.domain = domain,
			                          .hot = hot,
			                          .limit = heat -
			                                   (heat - target) * step / STEPS_DOWN,
			                          .way = &ways[way]};

			if (step < STEPS_DOWN && attempt.limit + heat / 128 > heat)
				break; /* too little to be worth a move */
			if (try_all_sizes(b, &attempt, n_cores))
				return true;
		}
	return false;
}
