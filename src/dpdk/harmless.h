/* DPDK's log lines that look like trouble and are none in what is done here. Constant data; any
 * thread.
 */
#ifndef DPDK_HARMLESS_H
#define DPDK_HARMLESS_H

struct dpdk_harmless {
	const char *words; /* the line holds these */
	const char *also;  /* and these, or NULL */
	int severity;      /* syslog's: the one that the line is worth */
	const char *why;   /* what an operator is told beside the line; no full stop */
};

/* The row of the table that is about a line of DPDK's, without its line end; or NULL. */
const struct dpdk_harmless *dpdk_harmless_find(const char *line);

#endif
