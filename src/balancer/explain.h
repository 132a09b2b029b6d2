/* The balancer's decisions in words, for EXPLAIN and the log. Pure functions of a snapshot and of
 * what was decided for it.
 */
#ifndef BALANCER_EXPLAIN_H
#define BALANCER_EXPLAIN_H

#include "balancer/snapshot.h"

/* Why a lane moves, in words: a literal. */
const char *balancer_explain_reason(enum balancer_reason reason);

/* One line of text, without a newline; returns as snprintf. */
int balancer_explain_move(const struct balancer_snapshot *snapshot,
                          const struct balancer_move *move, char *text, size_t size);
int balancer_explain_verdict(const struct balancer_snapshot *snapshot,
                             const struct balancer_verdict *verdict, char *text, size_t size);

#endif
