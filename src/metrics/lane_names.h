/* The names of the lanes' counters as metrics, made of the table of counters and nothing else: a
 * counter that is in the table is a metric. Pure functions.
 */
#ifndef METRICS_LANE_NAMES_H
#define METRICS_LANE_NAMES_H

#include "datapath/counters.h"
#include "metrics/lines.h"

#define LANE_FAMILY_NAME_MAX 96

/* A family of samples, each of which has the labels relay and direction. What was lost is one
 * family, whose samples have the cause as a label, and the reason: the sum that the cause is part
 * of, or the cause itself. The sums are no samples, so that each packet counts once. */
struct lane_family {
	char name[LANE_FAMILY_NAME_MAX];
	struct metric_head head; /* its name is the one above, so the struct must not be moved */
	bool has_causes;
	unsigned n_rows;
	const struct lane_counter *rows[LANE_COUNTERS]; /* one row, or one a cause */
};

/* Fills families, and returns how many. */
unsigned lane_names_make(struct lane_family families[LANE_COUNTERS]);

/* Of a family with causes. */
const char *lane_names_cause(const struct lane_counter *row, enum lane_direction direction);
const char *lane_names_reason(const struct lane_counter *row, enum lane_direction direction);

#endif
