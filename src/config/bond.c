/* Bonds as text, see bond.h. */
#include "config/bond.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/device_spec.h"
#include "base/limits.h"
#include "base/parse.h"

#define BOND_DRIVER   "net_bonding"
#define BOND_MODE_MAX 6

bool bond_is_named(const char *text)
{
	return string_starts_with(text, BOND_DRIVER);
}

/* One "key=value" behind the name. "slave" is DPDK's word for a member up to release 23.07. */
static int check_argument(const char *key, const char *value, unsigned *members, struct error *err)
{
	struct device_spec member;
	uint32_t mode;

	if (strcmp(key, "slave") == 0 || strcmp(key, "member") == 0) {
		if (++*members > BOND_MEMBERS_MAX)
			return error_set(err, EINVAL, "a bond has at most %d members",
			                 BOND_MEMBERS_MAX);
		return device_spec_parse(value, &member, err);
	}
	if (strcmp(key, "mode") == 0 && parse_u32(value, 0, BOND_MODE_MAX, &mode) < 0)
		return error_set(err, EINVAL, "bond mode \"%s\": 0 to %d are known", value,
		                 BOND_MODE_MAX);
	return 0;
}

static int check_arguments(const char *text, struct error *err)
{
	unsigned members = 0;
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
		if (check_argument(argument, equals + 1, &members, err) < 0)
			return -err->code;
	}
	if (members < 2)
		return error_set(err, EINVAL, "a bond needs two members or more: slave=DEVICE");
	return 0;
}

int bond_check(const char *text, unsigned *relay_id, struct error *err)
{
	const char *equals = strrchr(text, '=');
	char bond[DEVICE_DEVARGS_MAX];
	uint32_t id;

	if (equals == NULL || parse_u32(equals + 1, 0, RELAYS_MAX - 1, &id) < 0)
		return error_set(err, EINVAL,
		                 "\"%.80s\": a relay (0 to %d) must stand behind the last '='",
		                 text, RELAYS_MAX - 1);
	if ((size_t)(equals - text) >= sizeof(bond))
		return error_set(err, EINVAL, "bond \"%.80s…\": longer than %d characters", text,
		                 DEVICE_DEVARGS_MAX - 1);
	snprintf(bond, sizeof(bond), "%.*s", (int)(equals - text), text);
	if (strcspn(bond, ",") >= DEVICE_NAME_MAX)
		return error_set(err, EINVAL,
		                 "bond \"%.80s…\": the name is longer than %d characters", bond,
		                 DEVICE_NAME_MAX - 1);
	if (check_arguments(bond, err) < 0)
		return error_prefix(err, "bond \"%.80s\": ", bond);
	*relay_id = id;
	return 0;
}
