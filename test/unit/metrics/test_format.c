/* Which format a request's Accept header asks for.
 */
#include "suite.h"

#include <string.h>

#include "metrics/format.h"

static const struct {
	const char *accept;
	enum metrics_format format;
} cases[] = {
        {NULL, METRICS_TEXT},
        {"", METRICS_TEXT},
        {"*/*", METRICS_TEXT},
        {"text/html, */*;q=0.8", METRICS_TEXT},
        {"text/plain", METRICS_TEXT},
        {"application/openmetrics-text", METRICS_OPENMETRICS},
        {"application/openmetrics-text; version=1.0.0", METRICS_OPENMETRICS},
        {"Application/OpenMetrics-Text;VERSION=1.0.0", METRICS_OPENMETRICS},
        {"application/openmetrics-text; version=0.0.1", METRICS_TEXT},
        {"application/openmetrics-text; version=2.0.0", METRICS_TEXT},
        /* Prometheus 2.42's */
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q="
         "0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         METRICS_OPENMETRICS},
        {"text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0;q=0.5",
         METRICS_TEXT},
        {"application/openmetrics-text;q=0", METRICS_TEXT},
        {"application/openmetrics-text;q=0.5, text/plain;q=0.5", METRICS_OPENMETRICS},
        {"application/openmetrics-text;q=nonsense", METRICS_TEXT},
        {"application/openmetrics-text;q=999999999999999999999999999999999999999999", METRICS_TEXT},
        {",,;;=,;q=;version=,", METRICS_TEXT},
        {" \t , application/openmetrics-text \t", METRICS_OPENMETRICS},
        {"application/openmetrics-textual", METRICS_TEXT},
};

START_TEST(accept_chooses)
{
	ck_assert_msg(metrics_format_choose(cases[_i].accept) == cases[_i].format, "%s",
	              cases[_i].accept != NULL ? cases[_i].accept : "(none)");
}
END_TEST

/* Whatever stands there, one of the two comes of it, and nothing beyond its end is read. */
START_TEST(any_header_will_do)
{
	static const char *const words[] = {"application/openmetrics-text",
	                                    "text/plain",
	                                    "*/*",
	                                    "version=1.0.0",
	                                    "q=",
	                                    "0.5",
	                                    ";",
	                                    ",",
	                                    "=",
	                                    " ",
	                                    "\xff",
	                                    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"};
	unsigned chance = 1;

	for (unsigned i = 0; i < 20000; i++) {
		char text[400] = "";

		for (unsigned n = 0; n < i % 9; n++) {
			chance = chance * 1103515245 + 12345;
			strncat(text, words[(chance >> 16) % (sizeof(words) / sizeof(words[0]))],
			        40);
		}
		char *exact = strdup(text);
		enum metrics_format format = metrics_format_choose(exact);
		ck_assert(format == METRICS_TEXT || format == METRICS_OPENMETRICS);
		free(exact);
	}
}
END_TEST

START_TEST(types)
{
	ck_assert_str_eq(metrics_format_type(METRICS_TEXT),
	                 "text/plain; version=0.0.4; charset=utf-8");
	ck_assert_str_eq(metrics_format_type(METRICS_OPENMETRICS),
	                 "application/openmetrics-text; version=1.0.0; charset=utf-8");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_loop_test(tcase, accept_chooses, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tcase, any_header_will_do);
	tcase_add_test(tcase, types);
	return suite_main("format", tcase);
}
