/* The moves of a search in one domain: made and recorded one by one, so that they can be undone, or
 * made again as far as one round may go; private to this folder.
 */
#ifndef BALANCER_STEPS_H
#define BALANCER_STEPS_H

#include "balancer/model.h"

/* Makes a move and records it. The caller has seen to it that there is room for one more. */
void steps_add(struct balancer *b, int group, int to, bool last);
/* Puts all groups of the domain back where they were; the record stays. */
void steps_undo(struct balancer *b, const struct domain *domain);
/* Undoes all steps, and makes as many of them again as the round has moves left for. */
void steps_redo_allowed(struct balancer *b, const struct domain *domain);

#endif
