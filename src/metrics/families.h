/* All families of metrics, in the order in which they are written. Filled once, constant from then
 * on.
 */
#ifndef METRICS_FAMILIES_H
#define METRICS_FAMILIES_H

#include "metrics/family.h"

#define FAMILIES_MAX 64

/* It points into itself, so it must not be moved. */
struct families {
	unsigned n;
	struct family list[FAMILIES_MAX];
	struct lane_family lanes[LANE_COUNTERS];
};

void families_init(struct families *families);

/* How many things the family may have samples about, and whether this one is there. */
unsigned families_count(const struct family *family, const struct snapshot *snapshot);
bool families_has(const struct family *family, const struct snapshot *snapshot, unsigned index);

#endif
