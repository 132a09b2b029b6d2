/* Filling the seats of some cores anew; private to this folder.
 */
#ifndef BALANCER_REPACK_H
#define BALANCER_REPACK_H

#include "balancer/model.h"

/* Empties the hot core and as few of the others as will do, and fills them so that none is hotter
 * than `target`, or else as near to that as it gets. True if the hot core is relieved: the moves
 * are made and recorded as steps, no more than the round may do. */
bool repack_relieve(struct balancer *b, const struct domain *domain, int hot, uint64_t target);

#endif
