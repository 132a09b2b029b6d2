/* What of the configuration can be changed while the daemon runs: the rows that the schema marks
 * `at_run_time`. Control thread.
 */
#ifndef CONFIG_RELOAD_H
#define CONFIG_RELOAD_H

#include "base/error.h"
#include "config/config.h"
#include "config/schema.h"

/* name is "VIRTIOFWD_LOG_LEVEL (--loglevel)"; before and now are values as people read them. */
typedef void config_change_fn(void *context, const char *name, const char *before, const char *now);

/* Gives running what wanted has of the rows that can be changed, and tells of each that differed.
 * Returns how many there were. */
unsigned config_take(struct config *running, const struct config *wanted, config_change_fn *tell,
                     void *context);

/* The names of the variables that differ and cannot be changed while running, joined by ", ".
 * Returns how many there are; cut where out is full. */
unsigned config_differences(const struct config *running, const struct config *wanted, char *out,
                            size_t size);

/* Whether wanted was warned of something that running was not. */
bool config_is_new_warning(const struct config *running, const char *warning);

/* For a setting that a client gives: whether value is in the range of that option's row, else err
 * says what would be right. option is one of the schema's. 0 or -EINVAL. */
int config_check_number(const char *option, double value, struct error *err);

#endif
