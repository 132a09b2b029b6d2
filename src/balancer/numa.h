/* Which NUMA node a group is served on; private to this folder.
 */
#ifndef BALANCER_NUMA_H
#define BALANCER_NUMA_H

#include "balancer/model.h"

/* Places the groups that are on no seat at home, the least loaded seat each. */
void numa_place_new(struct balancer *b);
/* Brings groups home from elsewhere where there is room, and sets all groups' `nodes`. */
void numa_come_home(struct balancer *b);
/* Sends groups to idle seats elsewhere where all at home are saturated. */
void numa_spill(struct balancer *b);

#endif
