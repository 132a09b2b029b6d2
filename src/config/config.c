/* From argv and the file to one checked struct config; see config.h. The command line beats the
 * file, one option at a time. Called by main alone.
 */
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "config/cli.h"
#include "config/eal_args.h"
#include "config/file.h"
#include "config/help.h"
#include "config/schema.h"
#include "config/settings.h"
#include "config/value.h"

#define SOCKET_PATH_MAX 107 /* sun_path without its NUL */
#define LCORES_MAX      128 /* DPDK's RTE_MAX_LCORE in every distribution */

/* --- merging ------------------------------------------------------------------------------- */

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

static int merge(struct config *cfg, const struct settings *cli, const struct settings *file,
		 struct error *err)
{
	for (size_t i = 0; i < schema_size; i++) {
		const struct schema_row *row = &schema[i];
		int rc = 0;

		if (row->type == SCHEMA_REQUEST)
			continue;
		if (settings_last(cli, row) != NULL)
			rc = apply_settings(cfg, cli, row, err);
		else if (settings_last(file, row) != NULL)
			rc = apply_settings(cfg, file, row, err);
		else if (row->absent != NULL)
			rc = value_apply(cfg, row, row->absent, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool is_given(const struct settings *cli, const struct settings *file, const char *option)
{
	const struct schema_row *row = schema_find_option(option);

	return settings_last(cli, row) != NULL || settings_last(file, row) != NULL;
}

/* --- checks over several options ------------------------------------------------------------ */

static int check_cpus(const struct config *cfg, struct error *err)
{
	bool mapped = eal_args_have(cfg, "--lcores");

	if (cpu_set_count(&cfg->worker_cpus) == 0)
		return error_set(err, EINVAL,
				 "option --cpus (-C) is missing: name the workers' CPUs, such as "
				 "--cpus=1,2 (or VIRTIOFWD_CPU_MASK in the file of --config)");
	if (cpu_set_has(&cfg->worker_cpus, cfg->main_cpu))
		return error_set(err, EINVAL,
				 "option --cpus (-C): CPU %u is the main lcore, which carries no "
				 "packets: leave it out, or give --master-lcore another one",
				 cfg->main_cpu);
	if (!mapped && (cfg->main_cpu >= LCORES_MAX ||
			cpu_set_next(&cfg->worker_cpus, LCORES_MAX - 1) >= 0))
		return error_set(err, EINVAL,
				 "option --cpus (-C), --master-lcore (-M): lcores end at %d; map one "
				 "to a CPU beyond with --eal '--lcores 0@0,1@%d', and name the lcore",
				 LCORES_MAX - 1, LCORES_MAX);
	for (size_t i = 0; i < cfg->n_pins; i++) {
		const struct cpu_pin *pin = &cfg->pins[i];

		if (!cpu_set_has(&cfg->worker_cpus, (unsigned)pin->vf_to_vm_cpu) ||
		    !cpu_set_has(&cfg->worker_cpus, (unsigned)pin->vm_to_vf_cpu))
			return error_set(err, EINVAL,
					 "option --virtio-cpu (-c): the pin %u:%d,%d names a CPU that "
					 "--cpus does not", pin->relay_id, pin->vf_to_vm_cpu,
					 pin->vm_to_vf_cpu);
	}
	return 0;
}

static int check_sockets(const struct config *cfg, struct error *err)
{
	/* "%u" becomes two digits at most, which is its own length. */
	size_t length = strlen(cfg->vhost_path) + 1 + strlen(cfg->vhost_socket);

	if (length > SOCKET_PATH_MAX)
		return error_set(err, EINVAL,
				 "options --vhost-path (-V) and --vhost-socket (-S) together make "
				 "names of %zu bytes; a socket's name has %d at most", length,
				 SOCKET_PATH_MAX);
	return 0;
}

static int check_endpoint(const struct config *cfg, const char *option, const char *endpoint,
			  struct error *err)
{
	const char *host;

	if (endpoint == NULL || !string_starts_with(endpoint, "tcp://") ||
	    cfg->zmq_curve_dir != NULL)
		return 0;
	host = endpoint + strlen("tcp://");
	if (string_starts_with(host, "127.") || string_starts_with(host, "localhost:") ||
	    string_starts_with(host, "[::1]:"))
		return 0;
	return error_set(err, EINVAL,
			 "option --%s: %s can be reached from other machines: use an ipc endpoint or "
			 "the loopback, or give --zmq-curve-dir", option, endpoint);
}

static int check_endpoints(const struct config *cfg, struct error *err)
{
	const struct {
		const char *option, *endpoint;
	} all[] = {
		{"zmq-config-ep", cfg->zmq_config_ep},
		{"zmq-port-control-ep", cfg->zmq_port_control_ep},
		{"zmq-stats-ep", cfg->zmq_stats_ep},
		{"zmq-core-sched-ep", cfg->zmq_core_sched_ep},
	};
	size_t n = sizeof(all) / sizeof(all[0]);

	for (size_t i = 0; i < n; i++) {
		if (check_endpoint(cfg, all[i].option, all[i].endpoint, err) < 0)
			return -err->code;
		for (size_t j = 0; j < i && all[i].endpoint != NULL; j++)
			if (all[j].endpoint != NULL &&
			    strcmp(all[i].endpoint, all[j].endpoint) == 0)
				return error_set(err, EINVAL,
						 "options --%s and --%s are the same endpoint, %s",
						 all[j].option, all[i].option, all[i].endpoint);
	}
	return 0;
}

/* core_sched's clients need the statistics. */
static int imply_stats(struct config *cfg, struct error *err)
{
	if (cfg->zmq_core_sched_ep == NULL || cfg->zmq_stats_ep != NULL)
		return 0;
	return value_apply(cfg, schema_find_option("zmq-stats-ep"), NULL, err);
}

static int leave_ovsdb_alone(struct config *cfg, struct error *err)
{
	if (!cfg->ipc_port_control || cfg->ovsdb_sock == NULL)
		return 0;
	if (value_warn(cfg, "--ipc (-I) has OVSDB left alone: %s is not watched",
		       cfg->ovsdb_sock) < 0)
		return error_set(err, ENOMEM, "out of memory");
	free(cfg->ovsdb_sock);
	cfg->ovsdb_sock = NULL;
	return 0;
}

static int check_all(struct config *cfg, struct error *err)
{
	if (check_cpus(cfg, err) < 0 || check_sockets(cfg, err) < 0 ||
	    imply_stats(cfg, err) < 0 || check_endpoints(cfg, err) < 0)
		return -err->code;
	if (cfg->dynamic_sockets && cfg->n_static_vfs > 0)
		return error_set(err, EINVAL,
				 "options --add-pci-vf (-P) and --dynamic-sockets (-d) exclude each "
				 "other: dynamic relays are made by ADD_SOCK");
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

static int read_file(struct config *cfg, const struct settings *cli, struct settings *file,
		     struct error *err)
{
	const struct setting *name = settings_last(cli, schema_find_option("config"));
	struct warn_context warn = {.cfg = cfg};

	if (name == NULL)
		return 0;
	file->file = name->text;
	if (file_read(file, keep_warning, &warn, err) < 0)
		return -err->code;
	return warn.failed ? error_set(err, ENOMEM, "out of memory") : 0;
}

static enum config_action action_of(enum schema_request request)
{
	switch (request) {
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

static int print_request(enum schema_request request, FILE *out, struct error *err)
{
	if (request == REQUEST_HELP)
		help_print(out);
	else if (request == REQUEST_VERSION)
		help_print_version(out);
	else if (help_print_man(stdin, out) < 0)
		return error_set(err, EIO, "cannot write the manual page");
	return 0;
}

int config_load(int argc, char *const argv[], struct config *cfg, enum config_action *action,
		FILE *out, struct error *err)
{
	struct settings cli = {0}, file = {0};
	enum schema_request request;
	int rc;

	memset(cfg, 0, sizeof(*cfg));
	*action = CONFIG_RUN;
	rc = cli_parse(argc, argv, &cli, &request, err);
	if (rc < 0)
		goto done;
	*action = action_of(request);
	if (*action == CONFIG_EXIT_OK) {
		rc = print_request(request, out, err);
		goto done;
	}
	rc = read_file(cfg, &cli, &file, err);
	if (rc == 0)
		rc = merge(cfg, &cli, &file, err);
	if (rc < 0)
		goto done;
	cfg->huge_dir_given = is_given(&cli, &file, "huge-dir");
	cfg->log_level_given = settings_last(&cli, schema_find_option("loglevel")) != NULL;
	if (cfg->json && *action != CONFIG_CHECK)
		rc = error_set(err, EINVAL, "option --json goes with --check");
	else if (*action == CONFIG_RUN || *action == CONFIG_CHECK)
		rc = check_all(cfg, err);
done:
	settings_free(&file);
	settings_free(&cli);
	return rc;
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

static void ignore_warning(void *context, const char *text)
{
	(void)context;
	(void)text;
}

int config_reload_log_level(const struct config *cfg, struct error *err)
{
	const struct schema_row *row = schema_find_option("loglevel");
	struct settings file = {.file = cfg->config_file};
	const struct setting *last;
	uint32_t level;
	int rc;

	if (cfg->log_level_given || cfg->config_file == NULL)
		return cfg->log_level;
	rc = file_read(&file, ignore_warning, NULL, err);
	if (rc < 0)
		goto done;
	last = settings_last(&file, row);
	if (parse_u32(last != NULL ? last->text : row->absent, (uint32_t)row->min,
		      (uint32_t)row->max, &level) < 0) {
		error_set(err, EINVAL, "\"%s\" is not a level from 0 to 7", last->text);
		rc = settings_blame(&file, last, err);
	} else {
		rc = (int)level;
	}
done:
	settings_free(&file);
	return rc;
}

/* True when the row's field says something else than "not given". */
static bool is_set(const struct config *cfg, const struct schema_row *row)
{
	const char *place = (const char *)cfg + row->offset;

	switch (row->type) {
	case SCHEMA_FLAG:
	case SCHEMA_ENABLE:
		return *(const bool *)place;
	default:
		return schema_is_string(row) && *(char *const *)place != NULL;
	}
}

void config_warn_unavailable(const struct config *cfg, void (*warn)(const char *text))
{
	for (size_t i = 0; i < schema_size; i++) {
		const struct schema_row *row = &schema[i];
		char text[160];

		if (!row->planned || row->type == SCHEMA_REQUEST || !is_set(cfg, row))
			continue;
		if (row->option != NULL)
			snprintf(text, sizeof(text), "--%s%s%s%s is not available yet in this build",
				 row->option, row->variable != NULL ? " (" : "",
				 row->variable != NULL ? row->variable : "",
				 row->variable != NULL ? ")" : "");
		else
			snprintf(text, sizeof(text), "%s is not available yet in this build",
				 row->variable);
		warn(text);
	}
}
