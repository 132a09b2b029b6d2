/* Bonds as text, see bond_spec.h. Pure functions without state. */
#include "base/bond_spec.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"

int bond_device_from_name(const char *name, struct device_spec *out, struct error *err)
{
	const size_t driver_len = strlen(BOND_DRIVER);
	size_t len = strlen(name);

	if (!string_starts_with(name, BOND_DRIVER) || len == driver_len ||
	    strspn(name + driver_len, "abcdefghijklmnopqrstuvwxyz"
	                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != len - driver_len)
		return error_set(err, EINVAL,
		                 "bond name \"%.80s\": write " BOND_DRIVER
		                 "0, or another number or word of letters, digits, '_' and '-' "
		                 "behind " BOND_DRIVER,
		                 name);
	if (len >= DEVICE_NAME_MAX)
		return error_set(err, EINVAL, "bond name \"%.80s\": longer than %d characters",
		                 name, DEVICE_NAME_MAX - 1);
	*out = (struct device_spec){0};
	memcpy(out->name, name, len);
	memcpy(out->devargs, name, len);
	return 0;
}

bool bond_spec_has(const struct bond_spec *bond, const struct device_spec *device)
{
	for (unsigned i = 0; i < bond->n_members; i++)
		if (device_spec_equal(&bond->members[i], device))
			return true;
	return false;
}

bool bond_spec_same_members(const struct bond_spec *a, const struct bond_spec *b)
{
	if (a->n_members != b->n_members)
		return false;
	/* No device is in a bond twice. */
	for (unsigned i = 0; i < a->n_members; i++)
		if (!bond_spec_has(b, &a->members[i]))
			return false;
	return true;
}

bool bond_spec_equal(const struct bond_spec *a, const struct bond_spec *b)
{
	return bond_spec_same_members(a, b) && (a->n_members == 0 || a->mode == b->mode);
}

bool bond_spec_overlap(const struct device_spec *a, const struct bond_spec *a_bond,
                       const struct device_spec *b, const struct bond_spec *b_bond)
{
	if (device_spec_equal(a, b) || bond_spec_has(a_bond, b) || bond_spec_has(b_bond, a))
		return true;
	for (unsigned i = 0; i < a_bond->n_members; i++)
		if (bond_spec_has(b_bond, &a_bond->members[i]))
			return true;
	return false;
}

const char *bond_mode_text(unsigned mode)
{
	static const char *const texts[BOND_MODE_MAX + 1] = {
	        "round robin", "active-backup", "balance", "broadcast", "802.3ad", "tlb", "alb"};

	return texts[mode];
}
