/* Bonds that are asked for at start: "net_bonding0,mode=1,slave=0000:05:08.1,…=RELAY". Pure text.
 */
#ifndef CONFIG_BOND_H
#define CONFIG_BOND_H

#include <stdbool.h>

#include "base/error.h"

#define BOND_MEMBERS_MAX 8

bool bond_is_named(const char *text); /* true for a device string of net_bonding */

/* Checks the whole text; 0 and *relay_id, or -EINVAL with err. */
int bond_check(const char *text, unsigned *relay_id, struct error *err);

#endif
