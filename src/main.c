/* The daemon's composition: configuration, log, pid file, EAL, control, endpoints, signals; in
 * this order up and in reverse down. The only file with the process's state at file scope.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "config/eal_args.h"
#include "config/help.h"
#include "config/load.h"
#include "config/reload.h"
#include "config/runtime_dir.h"
#include "control/control.h"
#include "dpdk/env.h"
#include "event/loop.h"
#include "metrics/metrics.h"
#include "ovsdb/ovsdb.h"
#include "preflight/bind.h"
#include "preflight/preflight.h"
#include "rpc/counters_man.h"
#include "rpc/rpc.h"
#include "sys/affinity.h"
#include "sys/background.h"
#include "sys/directory.h"
#include "sys/memlock.h"
#include "sys/notify.h"
#include "sys/open_files.h"
#include "sys/pid_file.h"
#include "sys/socket_file.h"
#include "sys/sysfs.h"
#include "sys/topology.h"

#define PROGRAM "virtio-forwarder"
#define LOOK_MS 1000

static struct {
	int argc; /* the command line, which is read again with the file */
	char **argv;
	struct config config;
	struct loop *loop;
	struct control *control;
	struct rpc *rpc;
	struct metrics *metrics; /* NULL: not served */
	struct ovsdb *ovsdb;     /* NULL: not watched */
	char **eal_args; /* EAL keeps pointers into them: they live as long as the process */
	char pid_path[4096];
	int pid_fd;
	int pid_rc; /* how it was when it was looked at last, as pid_file_keep says */
	struct stat pid_directory;
	struct loop_timer pid_timer;
	int report_fd; /* towards the process that waits for our start, or -1 */
	int signal_fd;
} daemon_state = {.pid_fd = -1, .report_fd = -1, .signal_fd = -1};

static void warn(const char *text)
{
	log_warn("%s", text);
}

/* --- signals ------------------------------------------------------------------------------- */

/* What the file says now, and the command line beats as ever. */
static void reload_config(void)
{
	const char *file = daemon_state.config.config_file;
	struct config wanted;
	struct error err;
	char names[512];

	if (config_load_again(daemon_state.argc, daemon_state.argv, &daemon_state.config, &wanted,
	                      &err) < 0) {
		log_err("nothing is changed, since the configuration cannot be used: %s", err.text);
		config_free(&wanted);
		return;
	}
	for (size_t i = 0; i < wanted.n_warnings; i++)
		if (config_is_new_warning(&daemon_state.config, wanted.warnings[i]))
			warn(wanted.warnings[i]);
	if (config_differences(&daemon_state.config, &wanted, names, sizeof(names)) > 0)
		log_warn("%s differs from what runs in what cannot be changed while running, and "
		         "waits for a restart: %s",
		         file, names);
	control_settings_change(daemon_state.control, &daemon_state.config, &wanted, file);
	config_free(&wanted);
}

static void reload(void)
{
	struct error err;

	notify_reloading();
	log_reopen();
	if (daemon_state.config.config_file != NULL)
		reload_config();
	log_notice("log reopened, level %d", log_get_level());
	if (rpc_reload(daemon_state.rpc, &err) < 0)
		log_err("clients' keys unchanged: %s", err.text);
	notify_ready();
}

static void on_signal(void *context)
{
	struct signalfd_siginfo info;

	(void)context;
	if (read(daemon_state.signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGTERM:
	case SIGINT:
		log_notice("signal %s: stopping", strsignal((int)info.ssi_signo));
		loop_quit(daemon_state.loop);
		break;
	case SIGHUP:
		reload();
		break;
	default:
		log_info("signal %s: nothing to do", strsignal((int)info.ssi_signo));
	}
}

/* Before any thread exists, so that all of them inherit the mask. */
static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	daemon_state.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return daemon_state.signal_fd < 0 ? -errno : 0;
}

/* --- start --------------------------------------------------------------------------------- */

static int take_pid_file(struct error *err)
{
	const char *directory = daemon_state.config.pid_dir;
	int n = snprintf(daemon_state.pid_path, sizeof(daemon_state.pid_path), "%s/%s.pid",
	                 directory, PROGRAM);

	if (n < 0 || (size_t)n >= sizeof(daemon_state.pid_path))
		return error_set(err, ENAMETOOLONG, "the pid file's directory has too long a name");
	if (socket_file_make_directory(directory, err) < 0)
		return -err->code;
	daemon_state.pid_fd = pid_file_lock(daemon_state.pid_path, err);
	return daemon_state.pid_fd < 0 ? daemon_state.pid_fd : 0;
}

/* Once a second: without it another instance would start beside this one. */
static void on_look(void *context)
{
	const char *path = daemon_state.pid_path;
	int before = daemon_state.pid_rc;
	struct error err;

	(void)context;
	if (directory_mend(path, &daemon_state.pid_directory, true, &err) == 0) {
		directory_note(path, &daemon_state.pid_directory);
		daemon_state.pid_rc = pid_file_keep(path, &daemon_state.pid_fd, &err);
	} else {
		daemon_state.pid_rc = -err.code;
	}
	if (daemon_state.pid_rc == 1)
		log_warn("somebody removed the pid file %s; it is made anew", path);
	if (daemon_state.pid_rc < 0 && daemon_state.pid_rc != before)
		log_warn("the pid file %s is not there any more, and cannot be made anew: %s; "
		         "another instance may start beside this one",
		         path, err.text);
	loop_timer_start(daemon_state.loop, &daemon_state.pid_timer, LOOK_MS, on_look, NULL);
}

/* EAL would only print its usage. With --lcores the lcores' CPUs are its own to find fault with. */
static int check_cpus(const struct config *config, struct error *err)
{
	struct cpu_set cpus = config->worker_cpus, online;
	char text[256];

	if (eal_args_map_lcores(config))
		return 0;
	cpu_set_add(&cpus, config->main_cpu);
	for (int cpu = cpu_set_next(&cpus, -1); cpu >= 0; cpu = cpu_set_next(&cpus, cpu)) {
		const char *option =
		        (unsigned)cpu == config->main_cpu ? "--master-lcore (-M)" : "--cpus (-C)";

		if (affinity_try((unsigned)cpu) == 0)
			continue;
		if (topology_online(SYSFS_ROOT, &online) < 0 || cpu_set_has(&online, (unsigned)cpu))
			return error_set(err, EINVAL,
			                 "%s names CPU %d, which this process may not use: see its "
			                 "cgroup's cpuset (AllowedCPUs= of the service)",
			                 option, cpu);
		return error_set(err, EINVAL, "%s names CPU %d, which is not there; online are %s",
		                 option, cpu, cpu_set_format(&online, text, sizeof(text)));
	}
	return 0;
}

static int start_dpdk(struct error *err)
{
	char instance[RUNTIME_DIR_INSTANCE_MAX];
	char **args;
	int argc, rc;

	if (check_cpus(&daemon_state.config, err) < 0)
		return -err->code;
	runtime_dir_name_instance(&daemon_state.config, instance);
	args = eal_args_make(&daemon_state.config, instance, &argc, err);
	if (args == NULL)
		return -err->code;
	rc = dpdk_env_start(argc, args, daemon_state.config.log_level, err);
	if (rc < 0)
		preflight_explain_start(&daemon_state.config, err);
	daemon_state.eal_args = args;
	return rc;
}

static int start(struct error *err)
{
	if (block_signals() < 0)
		return error_set(err, errno, "signals cannot be set up: %s", strerror(errno));
	open_files_prepare();
	memlock_prepare();
	if (preflight_allow_start(&daemon_state.config, warn, err) < 0 || take_pid_file(err) < 0)
		return -err->code;
	/* Sockets are for their owner and group; each is given its own mode besides. */
	umask(0007);
	if (start_dpdk(err) < 0)
		return -err->code;
	daemon_state.loop = loop_create("control");
	if (daemon_state.loop == NULL || loop_add_fd(daemon_state.loop, daemon_state.signal_fd,
	                                             LOOP_READABLE, on_signal, NULL) < 0)
		return error_set(err, ENOMEM, "out of memory");
	daemon_state.control = control_start(&daemon_state.config, daemon_state.loop, err);
	if (daemon_state.control == NULL)
		return -err->code;
	daemon_state.rpc =
	        rpc_start(&daemon_state.config, daemon_state.control, daemon_state.loop, err);
	if (daemon_state.rpc == NULL)
		return -err->code;
	loop_timer_start(daemon_state.loop, &daemon_state.pid_timer, LOOK_MS, on_look, NULL);
	if (daemon_state.config.metrics_ep != NULL) {
		daemon_state.metrics = metrics_start(&daemon_state.config, daemon_state.control,
		                                     daemon_state.loop, err);
		if (daemon_state.metrics == NULL)
			return -err->code;
	}
	if (daemon_state.config.ovsdb_sock == NULL)
		return 0;
	daemon_state.ovsdb = ovsdb_start(daemon_state.config.ovsdb_sock,
	                                 strcmp(daemon_state.config.ovsdb_ids, "vf") == 0,
	                                 daemon_state.control, daemon_state.loop, err);
	return daemon_state.ovsdb == NULL ? -err->code : 0;
}

/* Whatever start has got so far: traffic stops, sockets and pid file go, and only then what may
 * take long. */
static void stop(void)
{
	notify_stopping();
	loop_timer_stop(&daemon_state.pid_timer);
	ovsdb_stop(daemon_state.ovsdb);
	metrics_stop(daemon_state.metrics);
	rpc_stop(daemon_state.rpc);
	if (daemon_state.control != NULL)
		control_quiesce(daemon_state.control);
	if (daemon_state.pid_fd >= 0)
		pid_file_unlock(daemon_state.pid_path, daemon_state.pid_fd);
	if (daemon_state.control != NULL)
		control_destroy(daemon_state.control);
	loop_destroy(daemon_state.loop);
}

static void report_start(int status)
{
	if (daemon_state.report_fd >= 0)
		background_report(daemon_state.report_fd, status);
	daemon_state.report_fd = -1;
}

static int run(void)
{
	const struct config *config = &daemon_state.config;
	enum log_target target =
	        config->foreground && !config->foreground_syslog ? LOG_TO_STDOUT : LOG_TO_SYSLOG;
	struct error err;
	int status = EXIT_SUCCESS;

	log_open(target, config->log_level, PROGRAM);
	log_notice("%s %s starts", PROGRAM, VERSION);
	for (size_t i = 0; i < config->n_warnings; i++)
		warn(config->warnings[i]);
	config_warn_unavailable(config, warn);
	if (start(&err) < 0) {
		log_err("cannot start: %s", err.text);
		if (target == LOG_TO_SYSLOG)
			fprintf(stderr, PROGRAM ": %s\n", err.text);
		status = EXIT_FAILURE;
	} else {
		notify_ready();
		log_notice("ready");
		report_start(EXIT_SUCCESS);
		if (loop_run(daemon_state.loop) < 0) {
			log_err("the event loop failed");
			status = EXIT_FAILURE;
		}
	}
	stop();
	report_start(status);
	log_notice("stopped");
	log_close();
	return status;
}

/* --check; refusal is why the configuration could not be read, or NULL. */
static int check(const struct error *refusal)
{
	struct preflight_place place;
	struct report report = {0};

	if (refusal != NULL) {
		preflight_refuse_config(&report, refusal);
	} else {
		preflight_place_real(&place);
		preflight_run(&daemon_state.config, &place, &report);
	}
	int status = report_status(&report);
	if (!daemon_state.config.json) {
		report_print_memory(&report, stdout);
		report_print_text(&report, stdout);
	} else if (report_print_json(&report, stdout) < 0) {
		status = EXIT_FAILURE;
	}
	report_free(&report);
	return status;
}

/* --man: the template comes in, the page goes out. */
static int print_man(void)
{
	static const struct help_part parts[] = {
	        {"@LANE_COUNTERS@\n", counters_man_print_lanes},
	        {"@VF_COUNTS@\n", counters_man_print_vfs},
	};

	if (help_print_man(stdin, stdout, parts, sizeof(parts) / sizeof(parts[0])) == 0)
		return EXIT_SUCCESS;
	fprintf(stderr, PROGRAM ": cannot write the manual page\n");
	return EXIT_FAILURE;
}

/* What is asked for instead of a daemon. Returns the exit status. */
static int run_request(enum config_action action)
{
	const struct config *config = &daemon_state.config;
	const struct bind_place place = bind_place_real();

	if (action == CONFIG_MAN)
		return print_man();
	if (action == CONFIG_CHECK)
		return check(NULL);
	for (size_t i = 0; i < config->n_warnings; i++)
		fprintf(stderr, PROGRAM ": %s\n", config->warnings[i]);
	return action == CONFIG_BIND ? bind_take_all(config, &place, stdout, stderr)
	                             : bind_give_back_all(&place, stdout, stderr);
}

int main(int argc, char *argv[])
{
	enum config_action action;
	struct error err;
	int status;

	daemon_state.argc = argc;
	daemon_state.argv = argv;
	if (config_load(argc, argv, &daemon_state.config, &action, stdout, &err) < 0) {
		if (action == CONFIG_CHECK)
			return check(&err);
		fprintf(stderr, PROGRAM ": %s\nTry '" PROGRAM " --help'.\n", err.text);
		return EXIT_FAILURE;
	}
	switch (action) {
	case CONFIG_RUN:
		break;
	case CONFIG_EXIT_OK:
		config_free(&daemon_state.config);
		return EXIT_SUCCESS;
	default:
		status = run_request(action);
		config_free(&daemon_state.config);
		return status;
	}
	if (!daemon_state.config.foreground) {
		daemon_state.report_fd = background_enter();
		if (daemon_state.report_fd < 0) {
			fprintf(stderr, PROGRAM ": cannot go into the background: %s\n",
			        strerror(-daemon_state.report_fd));
			return EXIT_FAILURE;
		}
	}
	status = run();
	config_free(&daemon_state.config);
	return status;
}
