/* Lines of either format. See lines.h. */
#include "metrics/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define VALUE_MAX 256 /* of a label, with its NUL; longer ones are cut */

static void put_bytes(struct lines *lines, const char *text, size_t len)
{
	if (len > lines->size - lines->used) {
		lines->full = true;
		return;
	}
	memcpy(lines->buffer + lines->used, text, len);
	lines->used += len;
}

static void put_text(struct lines *lines, const char *text)
{
	put_bytes(lines, text, strlen(text));
}

/* Backslashes, ends of lines and, where they would end something, quotes are written with a
 * backslash. */
static void put_escaped(struct lines *lines, const char *text, bool quotes)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			put_text(lines, "\\\\");
		else if (*text == '\n')
			put_text(lines, "\\n");
		else if (*text == '"' && quotes)
			put_text(lines, "\\\"");
		else
			put_bytes(lines, text, 1);
	}
}

/* --- heads ----------------------------------------------------------------------------------- */

static const char *suffix_of(enum metric_type type)
{
	return type == METRIC_COUNTER ? "_total" : type == METRIC_INFO ? "_info" : "";
}

/* "# WORD name ". The older format knows families by the names of their samples. */
static void put_comment(struct lines *lines, const struct metric_head *head, const char *word)
{
	put_text(lines, "# ");
	put_text(lines, word);
	put_text(lines, " ");
	put_text(lines, head->name);
	if (lines->format == METRICS_TEXT)
		put_text(lines, suffix_of(head->type));
	put_text(lines, " ");
}

static const char *type_word(const struct lines *lines, enum metric_type type)
{
	if (type == METRIC_COUNTER)
		return "counter";
	return type == METRIC_INFO && lines->format == METRICS_OPENMETRICS ? "info" : "gauge";
}

void lines_put_head(struct lines *lines, const struct metric_head *head)
{
	bool openmetrics = lines->format == METRICS_OPENMETRICS;

	put_comment(lines, head, "HELP");
	put_escaped(lines, head->help, openmetrics);
	put_text(lines, "\n");
	put_comment(lines, head, "TYPE");
	put_text(lines, type_word(lines, head->type));
	put_text(lines, "\n");
	if (!openmetrics || head->unit == NULL)
		return;
	put_comment(lines, head, "UNIT");
	put_text(lines, head->unit);
	put_text(lines, "\n");
}

/* --- samples --------------------------------------------------------------------------------- */

static void put_label(struct lines *lines, const struct metric_label *label)
{
	char value[VALUE_MAX];

	snprintf(value, sizeof(value), "%s", label->value);
	text_make_utf8(value);
	put_text(lines, label->name);
	put_text(lines, "=\"");
	put_escaped(lines, value, true);
	put_text(lines, "\"");
}

static void put_sample(struct lines *lines, const struct metric_head *head,
                       const struct metric_label *labels, size_t n, const char *value)
{
	put_text(lines, head->name);
	put_text(lines, suffix_of(head->type));
	for (size_t i = 0; i < n; i++) {
		put_text(lines, i == 0 ? "{" : ",");
		put_label(lines, &labels[i]);
	}
	put_text(lines, n > 0 ? "} " : " ");
	put_text(lines, value);
	put_text(lines, "\n");
}

void lines_put_number(struct lines *lines, const struct metric_head *head,
                      const struct metric_label *labels, size_t n, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	put_sample(lines, head, labels, n, text);
}

void lines_put_real(struct lines *lines, const struct metric_head *head,
                    const struct metric_label *labels, size_t n, double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.15g", value);
	put_sample(lines, head, labels, n, text);
}

void lines_put_end(struct lines *lines)
{
	if (lines->format == METRICS_OPENMETRICS)
		put_text(lines, "# EOF\n");
}
