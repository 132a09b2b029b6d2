/* Lines of metrics to the letter, in both formats, and what a label's value may hold.
 */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include "metrics/lines.h"

static char buffer[512];
static struct lines lines;

static const struct metric_head counter = {"vio4wd_some_packets", "packets", METRIC_COUNTER,
                                           "Packets, \"these\" and\nthose \\."};
static const struct metric_head gauge = {"vio4wd_some", NULL, METRIC_GAUGE, "Some."};
static const struct metric_head info = {"vio4wd_build", NULL, METRIC_INFO, "What it is."};

static void begin(enum metrics_format format, size_t size)
{
	lines = (struct lines){buffer, size, 0, false, format};
}

static void expect(const char *text)
{
	ck_assert_int_eq(lines.used, strlen(text));
	ck_assert_msg(memcmp(buffer, text, lines.used) == 0, "%.*s is not %s", (int)lines.used,
	              buffer, text);
	lines.used = 0;
}

START_TEST(heads_of_openmetrics)
{
	begin(METRICS_OPENMETRICS, sizeof(buffer));
	lines_put_head(&lines, &counter);
	expect("# HELP vio4wd_some_packets Packets, \\\"these\\\" and\\nthose \\\\.\n"
	       "# TYPE vio4wd_some_packets counter\n"
	       "# UNIT vio4wd_some_packets packets\n");
	lines_put_head(&lines, &gauge);
	expect("# HELP vio4wd_some Some.\n# TYPE vio4wd_some gauge\n");
	lines_put_head(&lines, &info);
	expect("# HELP vio4wd_build What it is.\n# TYPE vio4wd_build info\n");
	lines_put_end(&lines);
	expect("# EOF\n");
}
END_TEST

START_TEST(heads_of_the_older_format)
{
	begin(METRICS_TEXT, sizeof(buffer));
	lines_put_head(&lines, &counter);
	expect("# HELP vio4wd_some_packets_total Packets, \"these\" and\\nthose \\\\.\n"
	       "# TYPE vio4wd_some_packets_total counter\n");
	lines_put_head(&lines, &info);
	expect("# HELP vio4wd_build_info What it is.\n# TYPE vio4wd_build_info gauge\n");
	lines_put_end(&lines);
	expect("");
}
END_TEST

START_TEST(samples)
{
	const struct metric_label labels[] = {{"relay", "3"}, {"cause", "runt"}};

	begin(METRICS_OPENMETRICS, sizeof(buffer));
	lines_put_number(&lines, &counter, labels, 2, UINT64_MAX);
	expect("vio4wd_some_packets_total{relay=\"3\",cause=\"runt\"} 18446744073709551615\n");
	lines_put_number(&lines, &gauge, NULL, 0, 0);
	expect("vio4wd_some 0\n");
	lines_put_real(&lines, &gauge, labels, 1, 0.25);
	expect("vio4wd_some{relay=\"3\"} 0.25\n");
	lines_put_real(&lines, &gauge, NULL, 0, 1e10);
	expect("vio4wd_some 10000000000\n");
	lines_put_number(&lines, &info, labels, 1, 1);
	expect("vio4wd_build_info{relay=\"3\"} 1\n");
}
END_TEST

START_TEST(values_of_labels_are_escaped)
{
	const struct metric_label quoted = {"socket", "/a\"b\\c"};
	const struct metric_label bytes = {"socket", "/\xff\xc3\xa4\n\x01"};
	char longest[1024];
	const struct metric_label endless = {"socket", longest};

	begin(METRICS_OPENMETRICS, sizeof(buffer));
	lines_put_number(&lines, &gauge, &quoted, 1, 1);
	expect("vio4wd_some{socket=\"/a\\\"b\\\\c\"} 1\n");
	lines_put_number(&lines, &gauge, &bytes, 1, 1);
	expect("vio4wd_some{socket=\"/?\xc3\xa4??\"} 1\n");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	lines_put_number(&lines, &gauge, &endless, 1, 1);
	ck_assert(!lines.full);
	ck_assert_int_lt(lines.used, 300);
	ck_assert_int_eq(buffer[lines.used - 1], '\n');
}
END_TEST

/* Whatever the room, nothing is written beyond it. */
START_TEST(the_buffer_is_not_left)
{
	const struct metric_label label = {"relay", "\"12\""};
	size_t whole;

	begin(METRICS_OPENMETRICS, sizeof(buffer));
	lines_put_head(&lines, &info);
	lines_put_number(&lines, &info, &label, 1, 7);
	whole = lines.used;
	for (size_t size = 0; size <= whole; size++) {
		memset(buffer, '#', sizeof(buffer));
		begin(METRICS_OPENMETRICS, size);
		lines_put_head(&lines, &info);
		lines_put_number(&lines, &info, &label, 1, 7);
		ck_assert_int_le(lines.used, size);
		ck_assert_int_eq(buffer[size], '#');
		ck_assert_int_eq(lines.full, size < whole);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, heads_of_openmetrics);
	tcase_add_test(tcase, heads_of_the_older_format);
	tcase_add_test(tcase, samples);
	tcase_add_test(tcase, values_of_labels_are_escaped);
	tcase_add_test(tcase, the_buffer_is_not_left);
	return suite_main("lines", tcase);
}
