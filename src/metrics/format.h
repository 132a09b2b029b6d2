/* The two formats that the metrics are written in, and which of them a client wants. Pure
 * functions.
 */
#ifndef METRICS_FORMAT_H
#define METRICS_FORMAT_H

enum metrics_format {
	METRICS_TEXT,        /* Prometheus' text format 0.0.4 */
	METRICS_OPENMETRICS, /* OpenMetrics 1.0.0 */
};

/* What a request's Accept header asks for; NULL: it has none. Whoever does not prefer
 * OpenMetrics 1.0.0 gets the older format, which everybody reads. */
enum metrics_format metrics_format_choose(const char *accept);

/* Its Content-Type, a literal. */
const char *metrics_format_type(enum metrics_format format);

#endif
