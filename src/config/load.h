/* Reading the configuration: the command line, the file, and the checks that take both. Main
 * thread, before any other exists, but for config_reload_log_level and config_features: control
 * thread.
 */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include <stdio.h>

#include "base/error.h"
#include "config/config.h"

enum config_action {
	CONFIG_RUN,     /* start the daemon */
	CONFIG_EXIT_OK, /* --help, --version: all is printed, exit 0 */
	CONFIG_MAN,     /* --man: help_print_man, exit; nothing else was read */
	CONFIG_CHECK,   /* --check: preflight, print, exit */
	CONFIG_BIND,    /* --bind */
	CONFIG_UNBIND,  /* --unbind */
};

/* Reads argv and, with --config, the file. --help, --version print to out. On an error, err names
 * the option or the file and line, the value and what would be right; cfg is then still safe to
 * free. Returns 0 or -EINVAL, -errno of a file that cannot be read. */
int config_load(int argc, char *const argv[], struct config *cfg, enum config_action *action,
                FILE *out, struct error *err);
void config_free(struct config *cfg);

/* The log level as the configuration file gives it now; the level from the command line, if one
 * was given there, stays. Returns 0 … 7 or -errno. */
int config_reload_log_level(const struct config *cfg, struct error *err);

/* One warning line for each option that was given but whose feature this build lacks. */
void config_warn_unavailable(const struct config *cfg, void (*warn)(const char *text));

/* The switches that are on and work in this build, by the names of their options ("enable-jumbo").
 * At most `capacity` of them go into out; returns how many there are. */
size_t config_features(const struct config *cfg, const char **out, size_t capacity);

#endif
