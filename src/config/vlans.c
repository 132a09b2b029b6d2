/* VLANs of relays. See vlans.h. */
#include "config/vlans.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define ENTRY_MAX 512 /* longer than any value of a list */

/* Takes "3:" off the front. Leaves relays as they are when there is none. */
static int parse_relay(const char **entry, unsigned *first, unsigned *end, struct error *err)
{
	const char *colon = strchr(*entry, ':');
	uint32_t relay_id;
	char digits[8];

	if (colon == NULL)
		return 0;
	int n = snprintf(digits, sizeof(digits), "%.*s", (int)(colon - *entry), *entry);
	if (n >= (int)sizeof(digits) || parse_u32(digits, 0, RELAYS_MAX - 1, &relay_id) < 0)
		return error_set(err, EINVAL,
		                 "\"%.80s\": what stands before ':' is not a relay (0 to %d)",
		                 *entry, RELAYS_MAX - 1);
	*first = relay_id;
	*end = relay_id + 1;
	*entry = colon + 1;
	return 0;
}

static int apply_entry(struct config *cfg, const char *entry, struct error *err)
{
	unsigned first = 0, end = RELAYS_MAX;
	struct vlan_set vlans;

	if (parse_relay(&entry, &first, &end, err) < 0 || vlan_set_parse(entry, &vlans, err) < 0)
		return -err->code;
	for (unsigned i = first; i < end; i++) {
		vlan_set_join(&cfg->vlans[i], &vlans);
		if (vlan_set_count(&cfg->vlans[i]) > VLANS_MAX)
			return error_set(err, EINVAL,
			                 "relay %u would have %u VLANs, and a VF gets %d at most: "
			                 "name those that its guest needs, as in %u:5,100-103",
			                 i, vlan_set_count(&cfg->vlans[i]), VLANS_MAX, i);
	}
	return 0;
}

int vlans_apply(struct config *cfg, const char *text, struct error *err)
{
	char entry[ENTRY_MAX];

	for (const char *rest = text; rest != NULL;) {
		size_t len = strcspn(rest, ";");

		if (len >= sizeof(entry))
			return error_set(err, EINVAL, "\"%.80s…\" is longer than %zu characters",
			                 rest, sizeof(entry) - 1);
		snprintf(entry, sizeof(entry), "%.*s", (int)len, rest);
		if (apply_entry(cfg, entry, err) < 0)
			return -err->code;
		rest = rest[len] != '\0' ? rest + len + 1 : NULL;
	}
	return 0;
}
