/* The command line of seqguest. */
#ifndef SEQ_OPTIONS_H
#define SEQ_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seq_flow.h"
#include "seq_frame.h"

#define QUEUES_MAX 8 /* what virtio-user takes */

enum mode { MODE_ECHO, MODE_SOURCE, MODE_SINK, MODE_REFLECT };

struct options {
	const char *path, *mac, *extra;
	enum mode mode;
	unsigned queues, queue_size, flows, window, rate, size_min, size_max, timeout_ms;
	unsigned report_ms, seconds, poll_us, mbuf_size, id;
	bool server, packed, no_mrg, no_in_order, strict, busy, stopped;
};

enum option_kind { OPTION_TEXT, OPTION_NUMBER, OPTION_FLAG, OPTION_SIZES, OPTION_MODE };

struct option_row {
	const char *name;
	enum option_kind kind;
	size_t offset;
	unsigned min, max;
	const char *help;
};

/* clang-format's versions break braces of macros differently. */
/* clang-format off */
#define ROW(name, kind, field, min, max, help) \
	{name, OPTION_##kind, offsetof(struct options, field), min, max, help}
/* clang-format on */

static const struct option_row option_rows[] = {
        ROW("path", TEXT, path, 0, 0, "the vhost-user socket"),
        ROW("server", FLAG, server, 0, 0, "serve the socket: the backend connects"),
        ROW("queues", NUMBER, queues, 1, QUEUES_MAX, "queue pairs (1)"),
        ROW("queue-size", NUMBER, queue_size, 32, 32768, "ring entries (256)"),
        ROW("packed", FLAG, packed, 0, 0, "packed rings"),
        ROW("no-mrg", FLAG, no_mrg, 0, 0, "no mergeable buffers"),
        ROW("no-in-order", FLAG, no_in_order, 0, 0, "no VIRTIO_F_IN_ORDER"),
        ROW("extra", TEXT, extra, 0, 0, "more device arguments"),
        ROW("mode", MODE, mode, 0, 0, "echo (what is sent comes back), source, sink or reflect"),
        ROW("flows", NUMBER, flows, 1, FLOWS_MAX, "UDP flows (one a queue)"),
        ROW("window", NUMBER, window, 1, FLOW_SLOTS / 2, "most packets under way (256)"),
        ROW("rate", NUMBER, rate, 1, 100000000, "packets per second (5000)"),
        ROW("size", SIZES, size_min, FRAME_MIN, FRAME_MAX, "frame length or MIN-MAX (60-1514)"),
        ROW("timeout", NUMBER, timeout_ms, 1, 600000, "ms after which a packet is lost (1000)"),
        ROW("report-ms", NUMBER, report_ms, 0, 600000, "ms between report lines (0: none)"),
        ROW("seconds", NUMBER, seconds, 0, 86400, "end by itself (0: run on)"),
        ROW("poll-us", NUMBER, poll_us, 1, 100000, "sleep between polls (200)"),
        ROW("mbuf-size", NUMBER, mbuf_size, 128, 16384, "bytes in a receive buffer (2048)"),
        ROW("mac", TEXT, mac, 0, 0, "our MAC (02:00:00:00:00:01)"),
        ROW("id", NUMBER, id, 1, 65535, "who we are, in every packet (1)"),
        ROW("busy", FLAG, busy, 0, 0, "poll without sleeping"),
        ROW("strict", FLAG, strict, 0, 0, "exit status 1 unless all came back once and in order"),
        ROW("stopped", FLAG, stopped, 0, 0, "wait for the command `start`"),
};

#undef ROW

#define OPTION_ROWS (sizeof(option_rows) / sizeof(option_rows[0]))

static void options_usage(FILE *out)
{
	fputs("usage: seqguest [EAL options] -- --path SOCKET [options]\n", out);
	for (size_t i = 0; i < OPTION_ROWS; i++)
		fprintf(out, "  --%-12s %s\n", option_rows[i].name, option_rows[i].help);
}

static bool options_number(const char *text, unsigned min, unsigned max, unsigned *out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (end == text || *end || v < min || v > max)
		return false;
	*out = (unsigned)v;
	return true;
}

/* "N" or "MIN-MAX" */
static bool options_sizes(const char *text, unsigned *min, unsigned *max)
{
	char rest;
	int n = sscanf(text, "%u-%u%c", min, max, &rest);

	if (n == 1)
		*max = *min;
	return (n == 1 || n == 2) && *min >= FRAME_MIN && *min <= *max && *max <= FRAME_MAX;
}

static bool options_mode(const char *text, enum mode *mode)
{
	static const char *const names[] = {"echo", "source", "sink", "reflect"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(text, names[i])) {
			*mode = (enum mode)i;
			return true;
		}
	return false;
}

static bool options_set(struct options *o, const struct option_row *row, const char *value)
{
	void *field = (char *)o + row->offset;

	switch (row->kind) {
	case OPTION_TEXT:
		*(const char **)field = value;
		return true;
	case OPTION_NUMBER:
		return options_number(value, row->min, row->max, field);
	case OPTION_SIZES:
		return options_sizes(value, &o->size_min, &o->size_max);
	case OPTION_MODE:
		return options_mode(value, field);
	case OPTION_FLAG:
		*(bool *)field = true;
		return true;
	}
	return false;
}

/* Prints what is wrong and returns false if something is. */
static bool options_parse(int argc, char **argv, struct options *o)
{
	struct option longs[OPTION_ROWS + 1] = {0};
	int c, at;

	for (size_t i = 0; i < OPTION_ROWS; i++)
		longs[i] = (struct option){.name = option_rows[i].name,
		                           .has_arg = option_rows[i].kind != OPTION_FLAG};
	optind = 1;
	while ((c = getopt_long(argc, argv, "", longs, &at)) != -1) {
		if (c == '?') {
			options_usage(stderr);
			return false;
		}
		if (!options_set(o, &option_rows[at], optarg)) {
			fprintf(stderr, "seqguest: bad value `%s' for --%s: %s\n", optarg,
			        option_rows[at].name, option_rows[at].help);
			return false;
		}
	}
	if (optind != argc || !o->path) {
		options_usage(stderr);
		return false;
	}
	if (!o->flows)
		o->flows = o->queues;
	return true;
}

#endif
