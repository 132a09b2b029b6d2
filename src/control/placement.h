/* Which worker a group of lanes starts on: pure arithmetic over plain values.
 */
#ifndef CONTROL_PLACEMENT_H
#define CONTROL_PLACEMENT_H

#include <stddef.h>

#define PLACEMENT_ANY_NODE (-1)

struct placement_worker {
	int numa_node;
	unsigned lanes; /* that are placed on it already */
};

/* The worker with the fewest lanes on the given NUMA node; when the node has no worker (or any
 * will do), of all. Ties go to the lowest index. count >= 1. */
size_t placement_choose(const struct placement_worker *workers, size_t count, int numa_node);

#endif
