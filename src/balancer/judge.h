/* Whether a plan is worth its moves; private to this folder.
 */
#ifndef BALANCER_JUDGE_H
#define BALANCER_JUDGE_H

#include "balancer/model.h"

/* Judges what was found for a domain, whose heats before are in b->before. Fills the verdict. */
void judge_domain(struct balancer *b, const struct domain *domain,
                  struct balancer_verdict *verdict);
/* Whether nothing has changed since the last look but by noise. */
bool judge_is_quiet(struct balancer *b);
/* Keeps for the next round what this one has judged. */
void judge_remember(struct balancer *b);

#endif
