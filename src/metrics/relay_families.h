/* The families of metrics about relays: their ends, their queues, their lanes' counters. Constant
 * data, and pure functions.
 */
#ifndef METRICS_RELAY_FAMILIES_H
#define METRICS_RELAY_FAMILIES_H

#include "metrics/family.h"

extern const struct family relay_families[];
extern const unsigned relay_families_count;

/* A family's put, where lanes is not NULL. */
void relay_families_put_lanes(const struct family *family, const struct snapshot *snapshot,
                              unsigned id, struct lines *lines);

#endif
