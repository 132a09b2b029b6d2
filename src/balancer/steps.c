/* The record of a search's moves: see steps.h.
 */
#include "balancer/steps.h"

void steps_add(struct balancer *b, int group, int to, bool last)
{
	b->steps[b->n_steps++] =
	        (struct step){.group = (int16_t)group, .to = (int16_t)to, .last = last};
	model_move(b, group, to);
}

void steps_undo(struct balancer *b, const struct domain *domain)
{
	/* The lightest first: they end up last in their lists. */
	for (unsigned i = b->n_groups; i-- > 0;) {
		int g = b->order[0][i];

		if (model_has_moved(b, domain, g))
			model_move(b, g, b->groups[g].origin);
	}
}

void steps_redo_allowed(struct balancer *b, const struct domain *domain)
{
	unsigned keep = 0, moved = 0;

	steps_undo(b, domain);
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
	steps_undo(b, domain);
	for (unsigned i = 0; i < keep; i++)
		model_move(b, b->steps[i].group, b->steps[i].to);
}
