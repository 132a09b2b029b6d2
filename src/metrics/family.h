/* What a family of metrics is: its head, and how its samples are made of a snapshot; and what the
 * families of several files need. Pure functions.
 */
#ifndef METRICS_FAMILY_H
#define METRICS_FAMILY_H

#include "metrics/lane_names.h"
#include "metrics/snapshot.h"

/* Longer than the lines of any family about one thing: 64 lanes of a relay. */
#define FAMILY_LINES_MAX 8192

/* What a family's samples are about. */
enum family_subject { ABOUT_DAEMON, ABOUT_RELAY, ABOUT_WORKER };

struct family {
	struct metric_head head;
	enum family_subject about;
	/* Writes the samples about one thing: relay or worker number `index`, which is there. */
	void (*put)(const struct family *family, const struct snapshot *snapshot, unsigned index,
	            struct lines *lines);
	const struct lane_family *lanes; /* of those that are made of the table of counters */
};

/* A number as a label's value. */
struct family_number {
	char text[12];
};
struct family_number family_number(unsigned value);

/* Time that was counted in the workers' cycles. */
double family_seconds(const struct snapshot *snapshot, uint64_t cycles);
/* A share that was reckoned in single precision, without digits that mean nothing. */
double family_share(float share);

/* A sample with one label. */
void family_put_about(const struct family *family, struct lines *lines, const char *label,
                      unsigned id, uint64_t value);

#endif
