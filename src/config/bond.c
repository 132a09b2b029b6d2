/* Bonds as text, see bond.h. */
#include "config/bond.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/bond_spec.h"
#include "base/limits.h"
#include "base/parse.h"

bool bond_is_named(const char *text)
{
	return string_starts_with(text, BOND_DRIVER);
}

static int add_member(struct bond_spec *bond, const char *text, struct error *err)
{
	struct device_spec member;

	if (bond->n_members == BOND_MEMBERS_MAX)
		return error_set(err, EINVAL, "a bond has at most %d members", BOND_MEMBERS_MAX);
	if (device_spec_parse(text, &member, err) < 0)
		return -err->code;
	if (bond_spec_has(bond, &member))
		return error_set(err, EINVAL, "%s is a member twice", member.name);
	bond->members[bond->n_members++] = member;
	return 0;
}

/* One "key=value" behind the name. "slave" is DPDK's word for a member up to release 23.07. */
static int parse_argument(const char *key, const char *value, struct bond_spec *bond,
                          struct error *err)
{
	uint32_t mode;

	if (strcmp(key, "slave") == 0 || strcmp(key, "member") == 0)
		return add_member(bond, value, err);
	if (strcmp(key, "mode") != 0)
		return error_set(err, EINVAL, "\"%s\" is not known; mode and slave are", key);
	if (parse_u32(value, 0, BOND_MODE_MAX, &mode) < 0)
		return error_set(err, EINVAL, "bond mode \"%s\": 0 to %d are known", value,
		                 BOND_MODE_MAX);
	bond->mode = (uint8_t)mode;
	return 0;
}

static int parse_arguments(const char *text, struct bond_spec *bond, struct error *err)
{
	char argument[DEVICE_DEVARGS_MAX];

	for (const char *at = strchr(text, ','); at != NULL; at = strchr(at, ',')) {
		char *equals;

		at++;
		snprintf(argument, sizeof(argument), "%.*s", (int)strcspn(at, ","), at);
		equals = strchr(argument, '=');
		if (equals == NULL || equals == argument)
			return error_set(
			        err, EINVAL,
			        "\"%s\" is not an argument; write name,key=value,key=value",
			        argument);
		*equals = '\0';
		if (parse_argument(argument, equals + 1, bond, err) < 0)
			return -err->code;
	}
	if (bond->n_members < 2)
		return error_set(err, EINVAL, "a bond needs two members or more: slave=DEVICE");
	return 0;
}

int bond_parse(const char *text, struct static_vf *out, struct error *err)
{
	const char *equals = strrchr(text, '=');
	char bond[DEVICE_DEVARGS_MAX], name[DEVICE_DEVARGS_MAX];
	uint32_t id;

	if (equals == NULL || parse_u32(equals + 1, 0, RELAYS_MAX - 1, &id) < 0)
		return error_set(err, EINVAL,
		                 "\"%.80s\": a relay (0 to %d) must stand behind the last '='",
		                 text, RELAYS_MAX - 1);
	if ((size_t)(equals - text) >= sizeof(bond))
		return error_set(err, EINVAL, "bond \"%.80s…\": longer than %d characters", text,
		                 DEVICE_DEVARGS_MAX - 1);
	snprintf(bond, sizeof(bond), "%.*s", (int)(equals - text), text);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(bond, ","), bond);
	*out = (struct static_vf){.relay_id = id, .bond.mode = BOND_MODE_ACTIVE_BACKUP};
	if (bond_device_from_name(name, &out->device, err) < 0)
		return -err->code;
	if (parse_arguments(bond, &out->bond, err) < 0)
		return error_prefix(err, "bond \"%.80s\": ", bond);
	return 0;
}
