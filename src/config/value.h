/* From a value's text to its field in struct config.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "config/schema.h"

/* Checks text by row's type and range, and stores it; lists grow. NULL: the option was given
 * without a value. 0, -EINVAL (err says what would be right) or -ENOMEM. */
int value_apply(struct config *cfg, const struct schema_row *row, const char *text,
                struct error *err);

/* "0.25" and "5", as the help and error messages show a limit. Returns out. */
const char *value_format_limit(double limit, char *out, size_t size);

/* A copy of text for config_warn_unavailable's like: logged once the log is open. 0 or -ENOMEM. */
int value_warn(struct config *cfg, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
