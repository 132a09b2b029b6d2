/* CPU sets and pins as text: lists, masks of any length, and what is neither. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu_set.h"
#include "base/limits.h"
#include "suite.h"

#define ZEROS_300                                                                                  \
	"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" \
	"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" \
	"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" \
	"000000000000000000000000000000000000"

static const struct {
	const char *text, *reads; /* NULL: refused, and then says is a part of why */
	const char *says;
} sets[] = {
        {"0", "0", NULL},
        {"1,2", "1-2", NULL},
        {"2,1,2", "1-2", NULL},
        {"1-3,8", "1-3,8", NULL},
        {"5-5", "5", NULL},
        {"0-1023", "0-1023", NULL},
        {"63,64,127,128", "63-64,127-128", NULL},
        {"0001", "1", NULL},
        {"0x6", "1-2", NULL},
        {"0X0006", "1-2", NULL},
        {"0xfF", "0-7", NULL},
        {"0x10000000000000000", "64", NULL},
        {"0x8000000000000001", "0,63", NULL},
        {"0x" ZEROS_300 "1", "0", NULL},
        {"0x8" ZEROS_300, NULL, "CPUs above 1023"},
        {"1024", NULL, "CPU 1024 is out of range"},
        {"99999999999999999999", NULL, "out of range"},
        {"", NULL, "no CPU is named"},
        {",", NULL, "not a CPU number"},
        {"1,", NULL, "not a CPU number"},
        {",1", NULL, "not a CPU number"},
        {"1,,2", NULL, "not a CPU number"},
        {"1, 2", NULL, "\" 2\" is not a CPU number"},
        {"1-", NULL, "not a CPU number"},
        {"-1", NULL, "not a CPU number"},
        {"1-2-3", NULL, "\"2-3\" is not a CPU number"},
        {"3-1", NULL, "write 1-3"},
        {"0x", NULL, "no digits"},
        {"0x0", NULL, "names no CPU"},
        {"0x" ZEROS_300, NULL, "names no CPU"},
        {"0xg", NULL, "'g'"},
        {"0x1,2", NULL, "','"},
        {"6x", NULL, "not a CPU number"},
        {"one", NULL, "\"one\" is not a CPU number"},
        {"1\n", NULL, "not a CPU number"},
        /* Longer than any number: the end must not be lost, nor what is wrong with it. */
        {"00000000000000000000001x", NULL, "not a CPU number"},
        {"000000000000000000000000000000000000000000000001x", NULL, "not a CPU number"},
        {"00000000000000000000001x-5", NULL, "not a CPU number"},
        {"1-00000000000000000000000000000000000000000000000002x", NULL, "not a CPU number"},
};

START_TEST(reads_sets)
{
	struct cpu_set set, before;
	struct error err = {0};
	char text[256];
	int rc;

	memset(&set, 0xa5, sizeof(set));
	before = set;
	rc = cpu_set_parse(sets[_i].text, &set, &err);
	if (sets[_i].reads == NULL) {
		ck_assert_int_eq(rc, -EINVAL);
		ck_assert_msg(strstr(err.text, sets[_i].says) != NULL, "%s: %s", sets[_i].text,
		              err.text);
		ck_assert_mem_eq(&set, &before, sizeof(set));
		return;
	}
	ck_assert_msg(rc == 0, "%s: %s", sets[_i].text, err.text);
	ck_assert_str_eq(cpu_set_format(&set, text, sizeof(text)), sets[_i].reads);
	/* What is printed can be read again. */
	ck_assert_int_eq(cpu_set_parse(text, &before, &err), 0);
	ck_assert_mem_eq(&set, &before, sizeof(set));
}
END_TEST

START_TEST(walks_members)
{
	struct cpu_set set = {{0}};

	ck_assert_int_eq(cpu_set_next(&set, -1), -1);
	ck_assert_uint_eq(cpu_set_count(&set), 0);
	cpu_set_add(&set, 0);
	cpu_set_add(&set, 64);
	cpu_set_add(&set, CPU_SET_SIZE - 1);
	ck_assert_uint_eq(cpu_set_count(&set), 3);
	ck_assert_int_eq(cpu_set_next(&set, -1), 0);
	ck_assert_int_eq(cpu_set_next(&set, 0), 64);
	ck_assert_int_eq(cpu_set_next(&set, 64), CPU_SET_SIZE - 1);
	ck_assert_int_eq(cpu_set_next(&set, CPU_SET_SIZE - 1), -1);
	ck_assert(cpu_set_has(&set, 64) && !cpu_set_has(&set, 63));
	ck_assert(!cpu_set_has(&set, CPU_SET_SIZE) && !cpu_set_has(&set, -1U));
}
END_TEST

START_TEST(cuts_what_does_not_fit)
{
	struct cpu_set set = {{0}};
	char out[32];

	ck_assert_str_eq(cpu_set_format(&set, out, sizeof(out)), "");
	for (unsigned cpu = 100; cpu < 200; cpu += 2)
		cpu_set_add(&set, cpu);
	ck_assert_str_eq(cpu_set_format(&set, out, 15), "100,102,104…");
	ck_assert_str_eq(cpu_set_format(&set, out, 14), "100,102…");
	for (size_t size = 1; size <= sizeof(out); size++) {
		memset(out, 'x', sizeof(out));
		cpu_set_format(&set, out, size);
		ck_assert_uint_lt(strnlen(out, sizeof(out)), size);
	}
	memset(out, 'x', sizeof(out));
	cpu_set_format(&set, out, 0);
	ck_assert_int_eq(out[0], 'x');
}
END_TEST

static const struct {
	const char *text, *reads;
	const char *says;
} pins[] = {
        {"3:1", "3:1,1", NULL},
        {"3:1,2", "3:1,2", NULL},
        {"0:0", "0:0,0", NULL},
        {"63:1023,0", "63:1023,0", NULL},
        {"3:1,2;4:2;5:1", "3:1,2;4:2,2;5:1,1", NULL},
        {"", NULL, "\"\" is not a pin"},
        {"3", NULL, "\"3\" is not a pin: write relay:cpu"},
        {"3:", NULL, "not a CPU number"},
        {":1", NULL, "not a relay id"},
        {"64:1", NULL, "\"64\" is not a relay id (0 to 63)"},
        {"-1:1", NULL, "not a relay id"},
        {"3:1024", NULL, "CPU 1024 is out of range"},
        {"3:1,", NULL, "not a CPU number"},
        {"3:,1", NULL, "not a CPU number"},
        {"3:1,2,3", NULL, "\"2,3\" is not a CPU number"},
        {"3:1-2", NULL, "\"1-2\" is not a CPU number"},
        {"3:1:2", NULL, "\"1:2\" is not a CPU number"},
        {"3:-1", NULL, "not a CPU number"},
        {"3:1;", NULL, "\"\" is not a pin"},
        {"3:1;;4:1", NULL, "\"\" is not a pin"},
        {"3:1;3:2", NULL, "relay 3 is pinned twice"},
        {"3:1 ;4:1", NULL, "not a CPU number"},
        {"00000000000000000000003x:1", NULL, "not a relay id"},
        {"3:00000000000000000000001x", NULL, "not a CPU number"},
        {"3:1,0000000000000000000000000000000000000000000000000000000000001x", NULL,
         "not a CPU number"},
};

START_TEST(reads_pins)
{
	struct cpu_pin out[RELAYS_MAX];
	struct error err = {0};
	char text[128] = "";
	size_t count = 0, len = 0;
	int rc = cpu_pins_parse(pins[_i].text, out, RELAYS_MAX, &count, &err);

	if (pins[_i].reads == NULL) {
		ck_assert_int_eq(rc, -EINVAL);
		ck_assert_msg(strstr(err.text, pins[_i].says) != NULL, "%s: %s", pins[_i].text,
		              err.text);
		ck_assert_uint_eq(count, 0);
		return;
	}
	ck_assert_msg(rc == 0, "%s: %s", pins[_i].text, err.text);
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u:%d,%d",
		                        i > 0 ? ";" : "", out[i].relay_id, out[i].vf_to_vm_cpu,
		                        out[i].vm_to_vf_cpu);
	ck_assert_str_eq(text, pins[_i].reads);
}
END_TEST

START_TEST(appends_pins)
{
	struct cpu_pin out[3];
	struct error err;
	size_t count = 0;

	ck_assert_int_eq(cpu_pins_parse("1:1;2:2", out, 3, &count, &err), 0);
	ck_assert_int_eq(cpu_pins_parse("2:1", out, 3, &count, &err), -EINVAL);
	ck_assert_uint_eq(count, 2);
	ck_assert_int_eq(cpu_pins_parse("3:1;4:1", out, 3, &count, &err), -EINVAL);
	ck_assert_str_eq(err.text, "more than 3 pins");
	ck_assert_uint_eq(count, 2);
	ck_assert_int_eq(cpu_pins_parse("3:1", out, 3, &count, &err), 0);
	ck_assert_uint_eq(out[2].relay_id, 3);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_loop_test(tcase, reads_sets, 0, sizeof(sets) / sizeof(sets[0]));
	tcase_add_test(tcase, walks_members);
	tcase_add_test(tcase, cuts_what_does_not_fit);
	tcase_add_loop_test(tcase, reads_pins, 0, sizeof(pins) / sizeof(pins[0]));
	tcase_add_test(tcase, appends_pins);
	return suite_main("cpu_set", tcase);
}
