/* --check on a machine of our own: nothing is found on the sound one, and each fault brings the
 * finding that is its own, which goes with it. Its CPUs, what is one file, and the report.
 */
#include <check.h>
#include <stdlib.h>

#include <jansson.h>

#include "fake_machine.h"
#include "suite.h"

START_TEST(a_sound_machine_has_no_findings)
{
	finds_nothing();
}
END_TEST

/* --- faults that are one file --------------------------------------------------------------- */

static const struct fault {
	const char *file, *broken, *sound;
	const char *id;
	enum finding_severity severity;
	const char *what, *remedy;
	const char *option; /* with which it is a fault, or NULL */
} faults[] = {
        {"sys/devices/system/cpu/online", "0-4\n", "0-7\n", "cpu.absent", FINDING_ERROR, "CPU 5",
         "choose from 0-4", NULL},
        {"sys/devices/system/cpu/isolated", "2-3\n", "1-3,5-7\n", "cpu.not_isolated",
         FINDING_WARNING, "CPU 1,5", "isolcpus=1,5", NULL},
        {"sys/devices/system/cpu/isolated", "\n", "1-3,5-7\n", "cpu.not_isolated", FINDING_WARNING,
         "CPU 1-2,5", "isolcpus=1-2,5", NULL},
        {"sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "0-1\n", "1\n",
         "cpu.shared_core", FINDING_WARNING, "CPUs 0-1", "lscpu -e", NULL},
        {"sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1,5\n", "1,6\n",
         "cpu.shared_core", FINDING_WARNING, "CPUs 1,5", "lscpu -e", NULL},
#if defined(__x86_64__)
        {"proc/cpuinfo", "flags\t: fpu pni xssse3 sse4_1 sse4_2x popcnt\n",
         "flags\t: pni ssse3 sse4_1 popcnt sse4_2\n", "cpu.instructions", FINDING_ERROR,
         "ssse3, sse4_2", "host-passthrough", NULL},
#endif
        {FREE_PAGES(0), "4\n", "256\n", "hugepages.few", FINDING_WARNING, "NUMA node 0 has 8 MB",
         "node0/hugepages/hugepages-2048kB/nr_hugepages", "--max-queues=1"},
        {FREE_PAGES(1), "0\n", "256\n", "numa.no_pages", FINDING_WARNING, "NUMA node 1 has 0 MB",
         "node1/hugepages", NULL},
        {"proc/sys/vm/max_map_count", "1000\n", "65530\n", "memory.max_map_count", FINDING_WARNING,
         "vm.max_map_count is 1000", "sysctl -w vm.max_map_count=65530", NULL},
        {"proc/sys/vm/max_map_count", "5000\n", "6000\n", "memory.max_map_count", FINDING_WARNING,
         "some 5120 mappings", "sysctl -w vm.max_map_count=65530", "--eal=--legacy-mem"},
        {"proc/cmdline", "quiet\n", "x iommu.passthrough=1 y\n", "iommu.not_pt", FINDING_WARNING,
         "no iommu=pt", "iommu=pt", NULL},
        {PF_FLAGS, "0x1002\n", "0x1003\n", "pf.down", FINDING_WARNING, "ens1f0",
         "ip link set ens1f0 up", NULL},
};

START_TEST(each_fault_has_its_finding)
{
	const struct fault *fault = &faults[_i];

	if (fault->option != NULL)
		option(fault->option);
	finds_nothing();
	tree_file(fault->file, fault->broken);
	const struct finding *finding = finds(fault->id, fault->severity);
	what_says(finding, fault->what);
	remedy_says(finding, fault->remedy);
	tree_file(fault->file, fault->sound);
	finds_nothing();
}
END_TEST

/* --- CPUs ----------------------------------------------------------------------------------- */

START_TEST(a_cpuset_that_is_narrower)
{
	machine.place.allowed = (struct cpu_set){0};
	cpu_set_add(&machine.place.allowed, 0);
	cpu_set_add(&machine.place.allowed, 1);
	cpu_set_add(&machine.place.allowed, 2);
	const struct finding *finding = finds("cpu.not_allowed", FINDING_ERROR);
	what_says(finding, "CPU 5 is not among those that this process may use (0-2)");
	remedy_says(finding, "AllowedCPUs=");
}
END_TEST

START_TEST(one_reason_is_enough)
{
	option("--cpus=1,2");
	rebind("0000:01:10.1", "igbvf");
	finds("vf.kernel_driver", FINDING_WARNING);
}
END_TEST

START_TEST(lcores_are_looked_up)
{
	option("--eal=--lcores 0@0,1@1,2@2,5@9");
	run();
	what_says(find("cpu.absent"), "CPU 9");
	option("--eal=--lcores=0@0,1@1,2@2,5@0");
	run();
	ck_assert_ptr_nonnull(find("cpu.main_overlap"));
	/* What cannot be read is not judged. */
	option("--eal=--lcores (0,1,2,5)@(0-9)");
	finds_nothing();
}
END_TEST

/* --- the report ----------------------------------------------------------------------------- */

static char *print(int (*how)(const struct report *, FILE *))
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_int_eq(how(&machine.report, out), 0);
	fclose(out);
	return text;
}

static int print_text(const struct report *report, FILE *out)
{
	report_print_text(report, out);
	return 0;
}

START_TEST(reports_are_readable)
{
	run();
	char *text = print(print_text);
	ck_assert_str_eq(text, "Nothing found: the daemon can run as configured.\n");
	free(text);
	tree_file("proc/cmdline", "\n");
	tree_file("sys/devices/system/cpu/online", "0-4\n");
	run();
	text = print(print_text);
	/* errors first */
	ck_assert_ptr_eq(strstr(text, "error: CPU 5"), text);
	ck_assert_ptr_nonnull(strstr(text, "[cpu.absent]\n    why:    "));
	ck_assert_ptr_nonnull(strstr(text, "\n    remedy: add iommu=pt"));
	ck_assert_ptr_nonnull(strstr(text, "\n1 error, 1 warning.\n"));
	free(text);
	tree_file("sys/devices/system/cpu/online", "0-7\n");
	run();
	text = print(print_text);
	ck_assert_ptr_nonnull(strstr(text, "0 errors, 1 warning: the daemon can run"));
	free(text);
}
END_TEST

START_TEST(reports_are_json)
{
	struct finding *finding;
	json_error_t error;
	char *text;

	finding = report_add(&machine.report, FINDING_WARNING, "a.warning");
	finding_what(finding, "a path: \xff\"\\");
	finding_why(finding, "Gr\xc3\xbc\xc3\x9f"
	                     "e");
	finding_remedy(finding, "%d", 5);
	report_add(&machine.report, FINDING_ERROR, "an.error");
	report_settle(&machine.report, false);
	text = print(report_print_json);
	json_t *all = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	ck_assert_ptr_nonnull(all);
	json_t *list = json_object_get(all, "findings");
	ck_assert(json_is_false(json_object_get(all, "ok")));
	ck_assert_int_eq(json_integer_value(json_object_get(all, "errors")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(all, "warnings")), 1);
	ck_assert_uint_eq(json_array_size(list), 2);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "severity")),
	                 "error");
	json_t *second = json_array_get(list, 1);
	ck_assert_str_eq(json_string_value(json_object_get(second, "id")), "a.warning");
	ck_assert_str_eq(json_string_value(json_object_get(second, "what")), "a path: ?\"\\");
	ck_assert_str_eq(json_string_value(json_object_get(second, "remedy")), "5");
	json_decref(all);
	free(text);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60); /* a busy machine, where forking alone takes long */
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_sound_machine_has_no_findings);
	tcase_add_loop_test(tcase, each_fault_has_its_finding, 0,
	                    sizeof(faults) / sizeof(faults[0]));
	tcase_add_test(tcase, a_cpuset_that_is_narrower);
	tcase_add_test(tcase, one_reason_is_enough);
	tcase_add_test(tcase, lcores_are_looked_up);
	tcase_add_test(tcase, reports_are_readable);
	tcase_add_test(tcase, reports_are_json);
	return suite_main("preflight", tcase);
}
