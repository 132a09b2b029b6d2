/* What the harnesses beside it have in common: values that may be anything, what is assumed of them
 * and what has to hold, in CBMC's words. A harness includes this first, then the sources that it is
 * about as they are, and calls what these offer to others.
 *
 * Copies are looked at for where they read and write, and copy nothing: no code that is proved here
 * looks at what it has copied. What it does look at, the guest's words, is any value
 * (stand_in/virtqueue/guest_word.h).
 */
#ifndef PROVE_H
#define PROVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool nondet_bool(void);
uint8_t nondet_uint8_t(void);
uint16_t nondet_uint16_t(void);
uint32_t nondet_uint32_t(void);
uint64_t nondet_uint64_t(void);

#define assume(condition)      __CPROVER_assume(condition)
#define prove(condition, what) __CPROVER_assert(condition, what)

static inline uint32_t any_up_to(uint32_t most)
{
	uint32_t any = nondet_uint32_t();

	assume(any <= most);
	return any;
}

/* An object of its own, of that size exactly, with anything in it. */
static inline void *any_bytes(size_t size)
{
	void *bytes = malloc(size);

	assume(bytes != NULL);
	return bytes;
}

static inline void prove_room(const void *to, size_t size)
{
	prove(size == 0 || __CPROVER_w_ok(to, size), "where it is written there is room");
}

static inline void prove_copy(void *to, const void *from, size_t size)
{
	if (size == 0)
		return;
	prove(__CPROVER_r_ok(from, size), "what is copied is there");
	prove_room(to, size);
}
#define memcpy(to, from, size) prove_copy(to, from, size)

#endif
