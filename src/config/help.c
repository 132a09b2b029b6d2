/* --help and the man page's tables; see help.h.
 */
#include "config/help.h"

#include <errno.h>
#include <string.h>

#include "config/schema.h"
#include "config/value.h"

#ifndef VERSION
#define VERSION "unknown"
#endif

#define TEXT_COLUMN 8
#define TEXT_END    96
#define NOTES_MAX   256

static bool has_range(const struct schema_row *row)
{
	return row->type == SCHEMA_LEVEL || row->type == SCHEMA_NUMBER ||
	       row->type == SCHEMA_FRACTION;
}

/* What stands behind a row's help, each with a blank in front: range, default, and whether it
 * works yet. */
static void make_notes(const struct schema_row *row, char *out, size_t size)
{
	const char *value = row->absent != NULL ? row->absent : row->bare;
	const char *planned =
	        row->type == SCHEMA_REQUEST
	                ? " (Not available yet.)"
	                : " (Not available yet: accepted, and warned about at start.)";
	char min[32], max[32], range[80] = "";

	if (has_range(row))
		snprintf(range, sizeof(range), " Range: %s to %s.",
		         value_format_limit(row->min, min, sizeof(min)),
		         value_format_limit(row->max, max, sizeof(max)));
	snprintf(out, size, "%s%s%s%s%s%s", range,
	         value == NULL         ? ""
	         : row->absent != NULL ? " Default: "
	                               : " Without a value: ",
	         value != NULL ? value : "", value != NULL ? "." : "",
	         row->at_run_time ? " Can be changed while the daemon runs." : "",
	         row->planned ? planned : "");
}

/* "-C, --cpus=CPUS" or "    --nodaemon[=log_syslog]". */
static void print_option(FILE *out, const struct schema_row *row)
{
	if (row->letter != 0)
		fprintf(out, "  -%c, --%s", row->letter, row->option);
	else
		fprintf(out, "      --%s", row->option);
	if (row->need == NEED_VALUE)
		fprintf(out, "=%s", row->argument);
	else if (row->need == MAY_HAVE_VALUE)
		fprintf(out, "[=%s]", row->argument);
	if (row->variable != NULL)
		fprintf(out, "   (%s)", row->variable);
	fputc('\n', out);
}

static void print_wrapped(FILE *out, const char *text, size_t *column)
{
	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (*column > TEXT_COLUMN && *column + 1 + len > TEXT_END) {
			fputc('\n', out);
			*column = 0;
		}
		if (*column == 0)
			*column = (size_t)fprintf(out, "%*s", TEXT_COLUMN, "");
		else
			*column += (size_t)fprintf(out, "%s", *column > TEXT_COLUMN ? " " : "");
		*column += (size_t)fprintf(out, "%.*s", (int)len, text);
		text += len + strspn(text + len, " ");
	}
}

static void print_help_text(FILE *out, const struct schema_row *row)
{
	size_t column = 0;
	char notes[NOTES_MAX];

	make_notes(row, notes, sizeof(notes));
	print_wrapped(out, row->help, &column);
	print_wrapped(out, notes + strspn(notes, " "), &column);
	fputc('\n', out);
}

void help_print_version(FILE *out)
{
	fprintf(out, "Virtio-forwarder version " VERSION "\n");
}

void help_print(FILE *out)
{
	fputs("Usage: virtio-forwarder --cpus=CPUS [OPTION]...\n"
	      "Relays packets between SR-IOV VFs and virtual machines' virtio-net devices.\n\n"
	      "A value follows its option after '=' or a blank; one in brackets may be left out "
	      "and\n"
	      "needs the '='. The variable in parentheses does the same in the file of --config.\n",
	      out);
	for (int group = 0; group < GROUP_COUNT; group++) {
		fprintf(out, "\n%s:\n", schema_group_title((enum schema_group)group));
		for (size_t i = 0; i < schema_size; i++) {
			const struct schema_row *row = &schema[i];

			if (row->group != (enum schema_group)group || row->help == NULL)
				continue;
			if (row->option != NULL)
				print_option(out, row);
			else
				fprintf(out, "  %s=%s   (file only)\n", row->variable,
				        row->argument);
			print_help_text(out, row);
		}
	}
}

/* --- man(7) -------------------------------------------------------------------------------- */

/* A hyphen is a minus, a backslash and a leading dot are escaped. */
void help_put_roff(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text != '\0'; text++) {
		if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\\')
			fputs("\\e", out);
		else if (strncmp(text, "…", strlen("…")) == 0) {
			fputs("...", out);
			text += strlen("…") - 1;
		} else
			fputc(*text, out);
	}
}

static void put_row_text(FILE *out, const struct schema_row *row)
{
	char notes[NOTES_MAX];

	make_notes(row, notes, sizeof(notes));
	fputc('\n', out);
	help_put_roff(out, row->help);
	help_put_roff(out, notes);
	fputc('\n', out);
}

static void put_options(FILE *out)
{
	for (int group = 0; group < GROUP_COUNT; group++) {
		fprintf(out, ".SS %s\n", schema_group_title((enum schema_group)group));
		for (size_t i = 0; i < schema_size; i++) {
			const struct schema_row *row = &schema[i];

			if (row->group != (enum schema_group)group || row->help == NULL ||
			    row->option == NULL)
				continue;
			fputs(".TP\n\\fB", out);
			if (row->letter != 0)
				fprintf(out, "\\-%c\\fR, \\fB", row->letter);
			fputs("\\-\\-", out);
			help_put_roff(out, row->option);
			fputs("\\fR", out);
			if (row->need != NEED_NOTHING) {
				fprintf(out, "%s=\\fI", row->need == MAY_HAVE_VALUE ? "[" : "");
				help_put_roff(out, row->argument);
				fprintf(out, "\\fR%s", row->need == MAY_HAVE_VALUE ? "]" : "");
			}
			put_row_text(out, row);
		}
	}
}

static void put_variables(FILE *out)
{
	for (size_t i = 0; i < schema_size; i++) {
		const struct schema_row *row = &schema[i];

		if (row->variable == NULL)
			continue;
		fprintf(out, ".TP\n\\fB%s\\fR", row->variable);
		if (row->option == NULL) {
			put_row_text(out, row);
			continue;
		}
		fputs("\nAs \\fB\\-\\-", out);
		help_put_roff(out, row->option);
		fputs("\\fR.\n", out);
	}
}

/* What stands for the name between two @: a text that is to be escaped, or NULL. */
static const char *mark_value(const char *name, size_t len)
{
	char option[64];
	const struct schema_row *row;

	if (len == strlen("VERSION") && memcmp(name, "VERSION", len) == 0)
		return VERSION;
	if (len >= sizeof(option))
		return NULL;
	memcpy(option, name, len);
	option[len] = '\0';
	row = schema_find_option(option);
	if (row == NULL)
		return NULL;
	return row->absent != NULL ? row->absent : row->bare;
}

static void put_line(FILE *out, const char *line)
{
	const char *start, *end;

	while ((start = strchr(line, '@')) != NULL && (end = strchr(start + 1, '@')) != NULL) {
		const char *value = mark_value(start + 1, (size_t)(end - start - 1));

		if (value == NULL) {
			fprintf(out, "%.*s", (int)(end - line), line);
			line = end;
			continue;
		}
		fprintf(out, "%.*s", (int)(start - line), line);
		help_put_roff(out, value);
		line = end + 1;
	}
	fputs(line, out);
}

static bool put_part(FILE *out, const char *line, const struct help_part *parts, size_t n_parts)
{
	for (size_t i = 0; i < n_parts; i++) {
		if (strcmp(line, parts[i].mark) == 0) {
			parts[i].print(out);
			return true;
		}
	}
	return false;
}

int help_print_man(FILE *in, FILE *out, const struct help_part *parts, size_t n_parts)
{
	static const struct help_part own[] = {
	        {"@OPTIONS@\n", put_options},
	        {"@VARIABLES@\n", put_variables},
	};
	char line[1024];

	while (fgets(line, sizeof(line), in) != NULL) {
		if (!put_part(out, line, own, sizeof(own) / sizeof(own[0])) &&
		    !put_part(out, line, parts, n_parts))
			put_line(out, line);
	}
	return ferror(in) || ferror(out) ? -EIO : 0;
}
