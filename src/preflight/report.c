/* What the preflight has found. See report.h. */
#include "preflight/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

struct finding *report_add(struct report *report, enum finding_severity severity, const char *id)
{
	struct finding *findings =
	        reallocarray(report->findings, report->count + 1, sizeof(*findings));
	struct finding *finding = &report->spare;

	if (findings == NULL) {
		report->failed = true;
	} else {
		report->findings = findings;
		finding = &findings[report->count++];
	}
	*finding = (struct finding){.severity = severity, .id = id};
	return finding;
}

void finding_what(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->what, sizeof(finding->what), format, args);
	va_end(args);
}

void finding_why(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->why, sizeof(finding->why), format, args);
	va_end(args);
}

void finding_remedy(struct finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->remedy, sizeof(finding->remedy), format, args);
	va_end(args);
}

/* Moves the findings of one severity to the front part, in their order. */
static void move_errors_first(struct report *report)
{
	size_t n_errors = 0;

	for (size_t i = 0; i < report->count; i++) {
		struct finding moved = report->findings[i];

		if (moved.severity != FINDING_ERROR)
			continue;
		memmove(&report->findings[n_errors + 1], &report->findings[n_errors],
		        (i - n_errors) * sizeof(moved));
		report->findings[n_errors++] = moved;
	}
}

void report_settle(struct report *report, bool all_vfs_unusable)
{
	for (size_t i = 0; i < report->count; i++) {
		struct finding *finding = &report->findings[i];

		if (finding->severity == FINDING_VF)
			finding->severity = all_vfs_unusable ? FINDING_ERROR : FINDING_WARNING;
	}
	move_errors_first(report);
}

static size_t count_errors(const struct report *report)
{
	size_t n = 0;

	for (size_t i = 0; i < report->count; i++)
		n += report->findings[i].severity == FINDING_ERROR;
	return n;
}

int report_status(const struct report *report)
{
	return count_errors(report) > 0 || report->failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static const char *severity_name(const struct finding *finding)
{
	return finding->severity == FINDING_ERROR ? "error" : "warning";
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

void report_memory(struct report *report, const struct report_memory *memory)
{
	if (report->n_memory < REPORT_MEMORY_MAX)
		report->memory[report->n_memory++] = *memory;
}

static uint64_t memory_needed(const struct report_memory *memory)
{
	return memory->pools + memory->rings + memory->dpdk;
}

static double megabytes(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

static void print_node(const struct report_memory *memory, FILE *out)
{
	fprintf(out,
	        "memory: NUMA node %d: %u VF%s may take %.1f MB of hugepages (packet buffers %.1f, "
	        "rings %.1f, DPDK itself %.1f), and %.1f MB are free\n",
	        memory->node, memory->vfs, plural(memory->vfs), megabytes(memory_needed(memory)),
	        megabytes(memory->pools), megabytes(memory->rings), megabytes(memory->dpdk),
	        megabytes(memory->free));
}

void report_print_text(const struct report *report, FILE *out)
{
	size_t errors = count_errors(report), warnings = report->count - errors;

	for (size_t i = 0; i < report->count; i++) {
		const struct finding *finding = &report->findings[i];

		fprintf(out, "%s: %s [%s]\n", severity_name(finding), finding->what, finding->id);
		fprintf(out, "    why:    %s\n", finding->why);
		fprintf(out, "    remedy: %s\n", finding->remedy);
	}
	if (report->failed)
		fprintf(out, "error: out of memory; the list is not complete\n");
	else if (report->count == 0)
		fprintf(out, "Nothing found: the daemon can run as configured.\n");
	else
		fprintf(out, "%zu error%s, %zu warning%s%s\n", errors, plural(errors), warnings,
		        plural(warnings),
		        errors == 0 ? ": the daemon can run as configured." : ".");
}

void report_print_memory(const struct report *report, FILE *out)
{
	for (size_t i = 0; i < report->n_memory; i++)
		print_node(&report->memory[i], out);
}

/* Paths may hold bytes that are no UTF-8, of which JSON has none. */
static json_t *text_pack(const char *text)
{
	char plain[FINDING_TEXT_MAX];
	json_t *packed = json_string(text);

	if (packed != NULL)
		return packed;
	snprintf(plain, sizeof(plain), "%s", text);
	for (char *c = plain; *c != '\0'; c++) {
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	}
	return json_string(plain);
}

static json_t *findings_pack(const struct report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < report->count; i++) {
		const struct finding *finding = &report->findings[i];
		json_t *item =
		        json_pack("{s:s, s:s, s:o, s:o, s:o}", "severity", severity_name(finding),
		                  "id", finding->id, "what", text_pack(finding->what), "why",
		                  text_pack(finding->why), "remedy", text_pack(finding->remedy));

		if (json_array_append_new(list, item) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

static json_t *memory_pack(const struct report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < report->n_memory; i++) {
		const struct report_memory *memory = &report->memory[i];
		json_t *item = json_pack(
		        "{s:i, s:I, s:I, s:I, s:I, s:I, s:I}", "numa_node", memory->node, "vfs",
		        (json_int_t)memory->vfs, "packet_buffers", (json_int_t)memory->pools,
		        "rings", (json_int_t)memory->rings, "dpdk", (json_int_t)memory->dpdk,
		        "needed", (json_int_t)memory_needed(memory), "free",
		        (json_int_t)memory->free);

		if (json_array_append_new(list, item) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

int report_print_json(const struct report *report, FILE *out)
{
	size_t errors = count_errors(report);
	json_t *all = json_pack("{s:b, s:I, s:I, s:o, s:o}", "ok",
	                        report_status(report) == EXIT_SUCCESS, "errors", (json_int_t)errors,
	                        "warnings", (json_int_t)(report->count - errors), "findings",
	                        findings_pack(report), "memory", memory_pack(report));
	int rc = -ENOMEM;

	if (all != NULL && json_dumpf(all, out, JSON_INDENT(2)) == 0)
		rc = fputc('\n', out) == EOF ? -EIO : 0;
	json_decref(all);
	return rc;
}

void report_free(struct report *report)
{
	free(report->findings);
	*report = (struct report){0};
}
