/* Evening out one domain; private to this folder.
 */
#ifndef BALANCER_SEARCH_H
#define BALANCER_SEARCH_H

#include "balancer/model.h"

/* Moves groups until no core of the domain is hotter than need be: their `seat` is the plan, and
 * the steps tell how to get there. False if the domain is even enough as it is. */
bool search_domain(struct balancer *b, const struct domain *domain);

#endif
