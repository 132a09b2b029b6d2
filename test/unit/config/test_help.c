/* --help and the man page say all that the schema has, in a form that terminals and man like.
 */
#include "config_rig.h"
#include "suite.h"

#include <sys/wait.h>

#include "config/help.h"
#include "config/schema.h"
#include "config/value.h"
#include "control/control.h"
#include "project_file.h"
#include "rpc/counters_man.h"

static char *make_help(void)
{
	ck_assert_int_eq(rig_load("--help", NULL), 0);
	return rig.output;
}

/* The same in one line, with single blanks: whatever is broken where. */
static char *make_flat_help(void)
{
	char *help = make_help(), *to = help;

	for (const char *from = help; *from != '\0'; from++) {
		bool blank = *from == ' ' || *from == '\n';

		if (!blank || (to > help && to[-1] != ' '))
			*to++ = blank ? ' ' : *from;
	}
	*to = '\0';
	return help;
}

/* The caller frees it. */
static char *make_man(void)
{
	static const struct help_part parts[] = {
	        {"@LANE_COUNTERS@\n", counters_man_print_lanes},
	        {"@VF_COUNTS@\n", counters_man_print_vfs},
	};
	FILE *in = fopen(project_path("doc/virtio-forwarder.8.in"), "r"), *out;
	char *text = NULL;
	size_t len;

	ck_assert_ptr_nonnull(in);
	out = open_memstream(&text, &len);
	ck_assert_int_eq(help_print_man(in, out, parts, 2), 0);
	fclose(in);
	fclose(out);
	return text;
}

/* roff's spelling of it. */
static const char *escape(const char *text)
{
	static char out[4096];
	size_t len = 0;

	for (; *text != '\0' && len < sizeof(out) - 8; text++) {
		if (*text == '-' || *text == '\\')
			out[len++] = '\\';
		out[len++] = *text == '\\' ? 'e' : *text;
		if (strncmp(text, "…", 3) == 0) {
			len--;
			len += (size_t)snprintf(out + len, 4, "...");
			text += 2;
		}
	}
	out[len] = '\0';
	return out;
}

START_TEST(help_has_every_row)
{
	const char *help = make_help();

	for (size_t i = 0; i < schema_size; i++) {
		const struct schema_row *row = &schema[i];
		char name[128];

		if (row->help == NULL)
			continue;
		if (row->option != NULL && row->letter != 0)
			snprintf(name, sizeof(name), "\n  -%c, --%s", row->letter, row->option);
		else if (row->option != NULL)
			snprintf(name, sizeof(name), "\n      --%s", row->option);
		else
			snprintf(name, sizeof(name), "\n  %s=", row->variable);
		ck_assert_msg(strstr(help, name) != NULL, "%s", name);
		if (row->option != NULL && row->variable != NULL) {
			snprintf(name, sizeof(name), "(%s)\n", row->variable);
			ck_assert_msg(strstr(help, name) != NULL, "%s", name);
		}
	}
}
END_TEST

START_TEST(help_fits_a_terminal)
{
	char *rest = make_help(), *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		size_t len = strlen(line);

		ck_assert_msg(len <= 100, "%s", line);
		ck_assert_msg(len == 0 || line[len - 1] != ' ', "\"%s\"", line);
		ck_assert_ptr_null(strchr(line, '\t'));
		ck_assert_ptr_null(strstr(line, "(null)"));
	}
}
END_TEST

START_TEST(help_says_everything)
{
	const char *help = make_flat_help();

	for (size_t i = 0; i < schema_size; i++) {
		const struct schema_row *row = &schema[i];
		char notes[512] = "", min[32], max[32];
		size_t len = 0;

		if (row->help == NULL)
			continue;
		len += (size_t)snprintf(notes, sizeof(notes), "%s", row->help);
		if (row->type == SCHEMA_NUMBER || row->type == SCHEMA_LEVEL ||
		    row->type == SCHEMA_FRACTION)
			len += (size_t)snprintf(notes + len, sizeof(notes) - len,
			                        " Range: %s to %s.",
			                        value_format_limit(row->min, min, sizeof(min)),
			                        value_format_limit(row->max, max, sizeof(max)));
		if (row->absent != NULL)
			len += (size_t)snprintf(notes + len, sizeof(notes) - len, " Default: %s.",
			                        row->absent);
		if (row->bare != NULL)
			len += (size_t)snprintf(notes + len, sizeof(notes) - len,
			                        " Without a value: %s.", row->bare);
		if (row->planned)
			snprintf(notes + len, sizeof(notes) - len, " (Not available yet");
		ck_assert_msg(strstr(help, notes) != NULL, "%s", notes);
	}
	ck_assert_ptr_nonnull(strstr(help, "the first CPU serves VF to VM, the second VM to VF"));
	ck_assert_ptr_nonnull(strstr(help, "Range: 0.1 to 3600. Default: 5."));
}
END_TEST

START_TEST(man_page_has_every_row)
{
	char *man = make_man();

	for (size_t i = 0; i < schema_size; i++) {
		const struct schema_row *row = &schema[i];
		char name[128];

		if (row->help == NULL)
			continue;
		ck_assert_msg(strstr(man, escape(row->help)) != NULL, "%s", row->help);
		if (row->option != NULL) {
			snprintf(name, sizeof(name), "\\fB\\-\\-%s\\fR", escape(row->option));
			ck_assert_msg(strstr(man, name) != NULL, "%s", name);
		}
		if (row->letter != 0) {
			snprintf(name, sizeof(name), "\\fB\\-%c\\fR, ", row->letter);
			ck_assert_msg(strstr(man, name) != NULL, "%s", name);
		}
		if (row->variable != NULL) {
			snprintf(name, sizeof(name), "\\fB%s\\fR", row->variable);
			ck_assert_msg(strstr(man, name) != NULL, "%s", name);
		}
	}
	ck_assert_ptr_null(strstr(man, "@OPTIONS@"));
	ck_assert_ptr_null(strstr(man, "@VARIABLES@"));
	ck_assert_ptr_null(strstr(man, "@VERSION@"));
	ck_assert_ptr_nonnull(strstr(man, "virtio-forwarder " VERSION));
	free(man);
}
END_TEST

static void check_entry(const char *man, const char *name, const char *text)
{
	char bold[128];

	snprintf(bold, sizeof(bold), "\\fB%s\\fR", name);
	ck_assert_msg(strstr(man, bold) != NULL, "%s", name);
	ck_assert_msg(text == NULL || strstr(man, escape(text)) != NULL, "%s", name);
}

START_TEST(man_page_has_every_counter)
{
	char *man = make_man();

	for (size_t i = 0; i < LANE_COUNTERS; i++)
		for (int d = 0; d < LANE_DIRECTIONS; d++)
			check_entry(man, lane_counter_table[i].wire[d], lane_counter_table[i].help);
	for (size_t i = 0; i < VF_COUNTS; i++)
		check_entry(man, vf_count_table[i].wire, vf_count_table[i].help);
	ck_assert_ptr_null(strstr(man, "_COUNT"));
	free(man);
}
END_TEST

static bool is_counter(const char *name, size_t len)
{
	const char *known[LANE_DIRECTIONS * LANE_COUNTERS + VF_COUNTS];
	size_t n = 0;

	for (size_t i = 0; i < LANE_COUNTERS; i++)
		for (int d = 0; d < LANE_DIRECTIONS; d++)
			known[n++] = lane_counter_table[i].wire[d];
	for (size_t i = 0; i < VF_COUNTS; i++)
		known[n++] = vf_count_table[i].wire;
	for (size_t i = 0; i < n; i++)
		if (strlen(known[i]) == len && memcmp(known[i], name, len) == 0)
			return true;
	return false;
}

START_TEST(prose_names_no_unknown_counter)
{
	static const char *const files[] = {"README.md", "doc/virtio-forwarder.8.in",
	                                    "clients/virtioforwarder_stats.py",
	                                    "doc/architecture.md"};
	char *text = project_text(files[_i]);

	for (const char *at = text; *at != '\0';) {
		size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz_");

		if (strncmp(at, "pkts_", 5) == 0 || strncmp(at, "bytes_", 6) == 0)
			ck_assert_msg(is_counter(at, len), "%s: %.*s", files[_i], (int)len, at);
		at += len > 0 ? len : 1;
	}
	free(text);
}
END_TEST

/* What the template's prose quotes. */
static char *fill(const char *template)
{
	FILE *in = fmemopen((char *)template, strlen(template), "r"), *out;
	static char text[256];

	memset(text, 0, sizeof(text));
	out = fmemopen(text, sizeof(text) - 1, "w");
	ck_assert(in != NULL && out != NULL);
	ck_assert_int_eq(help_print_man(in, out, NULL, 0), 0);
	fclose(in);
	fclose(out);
	return text;
}

START_TEST(man_page_quotes_defaults)
{
	ck_assert_str_eq(fill("in @pid-path@/x, @loglevel@\n"), "in /var/run/x, 6\n");
	ck_assert_str_eq(fill("@vhost-socket@@master-lcore@"), "virtio\\-forwarder%u.sock0");
	ck_assert_str_eq(fill("v@VERSION@."), "v" VERSION ".");
	/* Nothing else between two of them. */
	ck_assert_str_eq(fill("0@0,1@130 @cpus@ @x"), "0@0,1@130 @cpus@ @x");
	ck_assert_str_eq(fill("a@b @loglevel@"), "a@b 6");
	ck_assert_str_eq(fill("@"), "@");
}
END_TEST

static bool installed(const char *command)
{
	char text[64];

	snprintf(text, sizeof(text), "command -v %s > /dev/null", command);
	return system(text) == 0;
}

/* Writes the page to rig.path and runs command on it; what that printed. The caller frees it. */
static char *run_on_man_page(const char *command)
{
	char *man = make_man(), *output = NULL, text[256];
	size_t size = 0;
	FILE *pipe;

	rig_write(man, strlen(man));
	free(man);
	snprintf(text, sizeof(text), "%s %s 2>&1", command, rig.path);
	pipe = popen(text, "r");
	ck_assert_ptr_nonnull(pipe);
	if (getdelim(&output, &size, '\0', pipe) < 0) {
		free(output);
		output = strdup("");
	}
	ck_assert_int_eq(pclose(pipe), 0);
	return output;
}

START_TEST(man_page_renders_without_warnings)
{
	char *output;

	if (!installed("groff"))
		return;
	output = run_on_man_page("groff -man -Tutf8 -ww -z");
	ck_assert_str_eq(output, "");
	free(output);
}
END_TEST

START_TEST(man_page_reads_well)
{
	char *output;

	if (!installed("groff"))
		return;
	output = run_on_man_page("groff -man -Tascii -P-cbou");
	ck_assert_ptr_nonnull(strstr(output, "-C, --cpus=CPUS\n"));
	ck_assert_ptr_nonnull(strstr(output, "-z, --zmq-stats-ep[=ENDPOINT]\n"));
	ck_assert_ptr_nonnull(strstr(output, "VIRTIOFWD_CPU_MASK\n"));
	ck_assert_ptr_null(strstr(output, "\\fB"));
	free(output);
}
END_TEST

START_TEST(version_is_one_line)
{
	ck_assert_int_eq(rig_load("--version", NULL), 0);
	ck_assert_str_eq(rig.output, "Virtio-forwarder version " VERSION "\n");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, rig_set_up, rig_tear_down);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, help_has_every_row);
	tcase_add_test(tcase, help_fits_a_terminal);
	tcase_add_test(tcase, help_says_everything);
	tcase_add_test(tcase, man_page_has_every_row);
	tcase_add_test(tcase, man_page_has_every_counter);
	tcase_add_loop_test(tcase, prose_names_no_unknown_counter, 0, 4);
	tcase_add_test(tcase, man_page_quotes_defaults);
	tcase_add_test(tcase, man_page_renders_without_warnings);
	tcase_add_test(tcase, man_page_reads_well);
	tcase_add_test(tcase, version_is_one_line);
	return suite_main("help", tcase);
}
