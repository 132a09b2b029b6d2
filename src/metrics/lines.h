/* Lines of either format, in a buffer of the caller's that they never leave: what does not fit
 * marks the buffer as full, and the caller takes back what it has begun. Pure functions.
 */
#ifndef METRICS_LINES_H
#define METRICS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics/format.h"

enum metric_type {
	METRIC_COUNTER, /* starts at 0 with the daemon; its samples' names end in _total */
	METRIC_GAUGE,
	METRIC_INFO, /* 1, with labels that tell; its samples' names end in _info */
};

/* What stands at the head of a family of samples. */
struct metric_head {
	const char *name; /* without _total and _info; ends in the unit, if there is one */
	const char *unit; /* NULL: none */
	enum metric_type type;
	const char *help; /* a sentence */
};

struct metric_label {
	const char *name;
	const char
	        *value; /* any bytes; what is no UTF-8, or a control character, is written as '?' */
};

struct lines {
	char *buffer; /* [size], without a NUL at its end */
	size_t size, used;
	bool full; /* something was left out */
	enum metrics_format format;
};

void lines_put_head(struct lines *lines, const struct metric_head *head);
/* labels: [n]. */
void lines_put_number(struct lines *lines, const struct metric_head *head,
                      const struct metric_label *labels, size_t n, uint64_t value);
void lines_put_real(struct lines *lines, const struct metric_head *head,
                    const struct metric_label *labels, size_t n, double value);
/* What ends the whole, where the format wants something. */
void lines_put_end(struct lines *lines);

#endif
