/* Reading the configuration: the command line, the file, and the checks that take both. Main
 * thread, before any other exists; when the file is read again, control thread, which is the same.
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
/* Once more, of the same command line, with the file of --config as it is now. cfg is another one
 * than before, and is to be freed in any case. */
int config_load_again(int argc, char *const argv[], const struct config *before, struct config *cfg,
                      struct error *err);
void config_free(struct config *cfg);

/* One warning line for each option that was given but whose feature this build lacks. */
void config_warn_unavailable(const struct config *cfg, void (*warn)(const char *text));

/* The switches that are on and work in this build, by the names of their options ("enable-jumbo").
 * At most `capacity` of them go into out; returns how many there are. */
size_t config_features(const struct config *cfg, const char **out, size_t capacity);

#endif
