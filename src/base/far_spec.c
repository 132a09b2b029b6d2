/* What a relay's VF is paired with. See far_spec.h. */
#include "base/far_spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define NAME_CHARACTERS              \
	"abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"0123456789"                 \
	"._-"

struct far_spec far_spec_kernel(unsigned relay_id)
{
	struct far_spec far = {.kind = FAR_KERNEL};

	snprintf(far.interface, sizeof(far.interface), "vio4wd%u", relay_id);
	return far;
}

int far_interface_check(const char *name, struct error *err)
{
	size_t len = strlen(name);

	if (len == 0 || len >= FAR_INTERFACE_MAX || strspn(name, NAME_CHARACTERS) != len ||
	    strspn(name, ".") == len)
		return error_set(err, EINVAL,
		                 "\"%.40s\" cannot be the name of a network interface: give 1 to "
		                 "%d letters, digits, '.', '_' and '-'",
		                 name, FAR_INTERFACE_MAX - 1);
	return 0;
}

int far_spec_split(const char *text, char out[FAR_INTERFACE_MAX], struct error *err)
{
	const char *equals = strrchr(text, '=');
	const char *comma = equals != NULL ? strchr(equals, ',') : NULL;

	out[0] = '\0';
	if (comma == NULL)
		return (int)strlen(text);
	if (far_interface_check(comma + 1, err) < 0)
		return -err->code;
	(void)string_copy(out, FAR_INTERFACE_MAX, comma + 1); /* it fits: checked */
	return (int)(comma - text);
}
