/* Sets of VLANs, see vlan_set.h. Plain values, no state of its own. */
#include "base/vlan_set.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define WORDS (sizeof(struct vlan_set) / sizeof(uint64_t))

unsigned vlan_set_count(const struct vlan_set *set)
{
	unsigned count = 0;

	for (size_t i = 0; i < WORDS; i++)
		count += (unsigned)__builtin_popcountll(set->words[i]);
	return count;
}

int vlan_set_next(const struct vlan_set *set, int after)
{
	unsigned id = (unsigned)(after + 1);

	while (id <= VLAN_ID_MASK) {
		uint64_t rest = set->words[id / 64] >> id % 64;

		if (rest != 0)
			return (int)id + __builtin_ctzll(rest);
		id = (id / 64 + 1) * 64;
	}
	return -1;
}

void vlan_set_join(struct vlan_set *set, const struct vlan_set *other)
{
	for (size_t i = 0; i < WORDS; i++)
		set->words[i] |= other->words[i];
}

void vlan_set_leave(struct vlan_set *set, const struct vlan_set *other)
{
	for (size_t i = 0; i < WORDS; i++)
		set->words[i] &= ~other->words[i];
}

void vlan_set_meet(struct vlan_set *set, const struct vlan_set *other)
{
	for (size_t i = 0; i < WORDS; i++)
		set->words[i] &= other->words[i];
}

/* --- text ------------------------------------------------------------------------------------ */

/* The digits at the front of *text, which is moved behind them. */
static int parse_id(const char **text, unsigned *id, struct error *err)
{
	size_t len = strspn(*text, "0123456789");
	char digits[8];
	uint32_t value;

	snprintf(digits, sizeof(digits), "%.*s", (int)len, *text);
	if (len >= sizeof(digits) || parse_u32(digits, VLAN_ID_MIN, VLAN_ID_MAX, &value) < 0)
		return error_set(err, EINVAL,
		                 "\"%.20s\" does not begin with a VLAN, which is a number from %d "
		                 "to %d: write a list like 5,100-103",
		                 *text, VLAN_ID_MIN, VLAN_ID_MAX);
	*id = value;
	*text += len;
	return 0;
}

int vlan_set_parse(const char *text, struct vlan_set *out, struct error *err)
{
	struct vlan_set set = {{0}};

	for (;;) {
		unsigned first = 0, last = 0;

		if (parse_id(&text, &first, err) < 0)
			return -err->code;
		last = first;
		if (*text == '-') {
			text++;
			if (parse_id(&text, &last, err) < 0)
				return -err->code;
		}
		if (last < first)
			return error_set(err, EINVAL, "the range %u-%u runs backwards: write %u-%u",
			                 first, last, last, first);
		for (unsigned id = first; id <= last; id++)
			vlan_set_add(&set, id);
		if (*text == '\0')
			break;
		if (*text != ',')
			return error_set(err, EINVAL,
			                 "\"%.20s\" is not expected behind a VLAN: write a list "
			                 "like 5,100-103",
			                 text);
		text++;
	}
	*out = set;
	return 0;
}

static const char ellipsis[] = "…";

char *vlan_set_format(const struct vlan_set *set, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (int first = vlan_set_next(set, -1), last; first >= 0;
	     first = vlan_set_next(set, last)) {
		char piece[16];

		for (last = first; vlan_set_next(set, last) == last + 1;)
			last++;
		int n = snprintf(piece, sizeof(piece), last > first ? "%s%d-%d" : "%s%d",
		                 len > 0 ? "," : "", first, last);
		/* What follows, if anything, has to be said too. */
		if (len + (size_t)n + sizeof(ellipsis) > size) {
			snprintf(out + len, size - len, "%s", ellipsis);
			break;
		}
		memcpy(out + len, piece, (size_t)n + 1);
		len += (size_t)n;
	}
	return out;
}

/* --- shared ones ----------------------------------------------------------------------------- */

struct vlan_set vlan_set_read(const struct vlan_set *set)
{
	struct vlan_set copy = {{0}};

	for (size_t i = 0; i < WORDS; i++)
		copy.words[i] = __atomic_load_n(&set->words[i], __ATOMIC_RELAXED);
	return copy;
}

void vlan_set_forget(struct vlan_set *set)
{
	for (size_t i = 0; i < WORDS; i++)
		__atomic_store_n(&set->words[i], 0, __ATOMIC_RELAXED);
}
