/* What of a file that is read again takes effect while the daemon runs, and what is named because
 * it does not.
 */
#include <errno.h>

#include "config_rig.h"
#include "suite.h"

#include "config/reload.h"
#include "config/schema.h"

static char told[1024];
static struct config again;

static void tell(void *context, const char *name, const char *before, const char *now)
{
	size_t len = strlen(told);

	ck_assert_ptr_null(context);
	snprintf(told + len, sizeof(told) - len, "%s: %s, %s\n", name, before, now);
}

static void read_again(const char *text)
{
	char *argv[] = {"v", "--config", rig.path, NULL};

	rig_write(text, strlen(text));
	ck_assert_int_eq(config_load_again(3, argv, &rig.cfg, &again, &rig.err), 0);
}

START_TEST(rows_that_can_be_changed_are_numbers_and_switches)
{
	for (size_t i = 0; i < schema_size; i++) {
		const struct schema_row *row = &schema[i];

		if (!row->at_run_time)
			continue;
		ck_assert_ptr_nonnull(row->variable);
		ck_assert(row->type == SCHEMA_FLAG || row->type == SCHEMA_ENABLE ||
		          row->type == SCHEMA_LEVEL || row->type == SCHEMA_FRACTION);
	}
}
END_TEST

START_TEST(what_can_be_changed_is_taken_and_told)
{
	ck_assert_int_eq(rig_load_text("VIRTIOFWD_CPU_MASK=1\nVIO4WD_CORE_SCHED_ENABLE=true\n"), 0);
	read_again("VIRTIOFWD_CPU_MASK=0x2\nVIRTIOFWD_LOG_LEVEL=7\n"
	           "VIO4WD_CORE_SCHED_SENSITIVITY=0.5\nVIO4WD_CORE_SCHED_GLOBAL_NUMA_OPT=y\n");
	told[0] = '\0';
	ck_assert_uint_eq(config_take(&rig.cfg, &again, tell, NULL), 4);
	ck_assert_str_eq(
	        told, "VIO4WD_CORE_SCHED_ENABLE: on, off\n"
	              "VIO4WD_CORE_SCHED_SENSITIVITY (--core-sched-sensitivity): 0.25, 0.5\n"
	              "VIO4WD_CORE_SCHED_GLOBAL_NUMA_OPT (--core-sched-global-numa-opt): off, on\n"
	              "VIRTIOFWD_LOG_LEVEL (--loglevel): 6, 7\n");
	ck_assert_int_eq(rig.cfg.log_level, 7);
	ck_assert(!rig.cfg.core_sched_enable && rig.cfg.core_sched_global_numa_opt);
	ck_assert_double_eq(rig.cfg.core_sched_sensitivity, 0.5);
	ck_assert_uint_eq(config_take(&rig.cfg, &again, tell, NULL), 0);
	char names[64];
	ck_assert_uint_eq(config_differences(&rig.cfg, &again, names, sizeof(names)), 0);
	ck_assert_str_eq(names, "");
	config_free(&again);
}
END_TEST

/* One of each type of field. */
START_TEST(what_cannot_is_named)
{
	static const struct {
		const char *line, *name;
	} cases[] = {
	        {"VIRTIOFWD_CPU_MASK=1,2", "VIRTIOFWD_CPU_MASK (--cpus)"},
	        {"VIRTIOFWD_MASTER_LCORE=3", "VIRTIOFWD_MASTER_LCORE (--master-lcore)"},
	        {"VIRTIOFWD_JUMBO=y", "VIRTIOFWD_JUMBO (--enable-jumbo)"},
	        {"VIRTIOFWD_CPU_PINS=1:1", "VIRTIOFWD_CPU_PINS (--virtio-cpu)"},
	        {"VIRTIOFWD_STATIC_VFS=0000:05:08.1=3", "VIRTIOFWD_STATIC_VFS (--add-pci-vf)"},
	        {"VIRTIOFWD_EAL_ARGS='-m 64'", "VIRTIOFWD_EAL_ARGS (--eal)"},
	        {"VIRTIOFWD_ZMQ_STATS_EP=ipc:///x", "VIRTIOFWD_ZMQ_STATS_EP (--zmq-stats-ep)"},
	};
	char text[256], names[128];

	ck_assert_int_eq(rig_load_text("VIRTIOFWD_CPU_MASK=1\n"), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "VIRTIOFWD_CPU_MASK=1\n%s\n", cases[i].line);
		read_again(text);
		ck_assert_uint_eq(config_differences(&rig.cfg, &again, names, sizeof(names)), 1);
		ck_assert_str_eq(names, cases[i].name);
		ck_assert_uint_eq(config_take(&rig.cfg, &again, tell, NULL), 0);
		config_free(&again);
	}
	read_again("VIRTIOFWD_CPU_MASK=1\nVIRTIOFWD_JUMBO=y\nVIRTIOFWD_MRGBUF=y\n");
	ck_assert_uint_eq(config_differences(&rig.cfg, &again, names, sizeof(names)), 2);
	ck_assert_str_eq(names,
	                 "VIRTIOFWD_JUMBO (--enable-jumbo), VIRTIOFWD_MRGBUF (--enable-mrgbuf)");
	ck_assert_uint_eq(config_differences(&rig.cfg, &again, names, 20), 2);
	ck_assert_uint_lt(strlen(names), 20);
	config_free(&again);
}
END_TEST

START_TEST(the_same_written_otherwise_is_the_same)
{
	char names[64];

	ck_assert_int_eq(
	        rig_load_text("VIRTIOFWD_CPU_MASK=1,2\nVIRTIOFWD_STATIC_VFS=(05:08.1=3)\n"), 0);
	read_again("# another\nVIRTIOFWD_STATIC_VFS=05:08.1=3\nVIRTIOFWD_CPU_MASK=0x6\n");
	ck_assert_uint_eq(config_differences(&rig.cfg, &again, names, sizeof(names)), 0);
	config_free(&again);
}
END_TEST

START_TEST(warnings_are_new_once)
{
	ck_assert_int_eq(rig_load_text("VIRTIOFWD_CPU_MASK=1\nVIRTIOFWD_OLD=1\n"), 0);
	read_again("VIRTIOFWD_CPU_MASK=1\nVIRTIOFWD_OLD=1\nVIRTIOFWD_NEW=1\n");
	ck_assert_uint_eq(again.n_warnings, 2);
	ck_assert(!config_is_new_warning(&rig.cfg, again.warnings[0]));
	ck_assert(config_is_new_warning(&rig.cfg, again.warnings[1]));
	config_free(&again);
}
END_TEST

START_TEST(numbers_of_clients_are_checked)
{
	struct error err;

	ck_assert_int_eq(config_check_number("loglevel", 0, &err), 0);
	ck_assert_int_eq(config_check_number("loglevel", 7, &err), 0);
	ck_assert_int_eq(config_check_number("loglevel", 8, &err), -EINVAL);
	ck_assert_str_eq(err.text, "loglevel is 8, which is not a number from 0 to 7");
	ck_assert_int_eq(config_check_number("core-sched-sensitivity", 1.5, &err), -EINVAL);
	ck_assert_int_eq(config_check_number("core-sched-sensitivity", __builtin_nan(""), &err),
	                 -EINVAL);
	ck_assert_int_eq(config_check_number("core-sched-sensitivity", -0.1, &err), -EINVAL);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, rig_set_up, rig_tear_down);
	tcase_add_test(tcase, rows_that_can_be_changed_are_numbers_and_switches);
	tcase_add_test(tcase, what_can_be_changed_is_taken_and_told);
	tcase_add_test(tcase, what_cannot_is_named);
	tcase_add_test(tcase, the_same_written_otherwise_is_the_same);
	tcase_add_test(tcase, warnings_are_new_once);
	tcase_add_test(tcase, numbers_of_clients_are_checked);
	return suite_main("reload", tcase);
}
