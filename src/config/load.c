/* From argv and the file to one checked struct config. See load.h. The command line beats the file,
 * one option at a time.
 */
#include "config/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/address.h"
#include "config/cli.h"
#include "config/eal_args.h"
#include "config/file.h"
#include "config/help.h"
#include "config/schema.h"
#include "config/settings.h"
#include "config/value.h"

#define SOCKET_PATH_MAX 107 /* sun_path without its NUL */

/* What was said, and where. */
struct sources {
	struct settings cli, file;
};

static int out_of_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory");
}

/* --- merging ------------------------------------------------------------------------------- */

/* The source that decides on row, or NULL when neither names it. */
static const struct settings *source_of(const struct sources *sources, const struct schema_row *row)
{
	if (settings_last(&sources->cli, row) != NULL)
		return &sources->cli;
	return settings_last(&sources->file, row) != NULL ? &sources->file : NULL;
}

static int apply_settings(struct config *cfg, const struct settings *settings,
                          const struct schema_row *row, struct error *err)
{
	if (!schema_is_list(row)) {
		const struct setting *last = settings_last(settings, row);

		if (value_apply(cfg, row, last->text, err) < 0)
			return settings_blame(settings, last, err);
		return 0;
	}
	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *setting = &settings->items[i];

		if (setting->row == row && value_apply(cfg, row, setting->text, err) < 0)
			return settings_blame(settings, setting, err);
	}
	return 0;
}

static int merge(struct config *cfg, const struct sources *sources, struct error *err)
{
	for (size_t i = 0; i < schema_size; i++) {
		const struct schema_row *row = &schema[i];
		const struct settings *source = source_of(sources, row);
		int rc = 0;

		cfg->given[i] = source != NULL;
		if (source != NULL)
			rc = apply_settings(cfg, source, row, err);
		else if (row->absent != NULL)
			rc = value_apply(cfg, row, row->absent, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* --- checks over several options ------------------------------------------------------------ */

/* Put the place in front where option was given, whichever of its values it was. */
static int blame(const struct sources *sources, const char *option, struct error *err)
{
	const struct schema_row *row = schema_find_option(option);
	const struct settings *source = source_of(sources, row);
	struct setting absent = {.row = row};

	if (source == NULL)
		return settings_blame(&sources->cli, &absent, err);
	return settings_blame(source, settings_last(source, row), err);
}

static int check_cpus(const struct config *cfg, const struct sources *sources, struct error *err)
{
	int beyond = cpu_set_next(&cfg->worker_cpus, LCORES_MAX - 1);

	if (cpu_set_count(&cfg->worker_cpus) == 0)
		return error_set(err, EINVAL,
		                 "option --cpus (-C) is missing: name the workers' CPUs, such as "
		                 "--cpus=1,2 (or VIRTIOFWD_CPU_MASK in the file of --config)");
	if (cpu_set_has(&cfg->worker_cpus, cfg->main_cpu)) {
		error_set(err, EINVAL,
		          "CPU %u is the main lcore, which carries no packets: leave it out, or "
		          "give --master-lcore another one",
		          cfg->main_cpu);
		return blame(sources, "cpus", err);
	}
	if (beyond >= 0) {
		error_set(err, EINVAL,
		          "lcores end at %d: map one to CPU %d with --eal '--lcores 0@0,1@%d', and "
		          "name the lcore (1)",
		          LCORES_MAX - 1, beyond, beyond);
		return blame(sources, "cpus", err);
	}
	return 0;
}

static int check_awake(const struct config *cfg, const struct sources *sources, struct error *err)
{
	int lcore = -1;

	while ((lcore = cpu_set_next(&cfg->idle_awake, lcore)) >= 0)
		if (!cpu_set_has(&cfg->worker_cpus, (unsigned)lcore)) {
			error_set(err, EINVAL,
			          "CPU %d is no worker's: leave it out, or add it to --cpus",
			          lcore);
			return blame(sources, "idle-awake", err);
		}
	return 0;
}

static int check_eal(struct config *cfg, const struct sources *sources, struct error *err)
{
	if (eal_args_check(cfg, err) < 0)
		return blame(sources, "eal", err);
	/* The packet pools have to know, too. */
	cfg->no_huge |= eal_args_have(cfg, "--no-huge");
	return 0;
}

static int check_sockets(const struct config *cfg, const struct sources *sources, struct error *err)
{
	/* "%u" becomes two digits at most, which is its own length. */
	size_t length = strlen(cfg->vhost_path) + 1 + strlen(cfg->vhost_socket);

	if (length <= SOCKET_PATH_MAX)
		return 0;
	error_set(err, EINVAL,
	          "with the name of --vhost-socket (-S) the sockets' paths have %zu bytes, and %d "
	          "are possible: choose a shorter directory",
	          length, SOCKET_PATH_MAX);
	return blame(sources, "vhost-path", err);
}

/* tcp beyond the loopback takes keys; without, the endpoint is not opened. */
static int close_remote(struct config *cfg, const char *option, char **endpoint, struct error *err)
{
	if (*endpoint == NULL || !address_is_remote(*endpoint) || cfg->zmq_curve_dir != NULL)
		return 0;
	if (value_warn(cfg,
	               "--%s is left closed: %s can be reached from other machines; use an ipc "
	               "endpoint or the loopback, or give --zmq-curve-dir",
	               option, *endpoint) < 0)
		return out_of_memory(err);
	free(*endpoint);
	*endpoint = NULL;
	return 0;
}

/* core_sched's clients need the statistics. */
static int imply_stats(struct config *cfg, struct error *err)
{
	if (cfg->zmq_core_sched_ep == NULL || cfg->zmq_stats_ep != NULL)
		return 0;
	return value_apply(cfg, schema_find_option("zmq-stats-ep"), NULL, err);
}

static int check_endpoints(struct config *cfg, const struct sources *sources, struct error *err)
{
	const struct {
		const char *option;
		char **endpoint;
	} all[] = {
	        {"zmq-config-ep", &cfg->zmq_config_ep},
	        {"zmq-port-control-ep", &cfg->zmq_port_control_ep},
	        {"zmq-stats-ep", &cfg->zmq_stats_ep},
	        {"zmq-core-sched-ep", &cfg->zmq_core_sched_ep},
	        {"zmq-events-ep", &cfg->zmq_events_ep},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (close_remote(cfg, all[i].option, all[i].endpoint, err) < 0)
			return -err->code;
	}
	if (imply_stats(cfg, err) < 0)
		return -err->code;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (size_t j = 0; j < i && *all[i].endpoint != NULL; j++) {
			if (*all[j].endpoint == NULL ||
			    strcmp(*all[i].endpoint, *all[j].endpoint) != 0)
				continue;
			error_set(err, EINVAL, "%s is the endpoint of --%s: each has its own",
			          *all[i].endpoint, all[j].option);
			return blame(sources, all[i].option, err);
		}
	}
	return 0;
}

/* Relays are of one sort or the other. On the command line the two together are a mistake; files
 * have always had both, and the mode wins. */
static int check_dynamic(struct config *cfg, const struct sources *sources, struct error *err)
{
	static const char *const options[] = {"add-pci-vf", "kernel-vf"};
	bool kernel = false;

	if (!cfg->dynamic_sockets || cfg->n_static_vfs == 0)
		return 0;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (settings_last(&sources->cli, schema_find_option(options[i])) == NULL)
			continue;
		error_set(err, EINVAL,
		          "excludes --dynamic-sockets (-d), where clients make the relays with "
		          "ADD_SOCK: leave one of the two out");
		return blame(sources, options[i], err);
	}
	for (size_t i = 0; i < cfg->n_static_vfs; i++)
		kernel |= cfg->static_vfs[i].far.kind == FAR_KERNEL;
	if (value_warn(cfg,
	               "%s is left alone: with --dynamic-sockets "
	               "(VIRTIOFWD_DYNAMIC_SOCKETS) clients make the relays with ADD_SOCK",
	               kernel ? "VIRTIOFWD_STATIC_VFS or VIRTIOFWD_KERNEL_VFS"
	                      : "VIRTIOFWD_STATIC_VFS") < 0)
		return out_of_memory(err);
	cfg->n_static_vfs = 0;
	return 0;
}

static int leave_ovsdb_alone(struct config *cfg, struct error *err)
{
	const char *why = NULL;

	if (cfg->ipc_port_control)
		why = "--ipc (VIRTIOFWD_IPC_PORT_CONTROL) has OVSDB left alone";
	else if (cfg->dynamic_sockets)
		why = "--dynamic-sockets has OVSDB left alone, since its rows name relays and "
		      "these come and go by ADD_SOCK";
	if (why == NULL || cfg->ovsdb_sock == NULL)
		return 0;
	if (value_warn(cfg, "%s: %s is not watched", why, cfg->ovsdb_sock) < 0)
		return out_of_memory(err);
	free(cfg->ovsdb_sock);
	cfg->ovsdb_sock = NULL;
	return 0;
}

static int check_all(struct config *cfg, const struct sources *sources, struct error *err)
{
	if (check_cpus(cfg, sources, err) < 0 || check_awake(cfg, sources, err) < 0 ||
	    check_eal(cfg, sources, err) < 0 || check_sockets(cfg, sources, err) < 0 ||
	    check_dynamic(cfg, sources, err) < 0 || check_endpoints(cfg, sources, err) < 0)
		return -err->code;
	return leave_ovsdb_alone(cfg, err);
}

/* --- loading ------------------------------------------------------------------------------- */

struct warn_context {
	struct config *cfg;
	bool failed;
};

static void keep_warning(void *context, const char *text)
{
	struct warn_context *warn = context;

	if (value_warn(warn->cfg, "%s", text) < 0)
		warn->failed = true;
}

/* again is the file's path when it has been read before, from wherever that was, or NULL. */
static int read_file(struct config *cfg, struct sources *sources, const char *again,
                     struct error *err)
{
	const struct setting *name = settings_last(&sources->cli, schema_find_option("config"));
	struct warn_context warn = {.cfg = cfg};

	if (name == NULL)
		return 0;
	if (name->text[0] == '\0')
		return error_set(err, EINVAL,
		                 "option --config: no file is named, such as "
		                 "--config=/etc/default/virtioforwarder");
	sources->file.file = again != NULL ? again : name->text;
	if (file_read(&sources->file, keep_warning, &warn, err) < 0)
		return -err->code;
	return warn.failed ? out_of_memory(err) : 0;
}

static enum config_action action_of(enum schema_request request)
{
	switch (request) {
	case REQUEST_MAN:
		return CONFIG_MAN;
	case REQUEST_CHECK:
		return CONFIG_CHECK;
	case REQUEST_BIND:
		return CONFIG_BIND;
	case REQUEST_UNBIND:
		return CONFIG_UNBIND;
	case REQUEST_RUN:
		return CONFIG_RUN;
	default:
		return CONFIG_EXIT_OK;
	}
}

static bool is_given(const struct sources *sources, const char *option)
{
	return source_of(sources, schema_find_option(option)) != NULL;
}

static int load(int argc, char *const argv[], const char *again, struct config *cfg,
                enum config_action *action, FILE *out, struct error *err)
{
	struct sources sources = {0};
	enum schema_request request;
	int rc;

	memset(cfg, 0, sizeof(*cfg));
	*action = CONFIG_RUN;
	rc = cli_parse(argc, argv, &sources.cli, &request, err);
	if (rc < 0)
		goto done;
	*action = action_of(request);
	if (request == REQUEST_HELP)
		help_print(out);
	else if (request == REQUEST_VERSION)
		help_print_version(out);
	if (*action == CONFIG_EXIT_OK || *action == CONFIG_MAN)
		goto done;
	/* Known before anything is refused, so that --check can say so in that form. */
	cfg->json = is_given(&sources, "json");
	rc = read_file(cfg, &sources, again, err);
	if (rc == 0)
		rc = merge(cfg, &sources, err);
	if (rc < 0)
		goto done;
	cfg->huge_dir_given = is_given(&sources, "huge-dir");
	cfg->log_level_given = settings_last(&sources.cli, schema_find_option("loglevel")) != NULL;
	if (cfg->json && *action != CONFIG_CHECK)
		rc = error_set(err, EINVAL,
		               "option --json tells how --check prints: give it with --check");
	else if (*action == CONFIG_RUN || *action == CONFIG_CHECK)
		rc = check_all(cfg, &sources, err);
done:
	settings_free(&sources.file);
	settings_free(&sources.cli);
	return rc;
}

int config_load(int argc, char *const argv[], struct config *cfg, enum config_action *action,
                FILE *out, struct error *err)
{
	return load(argc, argv, NULL, cfg, action, out, err);
}

int config_load_again(int argc, char *const argv[], const struct config *before, struct config *cfg,
                      struct error *err)
{
	enum config_action ignored;

	return load(argc, argv, before->config_file, cfg, &ignored, stdout, err);
}

static void free_words(char **words)
{
	for (size_t i = 0; words != NULL && words[i] != NULL; i++)
		free(words[i]);
	free(words);
}

void config_free(struct config *cfg)
{
	for (size_t i = 0; i < schema_size; i++) {
		char **place = (char **)((char *)cfg + schema[i].offset);

		if (!schema_is_string(&schema[i]))
			continue;
		free(*place);
		*place = NULL;
	}
	for (size_t i = 0; i < cfg->n_warnings; i++)
		free(cfg->warnings[i]);
	free(cfg->warnings);
	free_words(cfg->eal_args);
	memset(cfg, 0, sizeof(*cfg));
}

/* Whether there is anything to miss: switched off is as good as not given. */
static bool is_wanted(const struct config *cfg, size_t index)
{
	const struct schema_row *row = &schema[index];
	const char *place = (const char *)cfg + row->offset;

	if (row->type == SCHEMA_ENABLE)
		return *(const bool *)place;
	if (schema_is_string(row))
		return *(char *const *)place != NULL;
	return cfg->given[index];
}

void config_warn_unavailable(const struct config *cfg, void (*warn)(const char *text))
{
	for (size_t i = 0; i < schema_size; i++) {
		const struct schema_row *row = &schema[i];
		char text[160];

		if (!row->planned || row->type == SCHEMA_REQUEST || !is_wanted(cfg, i))
			continue;
		if (row->option != NULL)
			snprintf(text, sizeof(text),
			         "--%s%s%s%s is not available yet in this build", row->option,
			         row->variable != NULL ? " (" : "",
			         row->variable != NULL ? row->variable : "",
			         row->variable != NULL ? ")" : "");
		else
			snprintf(text, sizeof(text), "%s is not available yet in this build",
			         row->variable);
		warn(text);
	}
}

size_t config_features(const struct config *cfg, const char **out, size_t capacity)
{
	size_t count = 0;

	for (size_t i = 0; i < schema_size; i++) {
		const struct schema_row *row = &schema[i];

		if (row->type != SCHEMA_FLAG || row->planned ||
		    !*(const bool *)((const char *)cfg + row->offset))
			continue;
		if (count < capacity)
			out[count] = row->option;
		count++;
	}
	return count;
}
