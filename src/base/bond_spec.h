/* Bonds as operators and clients name them: a name, DPDK's mode, and the devices that are its
 * members. Pure text, as device_spec.h is.
 */
#ifndef BASE_BOND_SPEC_H
#define BASE_BOND_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/device_spec.h"
#include "base/error.h"

#define BOND_DRIVER             "net_bonding"
#define BOND_MEMBERS_MAX        8
#define BOND_MODE_ACTIVE_BACKUP 1 /* the default */
#define BOND_MODE_MAX           6 /* DPDK's last: adaptive load balancing */

/* What makes a bond of a device; its name is that of the device_spec that goes with it. */
struct bond_spec {
	unsigned n_members; /* 0 = no bond but a single device; else 2 … BOND_MEMBERS_MAX */
	uint8_t mode;       /* 0 … BOND_MODE_MAX, in DPDK's counting */
	struct device_spec members[BOND_MEMBERS_MAX];
};

/* The device of a bond. Its name is the driver's with letters, digits, '_' and '-' behind it, and
 * shorter than DEVICE_NAME_MAX: 0 or -EINVAL. */
int bond_device_from_name(const char *name, struct device_spec *out, struct error *err);
bool bond_spec_has(const struct bond_spec *bond, const struct device_spec *device);
/* The same devices, in whatever order. Single devices are equal. */
bool bond_spec_same_members(const struct bond_spec *a, const struct bond_spec *b);
/* The same members, in the same mode. */
bool bond_spec_equal(const struct bond_spec *a, const struct bond_spec *b);
/* Whether a device of the one, bond or member, is one of the other's. */
bool bond_spec_overlap(const struct device_spec *a, const struct bond_spec *a_bond,
                       const struct device_spec *b, const struct bond_spec *b_bond);
/* "802.3ad" and so on; mode <= BOND_MODE_MAX. */
const char *bond_mode_text(unsigned mode);

#endif
