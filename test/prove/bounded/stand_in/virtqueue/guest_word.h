/* In the place of src/virtqueue/guest_word.h: a guest that writes whenever it likes. Each reading
 * gets any value, whatever the last one of the same word got, and has to be of memory that is
 * there, and aligned; so has each writing.
 */
#ifndef VIRTQUEUE_GUEST_WORD_H
#define VIRTQUEUE_GUEST_WORD_H

#include "prove.h"

/* Descriptors read from rings since the beginning; those of tables are read as bytes. */
static uint32_t prove_descriptors;

#define PROVE_WORD(word, ok)                                                                       \
	do {                                                                                       \
		prove(ok(word, sizeof(*(word))), "a guest's word is where a ring is");             \
		prove(__CPROVER_POINTER_OFFSET(word) % sizeof(*(word)) == 0, "a word is aligned"); \
	} while (0)

static inline uint16_t guest_load_16(const uint16_t *word)
{
	PROVE_WORD(word, __CPROVER_r_ok);
	return nondet_uint16_t();
}

static inline uint16_t guest_load_16_acquire(const uint16_t *word)
{
	return guest_load_16(word);
}

static inline uint64_t guest_load_64(const uint64_t *word)
{
	PROVE_WORD(word, __CPROVER_r_ok);
	return nondet_uint64_t();
}

static inline uint64_t guest_load_64_acquire(const uint64_t *word)
{
	return guest_load_64(word);
}

static inline void guest_store_16(uint16_t *word, uint16_t value)
{
	(void)value;
	PROVE_WORD(word, __CPROVER_w_ok);
}

static inline void guest_store_16_release(uint16_t *word, uint16_t value)
{
	guest_store_16(word, value);
}

static inline void guest_store_32(uint32_t *word, uint32_t value)
{
	(void)value;
	PROVE_WORD(word, __CPROVER_w_ok);
}

static inline void guest_store_64(uint64_t *word, uint64_t value)
{
	(void)value;
	PROVE_WORD(word, __CPROVER_w_ok);
}

static inline void guest_store_64_release(uint64_t *word, uint64_t value)
{
	guest_store_64(word, value);
}

/* All callers read descriptors' two words. */
static inline void guest_load_bytes(void *to, const uint8_t *from, uint16_t size)
{
	prove(size > 0 && __CPROVER_r_ok(from, size), "a guest's bytes are in a region");
	prove(__CPROVER_w_ok(to, size), "there is room for a guest's bytes");
	__CPROVER_havoc_object(to);
}

#endif
