/* The families of metrics about workers and about the daemon itself. Constant data.
 */
#ifndef METRICS_WORKER_FAMILIES_H
#define METRICS_WORKER_FAMILIES_H

#include "metrics/family.h"

extern const struct family worker_families[];
extern const unsigned worker_families_count;

#endif
