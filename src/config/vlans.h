/* VLANs that the operator names for relays. Runs in config_load, before there are threads.
 */
#ifndef CONFIG_VLANS_H
#define CONFIG_VLANS_H

#include "base/error.h"
#include "config/config.h"

/* "100,200-210" for all relays, "3:100,200-210" for one, several joined by ';': adds them to
 * cfg->vlans. 0, or -EINVAL with err when it is not that, or a relay would get more than VLANS_MAX.
 */
int vlans_apply(struct config *cfg, const char *text, struct error *err);

#endif
