/* Sets of VLANs, by the id that a frame's 802.1Q tag has. Plain values: whoever holds one owns it,
 * but for sets that say otherwise where they stand: vlan_set_hear and vlan_set_take share one
 * between threads.
 */
#ifndef BASE_VLAN_SET_H
#define BASE_VLAN_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define VLAN_ID_MIN 1 /* 0 is a priority without a VLAN … */
#define VLAN_ID_MAX 4094
#define VLAN_ID_MASK \
	0xfffU /* … and 4095 is nobody's; of a tag's 16 bits, the upper 4 are others' */

struct vlan_set {
	uint64_t words[(VLAN_ID_MASK + 1) / 64];
};

/* Of all these, id <= VLAN_ID_MASK. */
static inline void vlan_set_add(struct vlan_set *set, unsigned id)
{
	set->words[id / 64] |= UINT64_C(1) << id % 64;
}

static inline void vlan_set_remove(struct vlan_set *set, unsigned id)
{
	set->words[id / 64] &= ~(UINT64_C(1) << id % 64);
}

static inline bool vlan_set_has(const struct vlan_set *set, unsigned id)
{
	return (set->words[id / 64] >> id % 64 & 1) != 0;
}

unsigned vlan_set_count(const struct vlan_set *set);
int vlan_set_next(const struct vlan_set *set, int after); /* the first member > after, or -1 */
void vlan_set_join(struct vlan_set *set, const struct vlan_set *other);  /* adds other's members */
void vlan_set_leave(struct vlan_set *set, const struct vlan_set *other); /* takes them out */
void vlan_set_meet(struct vlan_set *set, const struct vlan_set *other);  /* leaves them alone */
static inline bool vlan_set_is_empty(const struct vlan_set *set)
{
	return vlan_set_next(set, -1) < 0;
}

/* "5", "5,7" or "5,100-103": each from 1 to 4094. 0 or -EINVAL with err. */
int vlan_set_parse(const char *text, struct vlan_set *out, struct error *err);

/* A text like that; always NUL-terminated, cut with "…" where size is too small. Returns out. */
#define VLAN_SET_TEXT_MAX 400 /* holds any 64 of them */
char *vlan_set_format(const struct vlan_set *set, char *out, size_t size);

/* --- a set that workers fill and control empties --- */

/* Adds a member; costs next to nothing when it is one already. Any thread, without blocking. */
static inline void vlan_set_hear(struct vlan_set *set, unsigned id)
{
	uint64_t *word = &set->words[id / 64], bit = UINT64_C(1) << id % 64;

	if ((__atomic_load_n(word, __ATOMIC_RELAXED) & bit) == 0)
		(void)__atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
}

/* Takes a member out, while others add or ask. */
static inline void vlan_set_unhear(struct vlan_set *set, unsigned id)
{
	(void)__atomic_fetch_and(&set->words[id / 64], ~(UINT64_C(1) << id % 64), __ATOMIC_RELAXED);
}

/* Whether it is a member, while others add to the set. */
static inline bool vlan_set_heard(const struct vlan_set *set, unsigned id)
{
	return (__atomic_load_n(&set->words[id / 64], __ATOMIC_RELAXED) >> id % 64 & 1) != 0;
}

/* A copy of what was heard, and the same while forgetting it. */
struct vlan_set vlan_set_read(const struct vlan_set *set);
void vlan_set_forget(struct vlan_set *set);

#endif
