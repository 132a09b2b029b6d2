/* The configuration as a whole: what is asked for, which source counts, and the checks over several
 * options.
 */
#include "config/load.h"
#include "config_rig.h"
#include "suite.h"

#include <errno.h>

#include "config/schema.h"

START_TEST(prints_what_is_asked_for)
{
	ck_assert_int_eq(rig_load("--version", "--bogus", NULL), 0);
	ck_assert_int_eq(rig.action, CONFIG_EXIT_OK);
	ck_assert_int_eq(strncmp(rig.output, "Virtio-forwarder version ", 25), 0);
	ck_assert_int_eq(rig_load("-v", NULL), 0);
	ck_assert_int_eq(rig_load("-h", NULL), 0);
	ck_assert_int_eq(rig.action, CONFIG_EXIT_OK);
	ck_assert_ptr_nonnull(strstr(rig.output, "--cpus=CPUS"));
	ck_assert_int_eq(rig_load("-J", "--help", NULL), 0);
	ck_assert_int_eq(rig_load("--man", NULL), 0);
	ck_assert_int_eq(rig.action, CONFIG_MAN);
	/* Not behind what is wrong. */
	ck_assert_int_eq(rig_load("--bogus", "--help", NULL), -EINVAL);
}
END_TEST

START_TEST(knows_its_requests)
{
	ck_assert_int_eq(rig_load("--check", "-C1", NULL), 0);
	ck_assert_int_eq(rig.action, CONFIG_CHECK);
	ck_assert(!rig.cfg.json);
	ck_assert_int_eq(rig_load("--check", "--json", "-C1", NULL), 0);
	ck_assert(rig.cfg.json);
	ck_assert_int_eq(rig_load("--json", "-C1", NULL), -EINVAL);
	rig_says("--check");
	ck_assert_int_eq(rig_load("--check", NULL), -EINVAL);
	/* Binding takes no workers. */
	ck_assert_int_eq(rig_load("--bind", NULL), 0);
	ck_assert_int_eq(rig.action, CONFIG_BIND);
	ck_assert_int_eq(rig_load("--unbind", NULL), 0);
	ck_assert_int_eq(rig.action, CONFIG_UNBIND);
	ck_assert_int_eq(rig_load("--unbind", "-c", "3:9", NULL), 0);
	ck_assert_int_eq(rig_load("--bind", "--json", NULL), -EINVAL);
	ck_assert_int_eq(rig_load("--bind", "--unbind", NULL), -EINVAL);
	rig_says("only one of");
	ck_assert_int_eq(rig_load("--check", "--check", "-C1", NULL), 0);
}
END_TEST

/* --- which source counts ------------------------------------------------------------------- */

START_TEST(command_line_beats_file)
{
	static const char text[] = "VIRTIOFWD_CPU_MASK=1,2\nVIRTIOFWD_LOG_LEVEL=3\n"
	                           "VIRTIOFWD_JUMBO=y\nVIRTIOFWD_SOCKET_OWNER=qemu\n"
	                           "VIRTIOFWD_ZMQ_STATS_EP=ipc:///tmp/file\n";

	ck_assert_int_eq(rig_load_text(text), 0);
	ck_assert_uint_eq(cpu_set_count(&rig.cfg.worker_cpus), 2);
	ck_assert_int_eq(rig.cfg.log_level, 3);
	ck_assert(!rig.cfg.log_level_given);
	ck_assert_str_eq(rig.cfg.vhost_username, "qemu");
	ck_assert_str_eq(rig.cfg.zmq_stats_ep, "ipc:///tmp/file");

	/* Before or behind --config alike. */
	ck_assert_int_eq(rig_load("-C7", "--config", rig.path, "-l5", "-u", "-z", NULL), 0);
	ck_assert_uint_eq(cpu_set_count(&rig.cfg.worker_cpus), 1);
	ck_assert(cpu_set_has(&rig.cfg.worker_cpus, 7));
	ck_assert_int_eq(rig.cfg.log_level, 5);
	ck_assert(rig.cfg.log_level_given);
	ck_assert(rig.cfg.jumbo);
	ck_assert_ptr_null(rig.cfg.vhost_username);
	ck_assert_str_eq(rig.cfg.zmq_stats_ep, "ipc:///var/run/virtio-forwarder/stats");

	/* What is beaten is not even looked at. */
	rig_write("VIRTIOFWD_LOG_LEVEL=nine\n", 25);
	ck_assert_int_eq(rig_load("-C1", "--config", rig.path, "-l5", NULL), 0);
	ck_assert_int_eq(rig_load("-C1", "--config", rig.path, NULL), -EINVAL);
}
END_TEST

START_TEST(last_value_counts)
{
	ck_assert_int_eq(rig_load("-C1", "-l3", "-l9", "-l4", NULL), 0);
	ck_assert_int_eq(rig.cfg.log_level, 4);
	ck_assert_int_eq(rig_load("-C1", "-V/a", "-V/b", NULL), 0);
	ck_assert_str_eq(rig.cfg.vhost_path, "/b");
	ck_assert_int_eq(rig_load("-C1", "-n", "-nlog_syslog", "-n", NULL), 0);
	ck_assert(!rig.cfg.foreground_syslog);
}
END_TEST

START_TEST(command_line_replaces_lists)
{
	static const char text[] = "VIRTIOFWD_CPU_MASK=1,2\n"
	                           "VIRTIOFWD_STATIC_VFS=(05:08.1=1 05:08.2=2)\n"
	                           "VIRTIOFWD_CPU_PINS=(1:1 2:2)\n"
	                           "VIRTIOFWD_EAL_ARGS=\"--no-pci -m 512\"\n";

	ck_assert_int_eq(rig_load_text(text), 0);
	ck_assert_uint_eq(rig.cfg.n_static_vfs, 2);
	ck_assert_uint_eq(rig.cfg.n_pins, 2);
	ck_assert_str_eq(rig.cfg.eal_args[2], "512");
	ck_assert_ptr_null(rig.cfg.eal_args[3]);
	ck_assert_int_eq(rig_load("--config", rig.path, "-P", "05:08.3=3", "-c", "5:2;6:1", "-c7:1",
	                          "--eal=-m", "--eal=64", NULL),
	                 0);
	ck_assert_uint_eq(rig.cfg.n_static_vfs, 1);
	ck_assert_uint_eq(rig.cfg.static_vfs[0].relay_id, 3);
	ck_assert_uint_eq(rig.cfg.n_pins, 3);
	ck_assert_uint_eq(rig.cfg.pins[2].relay_id, 7);
	ck_assert_str_eq(rig.cfg.eal_args[1], "64");
	ck_assert_ptr_null(rig.cfg.eal_args[2]);
	ck_assert_int_eq(rig_load("--config", rig.path, "--eal=", NULL), 0);
	ck_assert_ptr_null(rig.cfg.eal_args);
}
END_TEST

/* What the file says by now, as SIGHUP has it: the level, or -errno with rig.err. */
static int reload_level(int argc, char *argv[])
{
	struct config again;
	int rc;

	memset(&rig.err, 0, sizeof(rig.err));
	rc = config_load_again(argc, argv, &rig.cfg, &again, &rig.err);
	if (rc == 0)
		rc = again.log_level;
	config_free(&again);
	return rc;
}

#define WORDS(...)                                                          \
	(int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)), (char *[]) \
	{                                                                   \
		__VA_ARGS__, NULL                                           \
	}

START_TEST(reloads_the_log_level)
{
	ck_assert_int_eq(rig_load_text("VIRTIOFWD_CPU_MASK=1\nVIRTIOFWD_LOG_LEVEL=3\n"), 0);
	ck_assert_int_eq(reload_level(WORDS("v", "--config", rig.path)), 3);
	rig_write("VIRTIOFWD_CPU_MASK=1\nVIRTIOFWD_LOG_LEVEL=7\n", 43);
	ck_assert_int_eq(reload_level(WORDS("v", "--config", rig.path)), 7);
	rig_write("VIRTIOFWD_CPU_MASK=1\n", 21);
	ck_assert_int_eq(reload_level(WORDS("v", "--config", rig.path)), 6);
	rig_write("VIRTIOFWD_CPU_MASK=1\nVIRTIOFWD_LOG_LEVEL=8\n", 43);
	ck_assert_int_eq(reload_level(WORDS("v", "--config", rig.path)), 7);
	rig_write("VIRTIOFWD_CPU_MASK=1\nVIRTIOFWD_LOG_LEVEL=a\n", 43);
	ck_assert_int_eq(reload_level(WORDS("v", "--config", rig.path)), -EINVAL);
	ck_assert_ptr_nonnull(strstr(rig.err.text, ":2: VIRTIOFWD_LOG_LEVEL: \"a\""));
	rig_write("junk\n", 5);
	ck_assert_int_eq(reload_level(WORDS("v", "--config", rig.path)), -EINVAL);
	unlink(rig.path);
	ck_assert_int_eq(reload_level(WORDS("v", "--config", rig.path)), -ENOENT);

	rig_write("VIRTIOFWD_CPU_MASK=1\nVIRTIOFWD_LOG_LEVEL=3\n", 43);
	ck_assert_int_eq(rig_load("--config", rig.path, "-l", "5", NULL), 0);
	ck_assert_int_eq(reload_level(WORDS("v", "--config", rig.path, "-l", "5")), 5);
	ck_assert_int_eq(rig_load("-C1", NULL), 0);
	ck_assert_int_eq(reload_level(WORDS("v", "-C1")), 6);
}
END_TEST

START_TEST(finds_a_relative_file_again)
{
	char *relative = rig.path + strlen("/tmp/");

	rig_write("VIRTIOFWD_CPU_MASK=1\nVIRTIOFWD_LOG_LEVEL=2\n", 43);
	ck_assert_int_eq(chdir("/tmp"), 0);
	ck_assert_int_eq(rig_load("--config", relative, NULL), 0);
	ck_assert_int_eq(chdir("/"), 0); /* as a daemon in the background does */
	ck_assert_str_eq(rig.cfg.config_file, rig.path);
	ck_assert_int_eq(reload_level(WORDS("v", "--config", relative)), 2);
}
END_TEST

/* --- options that look at each other ------------------------------------------------------- */

START_TEST(static_vfs_and_dynamic_sockets_exclude_each_other)
{
	ck_assert_int_eq(rig_load("-C1", "-P", "05:08.1=1", "-d", NULL), -EINVAL);
	rig_says("option --add-pci-vf (-P): excludes --dynamic-sockets (-d)");
	ck_assert_int_eq(
	        rig_load("-C1", "-d", "-P", "net_bonding0,slave=5:8.1,slave=5:8.2=1", NULL),
	        -EINVAL);
	ck_assert_int_eq(rig_load("-C1", "-d", "--kernel-vf", "5:8.1=1", NULL), -EINVAL);
	rig_says("option --kernel-vf: excludes --dynamic-sockets (-d)");
	ck_assert_int_eq(rig_load("-C1", "-d", NULL), 0);
	ck_assert_uint_eq(rig.cfg.n_warnings, 0);
	rig_write("VIRTIOFWD_DYNAMIC_SOCKETS=y\n", 28);
	ck_assert_int_eq(rig_load("-C1", "--config", rig.path, "-P", "05:08.1=1", NULL), -EINVAL);
}
END_TEST

/* Files of the reference have both. */
START_TEST(dynamic_sockets_win_over_static_vfs_of_a_file)
{
	rig_write("VIRTIOFWD_STATIC_VFS=(\n 05:08.1=1\n)\n", 36);
	ck_assert_int_eq(rig_load("-C1", "-d", "--config", rig.path, NULL), 0);
	ck_assert(rig.cfg.dynamic_sockets);
	ck_assert_uint_eq(rig.cfg.n_static_vfs, 0);
	ck_assert(rig_warned("VIRTIOFWD_STATIC_VFS is left alone"));
	ck_assert_int_eq(rig_load_text("VIRTIOFWD_CPU_MASK=1\nVIRTIOFWD_STATIC_VFS=05:08.1=1\n"
	                               "VIRTIOFWD_DYNAMIC_SOCKETS=y\n"),
	                 0);
	ck_assert_uint_eq(rig.cfg.n_static_vfs, 0);
}
END_TEST

/* Relays and devices are given away once, whichever option does. */
START_TEST(static_vfs_and_those_of_the_kernel)
{
	ck_assert_int_eq(rig_load("-C1", "--kernel-vf", "5:8.1=1", "-P", "5:8.2=2", "-P", "5:8.3=1",
	                          "--kernel-vf", "5:8.2=3", NULL),
	                 0);
	ck_assert_uint_eq(rig.cfg.n_static_vfs, 2);
	ck_assert(rig_warned("\"5:8.1=1\": relay 1 has 0000:05:08.3 already"));
	ck_assert(rig_warned("\"5:8.2=3\": 0000:05:08.2, or a member of it, is relay 2's already"));
	ck_assert_int_eq(rig_load_text("VIRTIOFWD_CPU_MASK=1\nVIRTIOFWD_STATIC_VFS=(5:8.1=1)\n"
	                               "VIRTIOFWD_KERNEL_VFS=(5:8.2=1,wan 5:8.3=3,wan)\n"),
	                 0);
	ck_assert_uint_eq(rig.cfg.n_static_vfs, 2);
	ck_assert(rig.cfg.static_vfs[0].far.kind == FAR_GUEST);
	ck_assert(rig.cfg.static_vfs[1].far.kind == FAR_KERNEL);
	ck_assert_str_eq(rig.cfg.static_vfs[1].far.interface, "wan");
	ck_assert(rig_warned("--kernel-vf (VIRTIOFWD_KERNEL_VFS): \"5:8.2=1,wan\": relay 1 has "
	                     "0000:05:08.1 already, and keeps it"));
	ck_assert_int_eq(rig_load_text("VIRTIOFWD_CPU_MASK=1\nVIRTIOFWD_DYNAMIC_SOCKETS=y\n"
	                               "VIRTIOFWD_KERNEL_VFS=5:8.2=1,wan\n"),
	                 0);
	ck_assert_uint_eq(rig.cfg.n_static_vfs, 0);
	ck_assert(rig_warned("VIRTIOFWD_STATIC_VFS or VIRTIOFWD_KERNEL_VFS is left alone"));
}
END_TEST

START_TEST(what_the_reference_took_is_brought_into_range)
{
	ck_assert_int_eq(rig_load_text("VIRTIOFWD_CPU_MASK=1\nVIO4WD_CORE_SCHED_SENSITIVITY=2\n"
	                               "VIO4WD_CORE_SCHED_POLL_INTERVAL=0\n"
	                               "VIO4WD_CORE_SCHED_LOG_LEVEL=9\n"
	                               "VIRTIOFWD_LOG_LEVEL=8\n"),
	                 0);
	ck_assert(rig_warned("(VIO4WD_CORE_SCHED_SENSITIVITY) is 2, which is out of its range: 1"));
	ck_assert(rig_warned("(VIO4WD_CORE_SCHED_POLL_INTERVAL) is 0, which is out of its range: "
	                     "5"));
	ck_assert(rig_warned("(VIO4WD_CORE_SCHED_LOG_LEVEL) is 9, which is out of its range: 7"));
	ck_assert(rig_warned("(VIRTIOFWD_LOG_LEVEL) is 8, which is out of its range: 7"));
	ck_assert_uint_eq(rig.cfg.n_warnings, 4);
	ck_assert_double_eq_tol(rig.cfg.core_sched_poll_interval, 5, 1e-9);
}
END_TEST

static void keeps_the_first(const char *first, const char *second, const char *warning)
{
	struct device_spec kept;

	ck_assert_int_eq(rig_load("-C1", "-P", first, NULL), 0);
	ck_assert_uint_eq(rig.cfg.n_warnings, 0);
	kept = rig.cfg.static_vfs[0].device;
	ck_assert_int_eq(rig_load("-C1", "-P", first, "-P", second, NULL), 0);
	ck_assert_uint_eq(rig.cfg.n_static_vfs, 1);
	ck_assert_str_eq(rig.cfg.static_vfs[0].device.name, kept.name);
	ck_assert_msg(rig_warned(warning), "no warning: %s", warning);
	ck_assert_uint_eq(rig.cfg.n_warnings, 1);
}

START_TEST(relays_hold_one_thing_each)
{
	static const char bond[] = "net_bonding0,slave=05:08.1,slave=05:08.2,mode=1=5";

	keeps_the_first(bond, "05:08.3=5", "relay 5 has net_bonding0 already");
	keeps_the_first("05:08.3=5", bond, "relay 5 has 0000:05:08.3 already");
	keeps_the_first(bond, bond, "relay 5 has net_bonding0 already");
	keeps_the_first(bond, "05:08.2=6", "is relay 5's already");
	keeps_the_first("05:08.1=6", bond, "is relay 6's already");
	keeps_the_first(bond, "net_bonding1,slave=05:08.7,slave=05:08.2=6", "is relay 5's already");
	ck_assert_int_eq(rig_load("-C1", "-P", bond, "-P", "05:08.3=6", NULL), 0);
	ck_assert_uint_eq(rig.cfg.n_static_vfs, 2);
}
END_TEST

START_TEST(takes_64_relays)
{
	char words[64][32], *argv[RIG_WORDS_MAX + 8] = {"virtio-forwarder", "-C1"};
	int argc = 2;

	for (int i = 0; i < 64; i++) {
		snprintf(words[i], sizeof(words[i]), "-P%02x:%02x.%d=%d", 5 + i / 32, i % 32, i % 8,
		         i);
		argv[argc++] = words[i];
	}
	ck_assert_int_eq(rig_load_argv(argc, argv), 0);
	ck_assert_uint_eq(rig.cfg.n_static_vfs, 64);
	argv[argc++] = "-P99:00.0=0";
	ck_assert_int_eq(rig_load_argv(argc, argv), 0);
	ck_assert_uint_eq(rig.cfg.n_static_vfs, 64);
	ck_assert(rig_warned("relay 0 has 0000:05:00.0 already"));
}
END_TEST

START_TEST(cpus_from_128_on_are_mapped)
{
	ck_assert_int_eq(rig_load("-C130", NULL), -EINVAL);
	rig_says("option --cpus (-C): lcores end at 127");
	rig_says("--eal '--lcores 0@0,1@130'");
	ck_assert_int_eq(rig_load("-C1", "-M", "300", NULL), -EINVAL);
	rig_says("option --master-lcore (-M): \"300\" is not a number from 0 to 127");
	/* The names are lcores', which end there whatever they are mapped to. */
	ck_assert_int_eq(rig_load("-C130", "--eal=--lcores 0@0,130@130", NULL), -EINVAL);
	ck_assert_int_eq(rig_load("-C1", "--eal=--lcores 0@0,1@130", NULL), 0);
	ck_assert_int_eq(rig_load("-C70,127", NULL), 0);
}
END_TEST

START_TEST(main_lcore_is_no_worker)
{
	ck_assert_int_eq(rig_load("-C1,2", "-M2", NULL), -EINVAL);
	rig_says("CPU 2 is the main lcore");
	ck_assert_int_eq(rig_load_text("VIRTIOFWD_MASTER_LCORE=1\n\nVIRTIOFWD_CPU_MASK=0x6\n"),
	                 -EINVAL);
	rig_says_line(3);
	ck_assert_int_eq(rig_load("-C0,2", "-M1", NULL), 0);
}
END_TEST

START_TEST(core_sched_implies_stats)
{
	ck_assert_int_eq(rig_load("-C1", "-s=ipc:///tmp/cs", NULL), 0);
	ck_assert_str_eq(rig.cfg.zmq_stats_ep, "ipc:///var/run/virtio-forwarder/stats");
	ck_assert_int_eq(rig_load("-C1", "-s", "-z=ipc:///tmp/st", NULL), 0);
	ck_assert_str_eq(rig.cfg.zmq_stats_ep, "ipc:///tmp/st");
}
END_TEST

START_TEST(endpoints_differ)
{
	ck_assert_int_eq(rig_load("-C1", "-Y=ipc:///tmp/x", "-z=ipc:///tmp/x", NULL), -EINVAL);
	rig_says("option --zmq-stats-ep (-z): ipc:///tmp/x is the endpoint of --zmq-config-ep");
	ck_assert_int_eq(rig_load("-C1", "-s=ipc:///var/run/virtio-forwarder/stats", NULL),
	                 -EINVAL);
}
END_TEST

START_TEST(remote_endpoints_take_keys)
{
	ck_assert_int_eq(rig_load("-C1", "-z=tcp://10.0.0.1:5555", "-Z=tcp://*:1", NULL), 0);
	ck_assert_ptr_null(rig.cfg.zmq_stats_ep);
	ck_assert_ptr_null(rig.cfg.zmq_port_control_ep);
	ck_assert(rig_warned("--zmq-stats-ep is left closed: tcp://10.0.0.1:5555 can be reached "
	                     "from other machines"));
	ck_assert(rig_warned("--zmq-port-control-ep is left closed: tcp://*:1"));
	ck_assert_int_eq(rig_load("-C1", "-s", "-z=tcp://*:5555", NULL), 0);
	ck_assert_str_eq(rig.cfg.zmq_stats_ep, "ipc:///var/run/virtio-forwarder/stats");
	ck_assert_int_eq(
	        rig_load("-C1", "-z=tcp://10.0.0.1:5555", "--zmq-curve-dir=/etc/keys", NULL), 0);
	ck_assert_str_eq(rig.cfg.zmq_stats_ep, "tcp://10.0.0.1:5555");
	ck_assert_int_eq(rig_load("-C1", "-z=tcp://127.0.0.1:5555", "--zmq-curve-dir=/k", NULL), 0);
	ck_assert_str_eq(rig.cfg.zmq_stats_ep, "tcp://127.0.0.1:5555");
}
END_TEST

START_TEST(some_options_leave_ovsdb_alone)
{
	ck_assert_int_eq(rig_load("-C1", "-O", "/tmp/db.sock", NULL), 0);
	ck_assert_str_eq(rig.cfg.ovsdb_sock, "/tmp/db.sock");
	ck_assert_uint_eq(rig.cfg.n_warnings, 0);
	ck_assert_int_eq(rig_load("-C1", "-O", "/tmp/db.sock", "-Z", NULL), 0);
	ck_assert_ptr_nonnull(rig.cfg.ovsdb_sock);
	ck_assert_int_eq(rig_load("-C1", "-O", "/tmp/db.sock", "-I", NULL), 0);
	ck_assert_ptr_null(rig.cfg.ovsdb_sock);
	ck_assert(rig_warned("/tmp/db.sock is not watched"));
	ck_assert_int_eq(rig_load("-C1", "-O", "/tmp/db.sock", "-d", NULL), 0);
	ck_assert_ptr_null(rig.cfg.ovsdb_sock);
	ck_assert(rig_warned("these come and go by ADD_SOCK: /tmp/db.sock is not watched"));
}
END_TEST

START_TEST(eal_may_ask_for_no_hugepages)
{
	ck_assert_int_eq(rig_load("-C1", "--eal=--no-huge -m 64", NULL), 0);
	ck_assert(rig.cfg.no_huge);
}
END_TEST

/* --- what is not there yet ----------------------------------------------------------------- */

static char unavailable[4096];

static void take_warning(const char *text)
{
	size_t len = strlen(unavailable);

	snprintf(unavailable + len, sizeof(unavailable) - len, "%s\n", text);
}

START_TEST(says_what_is_not_available)
{
	char words[64][64], *argv[RIG_WORDS_MAX] = {"virtio-forwarder", "-C1"};
	int argc = 2;

	ck_assert_int_eq(rig_load("-C1", "-J", "-Z", "-z", "-P", "05:08.1=1", NULL), 0);
	unavailable[0] = '\0';
	config_warn_unavailable(&rig.cfg, take_warning);
	ck_assert_str_eq(unavailable, "");

	for (size_t i = 0; i < schema_size; i++) {
		const struct schema_row *row = &schema[i];
		const char *value = row->type == SCHEMA_PATH       ? "=/tmp/x"
		                    : row->type == SCHEMA_ACCOUNT  ? "=root"
		                    : row->type == SCHEMA_LEVEL    ? "=6"
		                    : row->type == SCHEMA_FRACTION ? "=0.25"
		                                                   : "";

		if (!row->planned || row->type == SCHEMA_REQUEST || row->option == NULL ||
		    strcmp(row->option, "json") == 0)
			continue;
		snprintf(words[i], sizeof(words[i]), "--%s%s", row->option, value);
		argv[argc++] = words[i];
	}
	ck_assert_int_eq(rig_load_argv(argc, argv), 0);
	config_warn_unavailable(&rig.cfg, take_warning);
	for (int i = 2; i < argc; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%.*s (", (int)strcspn(argv[i], "="), argv[i]);
		ck_assert_msg(strstr(unavailable, name) != NULL, "nothing about %s in: %s", argv[i],
		              unavailable);
	}

	/* Switched off there is nothing to miss. */
	ck_assert_int_eq(rig_load_text("VIRTIOFWD_CPU_MASK=1\nVIO4WD_CORE_SCHED_ENABLE=false\n"),
	                 0);
	unavailable[0] = '\0';
	config_warn_unavailable(&rig.cfg, take_warning);
	ck_assert_str_eq(unavailable, "");
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, rig_set_up, rig_tear_down);
	tcase_add_test(tcase, prints_what_is_asked_for);
	tcase_add_test(tcase, knows_its_requests);
	tcase_add_test(tcase, command_line_beats_file);
	tcase_add_test(tcase, last_value_counts);
	tcase_add_test(tcase, command_line_replaces_lists);
	tcase_add_test(tcase, reloads_the_log_level);
	tcase_add_test(tcase, finds_a_relative_file_again);
	tcase_add_test(tcase, static_vfs_and_dynamic_sockets_exclude_each_other);
	tcase_add_test(tcase, dynamic_sockets_win_over_static_vfs_of_a_file);
	tcase_add_test(tcase, static_vfs_and_those_of_the_kernel);
	tcase_add_test(tcase, what_the_reference_took_is_brought_into_range);
	tcase_add_test(tcase, relays_hold_one_thing_each);
	tcase_add_test(tcase, takes_64_relays);
	tcase_add_test(tcase, cpus_from_128_on_are_mapped);
	tcase_add_test(tcase, main_lcore_is_no_worker);
	tcase_add_test(tcase, core_sched_implies_stats);
	tcase_add_test(tcase, endpoints_differ);
	tcase_add_test(tcase, remote_endpoints_take_keys);
	tcase_add_test(tcase, some_options_leave_ovsdb_alone);
	tcase_add_test(tcase, eal_may_ask_for_no_hugepages);
	tcase_add_test(tcase, says_what_is_not_available);
	return suite_main("config_rules", tcase);
}
