/* The initial placement; see placement.h.
 */
#include "control/placement.h"

#include <stdbool.h>

size_t placement_choose(const struct placement_worker *workers, size_t count, int numa_node)
{
	bool local_exists = false;
	size_t best = count;

	for (size_t i = 0; i < count; i++)
		local_exists |= workers[i].numa_node == numa_node;
	for (size_t i = 0; i < count; i++) {
		if (local_exists && workers[i].numa_node != numa_node)
			continue;
		if (best == count || workers[i].lanes < workers[best].lanes)
			best = i;
	}
	return best;
}
