/* Packing: what is nearly idle onto few workers, so that others have nothing and sleep; private to
 * this folder.
 */
#ifndef BALANCER_PACK_H
#define BALANCER_PACK_H

#include "balancer/model.h"

/* Whether the domain is to be packed: it was asked for, and no worker is so busy that its lanes
 * are to be spread. */
bool pack_is_due(const struct balancer *b, const struct domain *domain);
/* Counts the rounds without such a worker, once a round and before any domain's turn. */
void pack_keep_calm(struct balancer *b);
/* Empties cores of the domain as long as the others hold what they had, fills the verdict's
 * outcome, and makes the plan the new start. */
void pack_domain(struct balancer *b, const struct domain *domain, struct balancer_verdict *verdict);
/* The seat for a new group among those that have lanes already; NONE if it is better off elsewhere.
 */
int pack_seat_for_new(const struct balancer *b, int group, uint64_t guess);

#endif
