/* The configuration file as settings. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include "config/settings.h"

#define CONFIG_FILE_MAX   (1024 * 1024) /* bytes */
#define CONFIG_LINE_MAX   4096
#define CONFIG_VALUES_MAX 1024 /* of one array */

/* Takes a warning; may be called any number of times. */
typedef void config_warn_fn(void *context, const char *text);

/* Reads the file called settings->file. 0, -EINVAL (err names the line), or -errno when it cannot
 * be read. An unknown variable is a warning. */
int file_read(struct settings *settings, config_warn_fn *warn, void *context, struct error *err);
/* The same for text in memory, which may hold anything. */
int file_parse(struct settings *settings, const char *text, size_t len, config_warn_fn *warn,
               void *context, struct error *err);

#endif
