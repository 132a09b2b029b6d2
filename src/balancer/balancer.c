/* The balancer's rounds: what has to be done is done first, then what would be better and is worth
 * its moves.
 */
#include "balancer/balancer.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

#include "balancer/judge.h"
#include "balancer/model.h"
#include "balancer/numa.h"
#include "balancer/pack.h"
#include "balancer/search.h"
#include "balancer/steps.h"

#define MOVES_AT_LEAST 16
/* What the search of one round may look at: keeps it below a millisecond. A search that is cut
 * short has only done less. */
#define WORK_MAX 30000

unsigned balancer_default_moves(unsigned n_lanes)
{
	unsigned half = (n_lanes + 1) / 2;

	return half > MOVES_AT_LEAST ? half : MOVES_AT_LEAST;
}

/* --- memory -------------------------------------------------------------------------------- */

/* Where in the balancer's memory the next array goes; or, as long as there is no memory, how much
 * of it the arrays so far take. */
struct layout {
	char *memory; /* or NULL */
	size_t used;
};

static void *lay_out(struct layout *layout, size_t n, size_t size)
{
	size_t at = layout->used;

	layout->used +=
	        (n * size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
	return layout->memory != NULL ? layout->memory + at : NULL;
}

/* Returns the bytes that all arrays take. */
static size_t lay_out_all(struct balancer *b, char *memory)
{
	struct layout layout = {.memory = memory};
	size_t lanes = b->lanes_max, workers = b->workers_max;

	b->groups = lay_out(&layout, lanes, sizeof(*b->groups));
	b->group_of = lay_out(&layout, lanes, sizeof(*b->group_of));
	b->cost = lay_out(&layout, lanes * BALANCER_NODES_MAX, sizeof(*b->cost));
	b->order[0] = lay_out(&layout, lanes, sizeof(*b->order[0]));
	b->order[1] = lay_out(&layout, lanes, sizeof(*b->order[1]));
	b->by_key = lay_out(&layout, MODEL_KEYS, sizeof(*b->by_key));
	b->seats = lay_out(&layout, workers, sizeof(*b->seats));
	b->cores = lay_out(&layout, workers, sizeof(*b->cores));
	b->core_list = lay_out(&layout, workers, sizeof(*b->core_list));
	b->seat_list = lay_out(&layout, workers, sizeof(*b->seat_list));
	b->coolest = lay_out(&layout, workers, sizeof(*b->coolest));
	b->before = lay_out(&layout, workers, sizeof(*b->before));
	b->after = lay_out(&layout, workers, sizeof(*b->after));
	b->steps = lay_out(&layout, b->steps_max, sizeof(*b->steps));
	b->workers = lay_out(&layout, lanes, sizeof(*b->workers));
	b->moves = lay_out(&layout, lanes, sizeof(*b->moves));
	b->pressure_before = lay_out(&layout, workers, sizeof(*b->pressure_before));
	b->noise = lay_out(&layout, workers, sizeof(*b->noise));
	return layout.used;
}

struct balancer *balancer_create(unsigned lanes_max, unsigned workers_max)
{
	struct balancer sized = {
	        .lanes_max = lanes_max, .workers_max = workers_max, .steps_max = 4 * lanes_max};
	struct balancer *b;

	if (lanes_max == 0 || lanes_max > INT16_MAX || workers_max == 0 ||
	    workers_max > BALANCER_WORKERS_MAX) {
		errno = EINVAL;
		return NULL;
	}
	b = calloc(1, sizeof(*b) + lay_out_all(&sized, NULL));
	if (b == NULL)
		return NULL;
	*b = sized;
	lay_out_all(b, b->memory);
	return b;
}

void balancer_destroy(struct balancer *b)
{
	free(b);
}

/* --- one domain ---------------------------------------------------------------------------- */

/* Makes the plan of a domain the new start, and says why each group moved: groups that leave a seat
 * which loses load relieve it, and the others make room for them. */
static void accept_plan(struct balancer *b, const struct domain *domain)
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
	if (pack_is_due(b, domain)) {
		judge_domain(b, domain, verdict);
		pack_domain(b, domain, verdict);
		return;
	}
	looked = !b->quiet && search_domain(b, domain);
	judge_domain(b, domain, verdict);
	if (b->quiet || verdict->found == 0)
		verdict->outcome = b->quiet ? BALANCER_QUIET
		                   : looked ? BALANCER_STUCK
		                            : BALANCER_EVEN;
	if (verdict->outcome != BALANCER_MOVED) {
		steps_undo(b, domain);
		return;
	}
	if (verdict->found > b->moves_left) {
		verdict->outcome = BALANCER_PARTLY;
		steps_redo_allowed(b, domain);
	}
	b->moves_left -= model_moved_lanes(b, domain);
	accept_plan(b, domain);
}

/* The domain with the hottest core comes first, since a round has only so many moves. */
static void balance_domains(struct balancer *b)
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
	pack_keep_calm(b);
	/* Cores are emptied after so many quiet rounds: those have to be counted, and end. */
	b->quiet = !snapshot->settings.pack && judge_is_quiet(b);
	if (b->quiet)
		b->moves_left = 0;
	numa_come_home(b);
	model_split(b);
	balance_domains(b);
	numa_spill(b);
	answer(b, result);
	if (!b->quiet)
		judge_remember(b);
	b->snapshot = NULL;
	return 0;
}
