/* The balancer's rounds: what has to be done, what would be better, and whether that is worth it.
 */
#include "balancer/balancer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "balancer/model.h"

#define MOVES_AT_LEAST 16
/* What the search of one round may look at: keeps it below a millisecond. A search that is cut
 * short has only done less. */
#define WORK_MAX 30000
#define KEYS     (RELAYS_MAX * 2 * BALANCER_GROUPS_MAX)

unsigned balancer_default_moves(unsigned n_lanes)
{
	unsigned half = (n_lanes + 1) / 2;

	return half > MOVES_AT_LEAST ? half : MOVES_AT_LEAST;
}

struct balancer *balancer_create(unsigned lanes_max, unsigned workers_max)
{
	struct balancer *b;

	if (lanes_max == 0 || lanes_max > INT16_MAX || workers_max == 0 ||
	    workers_max > BALANCER_WORKERS_MAX) {
		errno = EINVAL;
		return NULL;
	}
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return NULL;
	b->lanes_max = lanes_max;
	b->workers_max = workers_max;
	b->steps_max = 4 * lanes_max;
	b->groups = calloc(lanes_max, sizeof(*b->groups));
	b->group_of = calloc(lanes_max, sizeof(*b->group_of));
	b->cost = calloc((size_t)lanes_max * BALANCER_NODES_MAX, sizeof(*b->cost));
	b->order[0] = calloc(lanes_max, sizeof(*b->order[0]));
	b->order[1] = calloc(lanes_max, sizeof(*b->order[1]));
	b->by_key = calloc(KEYS, sizeof(*b->by_key));
	b->seats = calloc(workers_max, sizeof(*b->seats));
	b->cores = calloc(workers_max, sizeof(*b->cores));
	b->core_list = calloc(workers_max, sizeof(*b->core_list));
	b->seat_list = calloc(workers_max, sizeof(*b->seat_list));
	b->coolest = calloc(workers_max, sizeof(*b->coolest));
	b->before = calloc(workers_max, sizeof(*b->before));
	b->after = calloc(workers_max, sizeof(*b->after));
	b->steps = calloc(b->steps_max, sizeof(*b->steps));
	b->workers = calloc(lanes_max, sizeof(*b->workers));
	b->moves = calloc(lanes_max, sizeof(*b->moves));
	b->pressure_before = calloc(workers_max, sizeof(*b->pressure_before));
	b->noise = calloc(workers_max, sizeof(*b->noise));
	if (b->groups == NULL || b->group_of == NULL || b->cost == NULL || b->order[0] == NULL ||
	    b->order[1] == NULL || b->by_key == NULL || b->seats == NULL || b->cores == NULL ||
	    b->core_list == NULL || b->seat_list == NULL || b->coolest == NULL ||
	    b->before == NULL || b->after == NULL || b->steps == NULL || b->workers == NULL ||
	    b->moves == NULL || b->pressure_before == NULL || b->noise == NULL) {
		balancer_destroy(b);
		errno = ENOMEM;
		return NULL;
	}
	return b;
}

void balancer_destroy(struct balancer *b)
{
	if (b == NULL)
		return;
	free(b->groups);
	free(b->group_of);
	free(b->cost);
	free(b->order[0]);
	free(b->order[1]);
	free(b->by_key);
	free(b->seats);
	free(b->cores);
	free(b->core_list);
	free(b->seat_list);
	free(b->coolest);
	free(b->before);
	free(b->after);
	free(b->steps);
	free(b->workers);
	free(b->moves);
	free(b->pressure_before);
	free(b->noise);
	free(b);
}

/* --- one domain ---------------------------------------------------------------------------- */

static void go_back(struct balancer *b, const struct domain *domain)
{
	/* The lightest first: they end up last in their lists. */
	for (unsigned i = b->n_groups; i-- > 0;) {
		int g = b->order[0][i];

		if (model_has_moved(b, domain, g))
			model_move(b, g, b->groups[g].origin);
	}
}

/* As many of the search's steps as may be done in this round. */
static void go_part_of_the_way(struct balancer *b, const struct domain *domain)
{
	unsigned keep = 0, moved = 0;

	go_back(b, domain);
	for (unsigned i = 0; i < b->n_steps; i++) {
		const struct group *group = &b->groups[b->steps[i].group];

		if (group->seat != group->origin)
			moved -= group->n_lanes;
		model_move(b, b->steps[i].group, b->steps[i].to);
		if (group->seat != group->origin)
			moved += group->n_lanes;
		if (b->steps[i].last && moved <= b->moves_left)
			keep = i + 1;
	}
	go_back(b, domain);
	for (unsigned i = 0; i < keep; i++)
		model_move(b, b->steps[i].group, b->steps[i].to);
}

/* Groups that leave a seat which loses load relieve it; the others make room for them. */
static void settle(struct balancer *b, const struct domain *domain)
{
	for (unsigned g = 0; g < b->n_groups; g++) {
		struct group *group = &b->groups[g];

		if (!model_has_moved(b, domain, (int)g))
			continue;
		group->reason = b->seats[group->origin].load < b->seats[group->origin].load_before
		                        ? BALANCER_RELIEVE
		                        : BALANCER_ROOM;
	}
	for (unsigned g = 0; g < b->n_groups; g++)
		if (model_has_moved(b, domain, (int)g))
			b->groups[g].origin = b->groups[g].seat;
}

static void balance_domain(struct balancer *b, struct domain *domain)
{
	struct balancer_verdict *verdict = &b->verdicts[b->n_verdicts++];
	bool single = (domain->nodes & (domain->nodes - 1)) == 0;
	bool looked;

	*verdict = (struct balancer_verdict){
	        .node = single ? b->slot_node[__builtin_ctz(domain->nodes)] : BALANCER_ANY_NODE};
	model_rank(b, domain, b->before);
	for (unsigned i = 0; i < domain->n_seats; i++) {
		struct seat *seat = &b->seats[b->seat_list[domain->first_seat + i]];

		seat->load_before = seat->load;
	}
	looked = !b->quiet && search_domain(b, domain);
	judge_domain(b, domain, verdict);
	if (b->quiet || verdict->found == 0)
		verdict->outcome = b->quiet ? BALANCER_QUIET
		                   : looked ? BALANCER_STUCK
		                            : BALANCER_EVEN;
	if (verdict->outcome != BALANCER_MOVED) {
		go_back(b, domain);
		return;
	}
	if (verdict->found > b->moves_left) {
		verdict->outcome = BALANCER_PARTLY;
		go_part_of_the_way(b, domain);
	}
	b->moves_left -= model_moved_lanes(b, domain);
	settle(b, domain);
}

/* The domain in the greatest need first: it gets the moves. */
static void balance(struct balancer *b)
{
	for (unsigned left = b->n_domains; left > 0; left--) {
		struct domain *next = NULL;
		uint64_t hottest = 0;

		for (unsigned i = 0; i < b->n_domains; i++) {
			int hot = model_hottest(b, &b->domains[i]);

			if (!b->domains[i].done && (next == NULL || model_heat(b, hot) > hottest)) {
				next = &b->domains[i];
				hottest = model_heat(b, hot);
			}
		}
		if (next == NULL)
			return;
		next->done = true;
		b->work_max = b->work < WORK_MAX ? b->work + (WORK_MAX - b->work) / left : b->work;
		balance_domain(b, next);
	}
}

/* --- the answer ---------------------------------------------------------------------------- */

static uint32_t as_share(uint64_t x)
{
	return x < UINT32_MAX ? (uint32_t)x : UINT32_MAX;
}

static enum balancer_reason reason_of(const struct balancer_lane *lane, const struct group *group,
                                      int start)
{
	if (lane->worker == BALANCER_NOWHERE)
		return BALANCER_NEW;
	if (group->pin != BALANCER_NOWHERE)
		return BALANCER_PIN;
	return lane->worker != start ? BALANCER_JOIN : (enum balancer_reason)group->reason;
}

static void add_move(struct balancer *b, unsigned index)
{
	const struct balancer_lane *lane = &b->snapshot->lanes[index];
	const struct balancer_worker *workers = b->snapshot->workers;
	const struct group *group = &b->groups[b->group_of[index]];
	struct balancer_move *move = &b->moves[b->n_moves++];
	int from = lane->worker, to = group->seat;
	uint64_t load = lane->load;

	*move = (struct balancer_move){.lane = (uint16_t)index,
	                               .from = (int16_t)from,
	                               .to = (int16_t)to,
	                               .reason = reason_of(lane, group, group->start)};
	move->remote_to_pct = (uint16_t)balancer_remote_pct(lane, workers[to].node);
	move->pressure_to[0] = as_share(b->pressure_before[to]);
	move->pressure_to[1] = as_share(model_seat_heat(b, to) / 2);
	if (from != BALANCER_NOWHERE) {
		move->remote_from_pct = (uint16_t)balancer_remote_pct(lane, workers[from].node);
		move->pressure_from[0] = as_share(b->pressure_before[from]);
		move->pressure_from[1] = as_share(model_seat_heat(b, from) / 2);
		load = load * 100 / (100u + move->remote_from_pct);
	}
	move->load = as_share(load * (100u + move->remote_to_pct) / 100);
}

static void answer(struct balancer *b, struct balancer_result *result)
{
	for (unsigned i = 0; i < b->snapshot->n_lanes; i++) {
		b->workers[i] = b->groups[b->group_of[i]].seat;
		if (b->workers[i] != b->snapshot->lanes[i].worker)
			add_move(b, i);
	}
	*result = (struct balancer_result){.workers = b->workers,
	                                   .moves = b->moves,
	                                   .n_moves = b->n_moves,
	                                   .verdicts = b->verdicts,
	                                   .n_verdicts = b->n_verdicts,
	                                   .work = b->work};
}

static int begin(struct balancer *b, const struct balancer_snapshot *snapshot)
{
	int rc = model_build(b, snapshot);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < b->n_seats; i++)
		b->pressure_before[i] = model_seat_heat(b, (int)i) / 2;
	for (unsigned i = 0; i < b->n_groups; i++)
		b->groups[i].start = b->groups[i].seat;
	numa_place_new(b);
	b->moves_left = snapshot->settings.moves_max > 0
	                        ? snapshot->settings.moves_max
	                        : balancer_default_moves(snapshot->n_lanes);
	b->quiet = false;
	return 0;
}

int balancer_place(struct balancer *b, const struct balancer_snapshot *snapshot,
                   struct balancer_result *result)
{
	int rc = begin(b, snapshot);

	if (rc == 0)
		answer(b, result);
	return rc;
}

int balancer_round(struct balancer *b, const struct balancer_snapshot *snapshot,
                   struct balancer_result *result)
{
	int rc = begin(b, snapshot);

	if (rc < 0)
		return rc;
	b->quiet = judge_is_quiet(b);
	if (b->quiet)
		b->moves_left = 0;
	numa_come_home(b);
	model_split(b);
	balance(b);
	numa_spill(b);
	answer(b, result);
	if (!b->quiet)
		judge_remember(b);
	b->snapshot = NULL;
	return 0;
}

/* --- measuring ----------------------------------------------------------------------------- */

void balancer_meter_add(struct balancer_meter *meter, uint32_t sample)
{
	uint32_t step = sample > meter->sample ? sample - meter->sample : meter->sample - sample;

	if (!meter->begun) {
		*meter = (struct balancer_meter){.load = sample, .sample = sample, .begun = true};
		return;
	}
	/* Independent samples differ by 4/3 of their mean deviation, near enough. */
	meter->noise = (uint32_t)((meter->noise * 7ull + step * 3ull / 4) / 8);
	meter->load = (uint32_t)(((uint64_t)meter->load + sample) / 2);
	meter->sample = sample;
}
