/* Bonds that are asked for at start: "net_bonding0,mode=1,slave=0000:05:08.1,…=RELAY". Pure text.
 */
#ifndef CONFIG_BOND_H
#define CONFIG_BOND_H

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"

bool bond_is_named(const char *text); /* true for a device string of net_bonding */

/* The whole text; 0, or -EINVAL with err. */
int bond_parse(const char *text, struct static_vf *out, struct error *err);

#endif
