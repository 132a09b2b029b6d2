/* What of --eal concerns the configuration's own checks. eal_args_make is in config.h.
 */
#ifndef CONFIG_EAL_ARGS_H
#define CONFIG_EAL_ARGS_H

#include <stdbool.h>

#include "config/config.h"

/* True when --eal gives this argument: "--lcores" as a word or with "=…", "-l" also with its value
 * attached. */
bool eal_args_have(const struct config *cfg, const char *argument);

/* Refuses what could only be misunderstood. 0 or -EINVAL with err. */
int eal_args_check(const struct config *cfg, struct error *err);

#endif
