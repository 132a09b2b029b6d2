/* What the preflight has found, and how it is printed. One thread. */
#ifndef PREFLIGHT_REPORT_H
#define PREFLIGHT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FINDING_TEXT_MAX 384 /* the NUL included; longer texts are cut */

enum finding_severity {
	FINDING_WARNING, /* packets flow, less well or not for all */
	FINDING_ERROR,   /* the daemon would not start, or no packet would flow */
	FINDING_VF,      /* a VF is unusable: an error if all are, else a warning (report_settle) */
};

struct finding {
	enum finding_severity severity;
	bool refuses;   /* DPDK would be killed for it, or hang: the start refuses as well */
	const char *id; /* "hugepages.none": never changes, for scripts; a literal */
	char what[FINDING_TEXT_MAX];
	char why[FINDING_TEXT_MAX];
	char remedy[FINDING_TEXT_MAX]; /* one line */
};

#define REPORT_MEMORY_MAX 64 /* NUMA nodes */

/* Hugepages on a NUMA node, whether there are enough or not; bytes. */
struct report_memory {
	int node;
	unsigned vfs;                /* whose memory is there */
	uint64_t pools, rings, dpdk; /* what these VFs may take, and DPDK itself */
	uint64_t free;
};

struct report {
	struct finding *findings;
	size_t count;
	struct report_memory memory[REPORT_MEMORY_MAX]; /* [n_memory] */
	size_t n_memory;
	struct finding spare; /* written to when memory runs out, and not printed */
	bool failed;          /* memory did run out */
};

/* A new finding with its texts empty, to be filled before the next call. Never NULL. */
struct finding *report_add(struct report *report, enum finding_severity severity, const char *id);
void finding_what(struct finding *finding, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
void finding_why(struct finding *finding, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
void finding_remedy(struct finding *finding, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* Notes what a node's memory is for; nodes beyond REPORT_MEMORY_MAX are left out. */
void report_memory(struct report *report, const struct report_memory *memory);

/* Decides what FINDING_VF is, and puts errors first. */
void report_settle(struct report *report, bool all_vfs_unusable);

/* The exit status: 0, or 1 with an error among the findings. After report_settle. */
int report_status(const struct report *report);
void report_print_text(const struct report *report, FILE *out);
/* What hugepages are for, a line a NUMA node. */
void report_print_memory(const struct report *report, FILE *out);
/* 0, -ENOMEM or -EIO. */
int report_print_json(const struct report *report, FILE *out);
void report_free(struct report *report);

#endif
