/* Packing. See pack.h.
 *
 * Two marks with a gap between them keep lanes from going to and fro: a worker is filled up to the
 * lower one, and only above the upper one lanes are spread. And whatever went above it has the next
 * rounds pack nothing, so that a load which comes and goes stays spread.
 */
#include "balancer/pack.h"

#define FILL_TO   500000u /* pressure that a worker may have after packing */
#define SPREAD_AT 700000u /* from here on lanes are spread over all workers */
#define CALM      6u      /* rounds below that before anything is packed */

static bool is_hot(const struct balancer *b, int core)
{
	return model_heat(b, core) > 2ull * SPREAD_AT;
}

bool pack_is_due(const struct balancer *b, const struct domain *domain)
{
	if (!b->snapshot->settings.pack)
		return false;
	for (unsigned i = 0; i < domain->n_cores; i++)
		if (is_hot(b, b->core_list[domain->first_core + i]))
			return false;
	return true;
}

void pack_keep_calm(struct balancer *b)
{
	struct balancer_memory *memory = b->snapshot->memory;
	bool hot = false;

	if (memory == NULL)
		return;
	for (unsigned i = 0; i < b->n_cores; i++)
		hot |= is_hot(b, (int)i);
	if (hot || !b->snapshot->settings.pack)
		memory->calm = 0;
	else if (memory->calm < CALM)
		memory->calm++;
}

/* A core that has only groups that may move, and few enough lanes: the least loaded one that has
 * not been tried yet. */
static int core_to_empty(const struct balancer *b, const struct domain *domain, uint64_t at_least)
{
	uint64_t least = UINT64_MAX;
	int best = NONE;

	for (unsigned i = 0; i < domain->n_cores; i++) {
		int c = b->core_list[domain->first_core + i];
		const struct core *core = &b->cores[c];
		/* Loads that are the same need an order too. */
		uint64_t rank = core->load * BALANCER_WORKERS_MAX + (unsigned)c;
		unsigned movable = 0;

		for (int s = core->first; s != NONE; s = b->seats[s].next_in_core)
			for (int g = b->seats[s].first; g != NONE; g = b->groups[g].next)
				movable += b->groups[g].n_lanes;
		if (core->n_lanes == 0 || movable < core->n_lanes || movable > b->moves_left ||
		    rank < at_least || rank >= least)
			continue;
		least = rank;
		best = c;
	}
	return best;
}

/* The busiest seat that holds the group too, of another core that is awake anyhow. */
static int seat_for(const struct balancer *b, const struct domain *domain, int group, int but)
{
	uint64_t most = 0;
	int best = NONE;

	for (unsigned i = 0; i < domain->n_seats; i++) {
		int s = b->seat_list[domain->first_seat + i], core = b->seats[s].core;
		uint64_t heat;

		if (core == but || b->cores[core].n_lanes == 0 || !model_allowed(b, group, s))
			continue;
		heat = model_heat_if(b, core, s, (int64_t)model_cost(b, group, s), NONE, 0);
		if (heat <= 2ull * FILL_TO && (best == NONE || heat > most)) {
			most = heat;
			best = s;
		}
	}
	return best;
}

static void settle(struct balancer *b, const struct domain *domain, bool keep)
{
	for (unsigned i = 0; i < b->n_groups; i++) {
		/* The lightest first: they end up last in their lists. */
		int g = b->order[0][b->n_groups - 1 - i];
		struct group *group = &b->groups[g];

		if (!model_has_moved(b, domain, g))
			continue;
		if (keep) {
			group->reason = BALANCER_PACK;
			group->origin = group->seat;
		} else {
			model_move(b, g, group->origin);
		}
	}
}

/* All of its groups or none. Returns the lanes that have moved. */
static unsigned empty_core(struct balancer *b, const struct domain *domain, int core)
{
	for (int s = b->cores[core].first; s != NONE; s = b->seats[s].next_in_core) {
		while (b->seats[s].first != NONE) {
			int g = b->seats[s].first, to = seat_for(b, domain, g, core);

			b->work++;
			if (to == NONE) {
				settle(b, domain, false);
				return 0;
			}
			model_move(b, g, to);
		}
	}
	unsigned moved = model_moved_lanes(b, domain);
	settle(b, domain, true);
	return moved;
}

void pack_domain(struct balancer *b, const struct domain *domain, struct balancer_verdict *verdict)
{
	const struct balancer_memory *memory = b->snapshot->memory;
	uint64_t next = 0;

	if (memory != NULL && memory->calm < CALM) {
		verdict->outcome = BALANCER_WAITS;
		return;
	}
	verdict->outcome = BALANCER_DENSE;
	for (int c; (c = core_to_empty(b, domain, next)) != NONE;) {
		next = b->cores[c].load * BALANCER_WORKERS_MAX + (unsigned)c + 1;

		unsigned moved = empty_core(b, domain, c);
		if (moved == 0)
			continue;
		verdict->outcome = BALANCER_PACKED;
		verdict->found += moved;
		b->moves_left -= moved;
	}
}

int pack_seat_for_new(const struct balancer *b, int group, uint64_t guess)
{
	uint64_t most = 0;
	int best = NONE;

	if (!b->snapshot->settings.pack)
		return NONE;
	for (unsigned s = 0; s < b->n_seats; s++) {
		const struct core *core = &b->cores[b->seats[s].core];
		uint64_t more = model_cost(b, group, (int)s) + guess;
		uint64_t heat = model_heat_if(b, b->seats[s].core, (int)s,
		                              (int64_t)(more + core->n_lanes * guess), NONE, 0);

		if ((b->groups[group].home >> b->seats[s].slot & 1) == 0 || core->n_lanes == 0 ||
		    heat > 2ull * FILL_TO || (best != NONE && heat <= most))
			continue;
		most = heat;
		best = (int)s;
	}
	return best;
}
