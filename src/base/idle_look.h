/* Whether somebody has nothing for us, by one look at a word that he changes before he has. What is
 * nothing to do at most passes of a loop costs a cache line of our own and his, then.
 *
 * The answer is a hint: "nothing" is right, or becomes wrong just now; otherwise the one who looks
 * has to find out. The word may be in memory that is taken away: whoever does that sets the base to
 * NULL, or to another place, and waits until nobody can still use the one before.
 */
#ifndef BASE_IDLE_LOOK_H
#define BASE_IDLE_LOOK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idle_look {
	_Atomic(const uint16_t *) base; /* NULL = find out; the memory's owner: wo, who looks: ro */
	uint32_t offset;                /* of the word; who looks: rw, as the next two */
	uint16_t mask, nothing;         /* the word's bits that count, and what they are then */
	_Atomic bool wanted; /* find out, for another reason; anybody: sets, who looks: clears */
};

/* Until idle_look_set, there is nothing to be seen. */
static inline void idle_look_begin(struct idle_look *look)
{
	look->offset = 0;
	look->mask = 0;
	look->nothing = 1;
	atomic_store_explicit(&look->wanted, false, memory_order_relaxed);
}

static inline void idle_look_set(struct idle_look *look, uint32_t offset, uint16_t mask,
                                 uint16_t nothing)
{
	look->offset = offset;
	look->mask = mask;
	look->nothing = nothing;
}

static inline bool idle_look_sees_nothing(const struct idle_look *look)
{
	const uint16_t *base = atomic_load_explicit(&look->base, memory_order_acquire);

	return base != NULL &&
	       (__atomic_load_n(base + look->offset, __ATOMIC_RELAXED) & look->mask) ==
	               look->nothing &&
	       !atomic_load_explicit(&look->wanted, memory_order_relaxed);
}

#endif
