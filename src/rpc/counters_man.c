/* The manual page's lists of counters. See counters_man.h.
 */
#include "rpc/counters_man.h"

#include <string.h>

#include "config/help.h"
#include "control/control.h"

/* The names of n rows in one direction, in a line. */
static void put_names(FILE *out, const struct lane_counter *rows, size_t n, int direction)
{
	for (size_t i = 0; i < n; i++) {
		fputs(i == 0 ? "\\fB" : ", \\fB", out);
		help_put_roff(out, rows[i].wire[direction]);
		fputs("\\fR", out);
	}
	fputc('\n', out);
}

void counters_man_print_lanes(FILE *out)
{
	size_t n;

	for (size_t i = 0; i < LANE_COUNTERS; i += n) {
		const struct lane_counter *rows = &lane_counter_table[i];

		for (n = 1; i + n < LANE_COUNTERS && rows[n].help == NULL; n++)
			;
		fputs(".TP\n", out);
		put_names(out, rows, n, LANE_VF_TO_VM);
		if (strcmp(rows->wire[LANE_VF_TO_VM], rows->wire[LANE_VM_TO_VF]) != 0) {
			fputs(".TQ\n", out);
			put_names(out, rows, n, LANE_VM_TO_VF);
		}
		help_put_roff(out, rows->help);
		fputc('\n', out);
	}
}

void counters_man_print_vfs(FILE *out)
{
	for (size_t i = 0; i < VF_COUNTS; i++) {
		fputs(".TP\n\\fB", out);
		help_put_roff(out, vf_count_table[i].wire);
		fputs("\\fR\n", out);
		help_put_roff(out, vf_count_table[i].help);
		fputc('\n', out);
	}
}
