/* The configuration file: its language, what it refuses and with what line, and the files that
 * people have.
 */
#include "config_rig.h"
#include "suite.h"

#include <errno.h>
#include <sys/stat.h>

#include "config/file.h"
#include "config/schema.h"
#include "project_file.h"

#define CPUS "VIRTIOFWD_CPU_MASK=1\n"

/* --- the language -------------------------------------------------------------------------- */

/* Ways to write the directory of the sockets. */
static const struct {
	const char *text, *reads;
} spellings[] = {
        {"/a", "/a"},
        {"\"/a\"", "/a"},
        {"'/a'", "/a"},
        {"/a   ", "/a"},
        {"/a # comment", "/a"},
        {"/a\t#comment", "/a"},
        {"/a#b", "/a#b"},
        {"'/a # b'", "/a # b"},
        {"\"/a b\"", "/a b"},
        {"/a\\ b", "/a b"},
        {"/a'b'\"c\"d", "/abcd"},
        {"'/a$b`c\\d'", "/a$b`c\\d"},
        {"\"/a\\$b\\`c\\\\d\\\"e\"", "/a$b`c\\d\"e"},
        {"\"/a\\n\"", "/a\\n"},
        {"\"/a'b\"", "/a'b"},
        {"/a\\\nb", "/ab"},
        {"/a\\\r\nb", "/ab"},
        {"\"/a=b;c&d|e<f>g(h)\"", "/a=b;c&d|e<f>g(h)"},
        {"/a=b", "/a=b"},
        {"/\xc3\xa4", "/\xc3\xa4"},
        {"", "/tmp"},
        {"\"\"", "/tmp"},
        {"''", "/tmp"},
        {" # comment", "/tmp"},
        {"()", "/tmp"},
};

START_TEST(reads_values)
{
	char text[256];

	snprintf(text, sizeof(text), CPUS "VIRTIOFWD_SOCKET_DIR=%s\nVIRTIOFWD_JUMBO=y",
	         spellings[_i].text);
	ck_assert_msg(rig_load_text(text) == 0, "%s: %s", text, rig.err.text);
	ck_assert_str_eq(rig.cfg.vhost_path, spellings[_i].reads);
	ck_assert(rig.cfg.jumbo);
	ck_assert_uint_eq(rig.cfg.n_warnings, 0);
}
END_TEST

START_TEST(reads_lists)
{
	static const char *const lists[] = {
	        "(5:8.1=1 5:8.2=2)",
	        "( 5:8.1=1\t'5:8.2=2' )",
	        "(\n5:8.1=1\n5:8.2=2\n)",
	        "(5:8.1=1\r\n5:8.2=2)\r",
	        "(  # one\n 5:8.1=1 # two)\n\n# 5:8.3=3\n\"5:8.2=2\" ) # three",
	        "(5:8.1=1 \\\n 5:8.2=2)",
	        "(5:8.1=1 '' \"\" 5:8.2=2)",
	        "('5:8.1=1 5:8.2=2')",
	        "'5:8.1=1 5:8.2=2'",
	        "(5:8.9=9)\nVIRTIOFWD_STATIC_VFS=(5:8.1=1 5:8.2=2)",
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		char text[256];

		snprintf(text, sizeof(text), CPUS "VIRTIOFWD_STATIC_VFS=%s\n", lists[i]);
		ck_assert_msg(rig_load_text(text) == 0, "%s: %s", text, rig.err.text);
		ck_assert_uint_eq(rig.cfg.n_static_vfs, 2);
		ck_assert_uint_eq(rig.cfg.static_vfs[0].relay_id, 1);
		ck_assert_str_eq(rig.cfg.static_vfs[1].device.name, "0000:05:08.2");
	}
	ck_assert_int_eq(rig_load_text(CPUS "VIRTIOFWD_STATIC_VFS=5:8.1=1\n"
	                                    "VIRTIOFWD_STATIC_VFS=\n"),
	                 0);
	ck_assert_uint_eq(rig.cfg.n_static_vfs, 0);
}
END_TEST

/* Empty says nothing, whatever the variable. */
START_TEST(empty_values_leave_defaults)
{
	char text[8192] = "", empty[8192] = "";
	size_t len = 0;

	for (size_t i = 0; i < schema_size; i++) {
		if (schema[i].variable == NULL)
			continue;
		snprintf(empty, sizeof(empty), "%s=\n", schema[i].variable);
		ck_assert_msg(rig_load_text(empty) == -EINVAL, "%s", empty);
		rig_says("--cpus (-C) is missing");
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s=\"\"\n",
		                        schema[i].variable);
	}
	rig_write(text, len);
	ck_assert_int_eq(rig_load("-C1", "--config", rig.path, NULL), 0);
	ck_assert_str_eq(rig.cfg.vhost_path, "/tmp");
	ck_assert_str_eq(rig.cfg.pid_dir, "/var/run");
	ck_assert_int_eq(rig.cfg.log_level, 6);
	ck_assert_ptr_null(rig.cfg.zmq_stats_ep);
	ck_assert_ptr_null(rig.cfg.vhost_username);
	ck_assert_ptr_null(rig.cfg.vfio_vf_token);
	ck_assert(!rig.cfg.jumbo && !rig.cfg.core_sched_enable && !rig.cfg.huge_dir_given);
	ck_assert_uint_eq(rig.cfg.n_warnings, 0);
}
END_TEST

START_TEST(any_value_switches_on)
{
	static const char *const values[] = {"y", "yes",   "1",   "true", "n",
	                                     "0", "FALSE", "off", "No"};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char text[128];

		snprintf(text, sizeof(text), CPUS "VIRTIOFWD_JUMBO=%s\n", values[i]);
		ck_assert_int_eq(rig_load_text(text), 0);
		ck_assert(rig.cfg.jumbo);
		/* … which those who write "n" should hear. */
		ck_assert(rig_warned("leave the value empty to switch it off") == (i >= 4));
	}
	ck_assert_int_eq(rig_load_text(CPUS "VIO4WD_CORE_SCHED_ENABLE=y\n"), 0);
	ck_assert(!rig.cfg.core_sched_enable);
	ck_assert(rig_warned("VIO4WD_CORE_SCHED_ENABLE=y is neither true nor false"));
}
END_TEST

/* --- what it refuses ----------------------------------------------------------------------- */

static const struct {
	const char *text;
	unsigned line;
	const char *says;
} refusals[] = {
        {"VIRTIOFWD_SOCKET_DIR=$HOME\n", 1, "VIRTIOFWD_SOCKET_DIR: \"$\" would need a shell"},
        {"\nVIRTIOFWD_SOCKET_DIR=/a/$(id -u)\n", 2, "write out the value itself"},
        {"VIRTIOFWD_SOCKET_DIR=\"/a/$USER\"\n", 1, "\"$\" would need a shell"},
        {"VIRTIOFWD_SOCKET_DIR=`pwd`\n", 1, "\"`\" would need a shell"},
        {"VIRTIOFWD_SOCKET_DIR=\"`pwd`\"\n", 1, "\"`\" would need a shell"},
        {"VIRTIOFWD_CPU_PINS=(\n1:1\n$PINS\n)\n", 3, "\"$\" would need a shell"},
        {"VIRTIOFWD_SOCKET_DIR=$'/a'\n", 1, "would need a shell"},
        {"UNKNOWN=$(reboot)\n", 1, "UNKNOWN: \"$\" would need a shell"},
        {"VIRTIOFWD_SOCKET_DIR=/a; reboot\n", 1, "\";\" outside quotes: put quotes around"},
        {"VIRTIOFWD_SOCKET_DIR=/a && reboot\n", 1, "there is more behind the value"},
        {"VIRTIOFWD_SOCKET_DIR=/a|b\n", 1, "\"|\" outside quotes"},
        {"VIRTIOFWD_SOCKET_DIR=</etc/passwd\n", 1, "\"<\" outside quotes"},
        {"VIRTIOFWD_SOCKET_DIR=/a(b)\n", 1, "\"(\" outside quotes"},
        {"VIRTIOFWD_SOCKET_DIR=/a b\n", 1, "put quotes around a value with blanks"},
        {"VIRTIOFWD_SOCKET_DIR= /a\n", 1, "there is more behind the value"},
        {"VIRTIOFWD_SOCKET_DIR =/a\n", 1, "without blanks around \"=\""},
        {"VIRTIOFWD_JUMBO=y VIRTIOFWD_TSO=y\n", 1, "each assignment on a line of its own"},
        {"export VIRTIOFWD_JUMBO=y\n", 1, "not read by a shell"},
        {". /etc/default/other\n", 1, "not read by a shell"},
        {"if true; then\n", 1, "not read by a shell"},
        {"VIRTIOFWD_JUMBO\n", 1, "neither VARIABLE=value"},
        {"=y\n", 1, "neither VARIABLE=value"},
        {"1VIRTIOFWD_JUMBO=y\n", 1, "neither VARIABLE=value"},
        {"VIRTIOFWD-JUMBO=y\n", 1, "neither VARIABLE=value"},
        {"VIRTIOFWD_STATIC_VFS+=(5:8.1=1)\n", 1, "write one array"},
        {"VIRTIOFWD_STATIC_VFS[0]=5:8.1=1\n", 1, "write one array"},
        {"VIRTIOFWD_SOCKET_DIR=\"/a\n\"\n", 1, "the quote (\") is not closed on this line"},
        {"VIRTIOFWD_SOCKET_DIR='/a\n", 1, "the quote (') is not closed"},
        {"VIRTIOFWD_SOCKET_DIR=\"/a\\\"", 1, "not closed"},
        {"VIRTIOFWD_SOCKET_DIR=/a\\", 1, "ends in a backslash"},
        {"\n\nVIRTIOFWD_STATIC_VFS=(5:8.1=1\n\n", 3, "the array that begins here is not closed"},
        {"VIRTIOFWD_STATIC_VFS=(5:8.1=1) 5:8.2=2\n", 1, "there is more behind the value"},
        {"VIRTIOFWD_STATIC_VFS=((5:8.1=1))\n", 1, "\"(\" outside quotes"},
        {"VIRTIOFWD_JUMBO=(y)\n", 1, "takes one value, not an array"},
        {"VIRTIOFWD_SOCKET_DIR=(/a\n/b)\n", 1, "takes one value, not an array"},
        {"VIRTIOFWD_STATIC_VFS=(\n5:8.1=1\n\n5:8.2=64\n)\n", 4, "\"64\""},
        {"VIRTIOFWD_CPU_PINS=(1:1\n\n1:1)\n", 3, "VIRTIOFWD_CPU_PINS: relay 1 is pinned twice"},
        {CPUS "VIRTIOFWD_CPU_PINS=(\n1:1\n2:5)\n", 4, "CPU 5, which is no worker's"},
        {CPUS "VIRTIOFWD_MAX_QUEUES=\\\n99\n", 2, "VIRTIOFWD_MAX_QUEUES: \"99\" is not a number"},
        {"\nVIRTIOFWD_CPU_MASK=0,1\n", 2, "VIRTIOFWD_CPU_MASK: CPU 0 is the main lcore"},
        {"# \x01\n", 1, "control character 0x01: this is not a text file"},
        {"\n\x7f"
         "ELF\x02\x01",
         2, "control character 0x7f"},
        {"VIRTIOFWD_JUMBO=y\rVIRTIOFWD_TSO=y\n", 1, "control character 0x0d"},
        {"VIRTIOFWD_JUMBO=\x1b[2J\n", 1, "control character 0x1b"},
        {"\xef\xbb\xbf" CPUS, 1, "neither VARIABLE=value"},
        {"\xff\xfeV\n", 1, "neither VARIABLE=value"},
};

START_TEST(refuses_with_line_and_remedy)
{
	ck_assert_msg(rig_load_text(refusals[_i].text) == -EINVAL, "%s", refusals[_i].text);
	rig_says_line(refusals[_i].line);
	rig_says(refusals[_i].says);
}
END_TEST

START_TEST(refuses_binary_junk)
{
	unsigned seed = 1;
	char junk[512];

	rig_write("VIRTIOFWD_JUMBO=\0y\n", 19);
	ck_assert_int_eq(rig_load("-C1", "--config", rig.path, NULL), -EINVAL);
	rig_says("control character 0x00");
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < sizeof(junk); i++)
			junk[i] = (char)rand_r(&seed);
		rig_write(junk, sizeof(junk));
		ck_assert_int_eq(rig_load("-C1", "--config", rig.path, NULL), -EINVAL);
		rig_says(rig.path);
	}
}
END_TEST

/* A line of len bytes, made of what stands in front of it and a run of fill. */
static int load_long_line(const char *front, size_t len, char fill, const char *behind)
{
	char *text = malloc(len + 64);
	size_t used = strlen(front);

	ck_assert_ptr_nonnull(text);
	memcpy(text, front, used);
	memset(text + used, fill, len - used);
	snprintf(text + len, 64, "%s", behind);
	rig_write(text, len + strlen(behind));
	free(text);
	return rig_load("-C1", "--config", rig.path, NULL);
}

START_TEST(bounds_lines_values_and_files)
{
	char text[16 * 1024] = CPUS "VIRTIOFWD_CPU_PINS=(", *end = text + strlen(text);

	ck_assert_int_eq(load_long_line("#", CONFIG_LINE_MAX, 'x', "\n"), 0);
	ck_assert_int_eq(load_long_line("#", CONFIG_LINE_MAX + 1, 'x', "\n"), -EINVAL);
	rig_says_line(1);
	rig_says("longer than 4096 bytes");
	ck_assert_int_eq(load_long_line("VIRTIOFWD_SOCKET_DIR=/", 4000, 'x', "\n"), -EINVAL);
	rig_says("107 are possible");
	/* Continued lines do not make longer values. */
	ck_assert_int_eq(load_long_line("VIRTIOFWD_SOCKET_DIR=/", 4000, 'x', "\\\n"), -EINVAL);
	ck_assert_int_eq(load_long_line("#", CONFIG_FILE_MAX + 1, '\n', ""), -EINVAL);
	rig_says("larger than 1048576 bytes");
	ck_assert_int_eq(load_long_line("#", CONFIG_FILE_MAX, '\n', ""), 0);
	ck_assert_int_eq(load_long_line("#", 100000, '#', ""), -EINVAL);

	for (int i = 0; i <= CONFIG_VALUES_MAX; i++)
		end += snprintf(end, 16, "''\n");
	snprintf(end, 16, ")\n");
	ck_assert_int_eq(rig_load_text(text), -EINVAL);
	rig_says("more than 1024 values");
}
END_TEST

START_TEST(bounds_continued_values)
{
	char text[3 * CONFIG_LINE_MAX] = "VIRTIOFWD_EAL_ARGS=", *end = text + strlen(text);

	for (int i = 0; i < 100; i++)
		end += snprintf(end, 128, "%099d\\\n", 0);
	ck_assert_int_eq(rig_load_text(text), -EINVAL);
	rig_says("the value is longer than 4096 bytes");
}
END_TEST

START_TEST(refuses_what_is_no_file)
{
	ck_assert_int_eq(rig_load("-C1", "--config", "/nonexistent/file", NULL), -ENOENT);
	rig_says("configuration file /nonexistent/file: No such file or directory");
	ck_assert_int_eq(rig_load("-C1", "--config", "/tmp", NULL), -EINVAL);
	rig_says("not a regular file");
	ck_assert_int_eq(rig_load("-C1", "--config", "/dev/zero", NULL), -EINVAL);
	ck_assert_int_eq(rig_load("-C1", "--config", "/dev/null", NULL), 0);
	unlink(rig.path);
	ck_assert_int_eq(mkfifo(rig.path, 0600), 0);
	ck_assert_int_eq(rig_load("-C1", "--config", rig.path, NULL), -EINVAL);
	rig_says("not a regular file");
}
END_TEST

/* --- what it does not know ----------------------------------------------------------------- */

START_TEST(warns_about_unknown_variables)
{
	ck_assert_int_eq(rig_load_text(CPUS "\nVIRTIOFWD_JUMB0=y\nPATH=(a b)\nvirtiofwd_jumbo=y\n"),
	                 0);
	ck_assert_uint_eq(rig.cfg.n_warnings, 3);
	ck_assert(rig_warned(":3: unknown variable VIRTIOFWD_JUMB0: ignored"));
	ck_assert(rig_warned(":4: unknown variable PATH"));
	ck_assert(!rig.cfg.jumbo);
}
END_TEST

START_TEST(bounds_warnings)
{
	char text[16 * 1024] = CPUS, *end = text + strlen(text);

	for (int i = 0; i < 1000; i++)
		end += snprintf(end, 16, "V%d=x\n", i);
	ck_assert_int_eq(rig_load_text(text), 0);
	ck_assert_uint_lt(rig.cfg.n_warnings, 200);
	ck_assert_ptr_nonnull(strstr(rig.cfg.warnings[rig.cfg.n_warnings - 1], "more of the like"));
}
END_TEST

START_TEST(warns_about_another_binary)
{
	ck_assert_int_eq(rig_load_text(CPUS "VIRTIOFWD_BINARY=/opt/bin/virtio-forwarder\n"), 0);
	ck_assert_uint_eq(rig.cfg.n_warnings, 0);
	ck_assert_int_eq(rig_load_text(CPUS "VIRTIOFWD_BINARY=/opt/bin/vrelay\n"), 0);
	ck_assert_uint_eq(rig.cfg.n_warnings, 1);
	ck_assert(rig_warned("VIRTIOFWD_BINARY names /opt/bin/vrelay"));
}
END_TEST

/* --- the files that people have ------------------------------------------------------------ */

START_TEST(loads_the_shipped_file)
{
	const struct config *cfg = &rig.cfg;

	ck_assert_msg(rig_load("--config", project_path("conf/virtioforwarder"), NULL) == 0, "%s",
	              rig.err.text);
	ck_assert_uint_eq(cfg->n_warnings, 0);
	ck_assert_uint_eq(cpu_set_count(&cfg->worker_cpus), 2);
	ck_assert(cpu_set_has(&cfg->worker_cpus, 1) && cpu_set_has(&cfg->worker_cpus, 2));
	ck_assert_int_eq(cfg->log_level, 6);
	ck_assert_uint_eq(cfg->main_cpu, 0);
	ck_assert(cfg->ipc_port_control && cfg->jumbo && cfg->mrgbuf && cfg->vhost_client);
	ck_assert(!cfg->tso && !cfg->zero_copy && !cfg->dynamic_sockets && !cfg->same_numa);
	ck_assert(!cfg->no_huge && !cfg->sync_mac && !cfg->core_sched_global_numa_opt);
	ck_assert_str_eq(cfg->vhost_path, "/tmp/virtio-forwarder");
	ck_assert_str_eq(cfg->vhost_socket, "virtio-forwarder%u.sock");
	ck_assert_str_eq(cfg->huge_dir, "/dev/hugepages");
	ck_assert(cfg->huge_dir_given);
	ck_assert_ptr_null(cfg->zmq_config_ep);
	ck_assert_str_eq(cfg->zmq_port_control_ep, "ipc:///var/run/virtio-forwarder/port_control");
	ck_assert_str_eq(cfg->zmq_stats_ep, "ipc:///var/run/virtio-forwarder/stats");
	ck_assert_str_eq(cfg->zmq_core_sched_ep, "ipc:///var/run/virtio-forwarder/core_sched");
	ck_assert_str_eq(cfg->pid_dir, "/var/run");
	ck_assert(cfg->core_sched_enable);
	ck_assert_int_eq(cfg->core_sched_log_level, 6);
	ck_assert_ptr_null(cfg->ovsdb_sock);
	ck_assert_ptr_null(cfg->vhost_username);
	ck_assert_ptr_null(cfg->vfio_vf_token);
	ck_assert_ptr_null(cfg->bind_vfio_pci);
	ck_assert_uint_eq(cfg->n_static_vfs + cfg->n_pins, 0);
}
END_TEST

/* Each variable has its line, commented out or not, and a comment above it; there are no others. */
START_TEST(shipped_file_documents_the_schema)
{
	char *text = project_text("conf/virtioforwarder"), *rest = text, *line;
	bool seen[CONFIG_ROWS_MAX] = {false}, explained = false;

	ck_assert_ptr_null(strstr(text, "Default:")); /* --help says them, from the schema */
	while ((line = strsep(&rest, "\n")) != NULL) {
		size_t len = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
		const struct schema_row *row;

		if (len == 0 || line[len] != '=') {
			explained = line[0] == '#';
			continue;
		}
		row = schema_find_variable(line, len);
		ck_assert_msg(row != NULL, "%s is not in the schema", line);
		ck_assert_msg(!seen[row - schema], "%s stands there twice", line);
		ck_assert_msg(explained, "there is no comment above %s", line);
		seen[row - schema] = true;
	}
	free(text);
	for (size_t i = 0; i < schema_size; i++)
		ck_assert_msg(schema[i].variable == NULL || seen[i], "%s is missing",
		              schema[i].variable);
}
END_TEST

START_TEST(shipped_file_names_nothing_unknown)
{
	char *text = project_text("conf/virtioforwarder");

	for (const char *at = text; (at = strpbrk(at, "V")) != NULL;) {
		size_t len = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

		if (strncmp(at, "VIRTIOFWD_", 10) == 0 || strncmp(at, "VIO4WD_", 7) == 0)
			ck_assert_msg(schema_find_variable(at, len) != NULL, "%.*s", (int)len, at);
		at += len;
	}
	free(text);
}
END_TEST

START_TEST(loads_a_file_of_the_references)
{
	const struct config *cfg = &rig.cfg;

	ck_assert_msg(
	        rig_load("--config", project_path("test/unit/config/reference-style"), NULL) == 0,
	        "%s", rig.err.text);
	ck_assert_uint_eq(cfg->n_warnings, 1);
	ck_assert(rig_warned("db.sock is not watched"));
	ck_assert_uint_eq(cpu_set_count(&cfg->worker_cpus), 2);
	ck_assert_int_eq(cfg->log_level, 7);
	ck_assert(cfg->jumbo && cfg->mrgbuf && cfg->tso && cfg->vhost_client && cfg->zero_copy);
	ck_assert(cfg->same_numa && !cfg->dynamic_sockets && !cfg->core_sched_global_numa_opt);
	ck_assert_str_eq(cfg->vfio_vf_token, "14d63f20-8445-11ea-8900-1f9ce7d5650d");
	ck_assert_str_eq(cfg->vhost_username, "libvirt-qemu");
	ck_assert_str_eq(cfg->vhost_groupname, "kvm");
	ck_assert_str_eq(cfg->bind_vfio_pci, "0000:05:08.1,enp5s0np0,enp5s0np1:4");
	ck_assert_uint_eq(cfg->n_static_vfs, 4);
	ck_assert_str_eq(cfg->static_vfs[2].device.name, "0000:af:1f.7");
	ck_assert_uint_eq(cfg->static_vfs[2].relay_id, 63);
	ck_assert_str_eq(cfg->static_vfs[3].device.name, "0000:05:09.0");
	ck_assert_uint_eq(cfg->n_pins, 2);
	ck_assert_int_eq(cfg->pins[0].vf_to_vm_cpu, 1);
	ck_assert_int_eq(cfg->pins[0].vm_to_vf_cpu, 2);
	ck_assert_ptr_null(cfg->zmq_config_ep);
	ck_assert_ptr_null(cfg->ovsdb_sock);
}
END_TEST

START_TEST(takes_line_ends_of_other_systems)
{
	char *text = project_text("test/unit/config/reference-style"), *dos;
	size_t len = 0;

	dos = malloc(2 * strlen(text) + 1);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '\n')
			dos[len++] = '\r';
		dos[len++] = *c;
	}
	rig_write(dos, len);
	ck_assert_msg(rig_load("--config", rig.path, NULL) == 0, "%s", rig.err.text);
	ck_assert_uint_eq(rig.cfg.n_static_vfs, 4);
	ck_assert_uint_eq(rig.cfg.n_warnings, 1);
	free(dos);
	free(text);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, rig_set_up, rig_tear_down);
	tcase_add_loop_test(tcase, reads_values, 0, sizeof(spellings) / sizeof(spellings[0]));
	tcase_add_test(tcase, reads_lists);
	tcase_add_test(tcase, empty_values_leave_defaults);
	tcase_add_test(tcase, any_value_switches_on);
	tcase_add_loop_test(tcase, refuses_with_line_and_remedy, 0,
	                    sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(tcase, refuses_binary_junk);
	tcase_add_test(tcase, bounds_lines_values_and_files);
	tcase_add_test(tcase, bounds_continued_values);
	tcase_add_test(tcase, refuses_what_is_no_file);
	tcase_add_test(tcase, warns_about_unknown_variables);
	tcase_add_test(tcase, bounds_warnings);
	tcase_add_test(tcase, warns_about_another_binary);
	tcase_add_test(tcase, loads_the_shipped_file);
	tcase_add_test(tcase, shipped_file_documents_the_schema);
	tcase_add_test(tcase, shipped_file_names_nothing_unknown);
	tcase_add_test(tcase, loads_a_file_of_the_references);
	tcase_add_test(tcase, takes_line_ends_of_other_systems);
	return suite_main("config_file", tcase);
}
