/* Where groups belong: their first placement, their return home, and their way to another NUMA node
 * when all of home is saturated.
 */
#include "balancer/numa.h"

#include "balancer/pack.h"

/* What a lane counts for in a placement, besides its load: an idle one may wake up at any time, and
 * at the start all are idle. A 20th of a CPU. */
#define LANE_GUESS (BALANCER_FULL / 20)

/* --- the first placement ------------------------------------------------------------------- */

/* The heat of the seat's core with the group on it, of loads and guesses alike. */
static uint64_t guessed_heat(const struct balancer *b, int group, int seat)
{
	const struct core *core = &b->cores[b->seats[seat].core];
	uint64_t mine =
	        model_cost(b, group, seat) + b->groups[group].n_lanes * (uint64_t)LANE_GUESS;
	uint64_t busiest = 0;

	for (int i = core->first; i != NONE; i = b->seats[i].next_in_core) {
		uint64_t load = b->seats[i].load + b->seats[i].n_lanes * (uint64_t)LANE_GUESS;

		if (i == seat)
			load += mine;
		if (load > busiest)
			busiest = load;
	}
	return core->load + core->n_lanes * (uint64_t)LANE_GUESS + mine + busiest;
}

void numa_place_new(struct balancer *b)
{
	for (unsigned g = 0; g < b->n_groups; g++) {
		struct group *group = &b->groups[g];
		uint64_t least = UINT64_MAX;
		int best = NONE;

		if (group->seat != NONE)
			continue;
		best = pack_seat_for_new(b, (int)g, LANE_GUESS);
		if (best != NONE) {
			model_move(b, (int)g, best);
			group->origin = group->seat;
			continue;
		}
		for (unsigned s = 0; s < b->n_seats; s++) {
			uint64_t heat;

			if ((group->home >> b->seats[s].slot & 1) == 0)
				continue;
			heat = guessed_heat(b, (int)g, (int)s);
			if (heat < least) {
				least = heat;
				best = (int)s;
			}
		}
		model_move(b, (int)g, best);
		group->origin = group->seat;
	}
}

/* --- coming home --------------------------------------------------------------------------- */

static bool is_at_home(const struct balancer *b, const struct group *group)
{
	return group->home >> b->seats[group->seat].slot & 1;
}

/* The seat at home that would be least hot with the group. */
static int coolest_home_seat(const struct balancer *b, int group)
{
	uint64_t least = UINT64_MAX;
	int best = NONE;

	for (unsigned s = 0; s < b->n_seats; s++) {
		uint64_t heat;

		if ((b->groups[group].home >> b->seats[s].slot & 1) == 0)
			continue;
		heat = model_heat_if(b, b->seats[s].core, (int)s,
		                     (int64_t)model_cost(b, group, (int)s), NONE, 0);
		if (heat < least) {
			least = heat;
			best = (int)s;
		}
	}
	return best;
}

/* Whether that seat at home has room for the group. With global_numa_opt a group comes home only if
 * that also makes the loads more even: otherwise it would be sent away again. */
static bool may_come_home(const struct balancer *b, int group, int seat)
{
	const struct balancer_settings *settings = &b->snapshot->settings;
	uint64_t cost = model_cost(b, group, seat);
	uint64_t here = model_heat(b, b->seats[b->groups[group].seat].core);
	uint64_t there = model_heat_if(b, b->seats[seat].core, seat, (int64_t)cost, NONE, 0);

	if (settings->global_numa_opt)
		return there + there / 8 <= here;
	return !settings->spill_over || there <= 2ull * settings->return_at;
}

void numa_come_home(struct balancer *b)
{
	bool everywhere = b->snapshot->settings.global_numa_opt;
	uint32_t all = (uint32_t)((1ull << b->n_slots) - 1);

	for (unsigned i = 0; i < b->n_groups; i++) {
		int g = b->order[0][i];
		struct group *group = &b->groups[g];
		int seat = NONE;

		group->nodes = everywhere ? all : group->home;
		if (group->pin != BALANCER_NOWHERE || is_at_home(b, group))
			continue;
		if (group->n_lanes <= b->moves_left)
			seat = coolest_home_seat(b, g);
		if (seat != NONE && may_come_home(b, g, seat)) {
			model_move(b, g, seat);
			group->origin = (int16_t)seat;
			group->reason = BALANCER_HOME;
			b->moves_left -= group->n_lanes;
		} else if (!everywhere) {
			group->nodes = 1u << b->seats[group->seat].slot;
		}
	}
}

/* --- spilling over ------------------------------------------------------------------------- */

/* Whether each seat at home is saturated, or would be with the group. */
static bool all_at_home_saturated(const struct balancer *b, int group)
{
	uint32_t mark = b->snapshot->settings.spill_at;

	for (unsigned s = 0; s < b->n_seats; s++)
		if ((b->groups[group].home >> b->seats[s].slot & 1) != 0 &&
		    (int)s != b->groups[group].seat &&
		    b->seats[s].load + model_cost(b, group, (int)s) <= mark)
			return false;
	return true;
}

/* A seat on another node for the group, or NONE. A worker counts as idle if its siblings are idle
 * too, and if nothing there gets saturated by the group: so whatever spills over makes the loads
 * more even. */
static int idle_remote_seat(const struct balancer *b, int group)
{
	const struct balancer_settings *settings = &b->snapshot->settings;
	uint64_t least = UINT64_MAX;
	int best = NONE;

	for (unsigned s = 0; s < b->n_seats; s++) {
		uint64_t cost = model_cost(b, group, (int)s), rank;
		int core = b->seats[s].core;

		if ((b->groups[group].home >> b->seats[s].slot & 1) != 0 ||
		    model_seat_heat(b, (int)s) > 2ull * settings->spill_idle ||
		    model_heat_if(b, core, (int)s, (int64_t)cost, NONE, 0) >
		            2ull * settings->spill_at)
			continue;
		/* The cheapest node first, and there the coolest. */
		rank = cost * BALANCER_FULL + model_seat_heat(b, (int)s);
		if (rank < least) {
			least = rank;
			best = (int)s;
		}
	}
	return best;
}

/* Sends one group from the seat to another node: the lightest that brings the seat below the mark,
 * or else the heaviest that finds a place. False if none does. */
static bool spill_from(struct balancer *b, int seat)
{
	uint64_t over = b->seats[seat].load - b->snapshot->settings.spill_at;
	int chosen = NONE, to = NONE;

	for (int g = b->seats[seat].first; g != NONE; g = b->groups[g].next) {
		int remote;

		if (chosen != NONE && model_cost(b, g, seat) <= over)
			break;
		if (b->groups[g].n_lanes > b->moves_left || model_cost(b, g, seat) == 0 ||
		    !all_at_home_saturated(b, g))
			continue;
		remote = idle_remote_seat(b, g);
		if (remote == NONE)
			continue;
		chosen = g;
		to = remote;
	}
	if (chosen == NONE)
		return false;
	b->moves_left -= b->groups[chosen].n_lanes;
	b->groups[chosen].reason = BALANCER_SPILL;
	model_move(b, chosen, to);
	return true;
}

void numa_spill(struct balancer *b)
{
	const struct balancer_settings *settings = &b->snapshot->settings;

	if (!settings->spill_over || settings->global_numa_opt)
		return;
	for (unsigned s = 0; s < b->n_seats; s++)
		while (b->seats[s].load > settings->spill_at)
			if (!spill_from(b, (int)s))
				break;
}
