/* Reads the command line through getopt_long, see cli.h. The tables that getopt wants are made
 * from the schema for each call and live on its stack.
 */
#include "config/cli.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "config/config.h"

#define LONG_FIRST 256 /* getopt's value of a long option is this plus its row's index */

struct tables {
	struct option options[CONFIG_ROWS_MAX + 1];
	char letters[3 * CONFIG_ROWS_MAX + 3];
};

static void make_tables(struct tables *tables)
{
	static const int need[] = {[NEED_NOTHING] = no_argument,
	                           [NEED_VALUE] = required_argument,
	                           [MAY_HAVE_VALUE] = optional_argument};
	struct option *option = tables->options;
	char *letter = tables->letters;

	/* '-': words that are no options come back in their place; ':': getopt stays silent. */
	*letter++ = '-';
	*letter++ = ':';
	for (size_t i = 0; i < schema_size; i++) {
		const struct schema_row *row = &schema[i];

		if (row->option == NULL)
			continue;
		*option++ = (struct option){.name = row->option,
		                            .has_arg = need[row->need],
		                            .val = LONG_FIRST + (int)i};
		if (row->letter == 0)
			continue;
		*letter++ = row->letter;
		for (int colons = need[row->need]; colons > 0; colons--)
			*letter++ = ':';
	}
	*option = (struct option){0};
	*letter = '\0';
}

static const struct schema_row *row_of(int value)
{
	return value >= LONG_FIRST ? &schema[value - LONG_FIRST] : schema_find_letter(value);
}

static int refuse_word(const char *word, const struct setting *last, struct error *err)
{
	if (last != NULL && last->row->need == MAY_HAVE_VALUE && last->text == NULL)
		return error_set(err, EINVAL,
		                 "\"%.80s\" stands alone: the value of --%s is attached with '=', "
		                 "as in --%s=%.80s",
		                 word, last->row->option, last->row->option, word);
	return error_set(err, EINVAL, "\"%.80s\" is not an option: see --help", word);
}

static int refuse_unknown(const char *word, struct error *err)
{
	size_t len = strcspn(word, "="), matches = 0;
	int shown = len < 80 ? (int)len : 80;

	if (optopt >= LONG_FIRST)
		return error_set(err, EINVAL,
		                 "option --%s takes no value: leave out what follows it",
		                 row_of(optopt)->option);
	if (optopt == '=')
		return error_set(err, EINVAL,
		                 "\"=\" stands behind a short option that takes no value: see "
		                 "--help");
	if (optopt != 0)
		return error_set(err, EINVAL, "unknown option -%c: see --help", optopt);
	for (size_t i = 0; i < schema_size; i++)
		matches += schema[i].option != NULL && len > 2 &&
		           strncmp(schema[i].option, word + 2, len - 2) == 0;
	return error_set(err, EINVAL, "%s option %.*s: see --help",
	                 matches > 1 ? "ambiguous" : "unknown", shown, word);
}

static int add(struct settings *settings, const struct schema_row *row, bool is_short,
               struct error *err)
{
	const char *text = optarg;

	/* "-n=log_syslog" reads as well as "--nodaemon=log_syslog". */
	if (text != NULL && is_short && *text == '=')
		text++;
	if (text != NULL && *text == '\0' && row->need == MAY_HAVE_VALUE)
		text = NULL;
	return settings_add(settings, row, text, text != NULL ? strlen(text) : 0, 0, err);
}

int cli_parse(int argc, char *const argv[], struct settings *settings, enum schema_request *request,
              struct error *err)
{
	struct tables tables = {0};
	const struct schema_row *row;
	int value;

	make_tables(&tables);
	*request = REQUEST_RUN;
	opterr = 0;
	optind = 0; /* glibc: forget an earlier call */
	while ((value = getopt_long(argc, argv, tables.letters, tables.options, NULL)) != -1) {
		switch (value) {
		case 1:
			return refuse_word(
			        optarg,
			        settings->count > 0 ? &settings->items[settings->count - 1] : NULL,
			        err);
		case '?':
			return refuse_unknown(argv[optind - 1], err);
		case ':':
			row = row_of(optopt);
			return error_set(err, EINVAL, "option --%s needs a value: --%s=%s",
			                 row->option, row->option, row->argument);
		default:
			break;
		}
		row = row_of(value);
		if (row->type != SCHEMA_REQUEST) {
			if (add(settings, row, value < LONG_FIRST, err) < 0)
				return -err->code;
			continue;
		}
		if (row->request == REQUEST_HELP || row->request == REQUEST_VERSION ||
		    row->request == REQUEST_MAN) {
			*request = row->request;
			return 0;
		}
		if (*request != REQUEST_RUN && *request != row->request)
			return error_set(err, EINVAL,
			                 "option --%s: only one of --check, --bind and --unbind at "
			                 "a time",
			                 row->option);
		*request = row->request;
	}
	if (optind < argc)
		return refuse_word(argv[optind], NULL, err);
	return 0;
}
