/* Words in memory that a guest writes whenever it likes. Each is read once, into a local, and only
 * the local is looked at: what was found good stays what it was. So all reading and writing of
 * rings and descriptors goes through these functions, and what they return may be anything.
 *
 * Everything is little-endian (virtio 1.2, 2.4), as are the machines that this runs on.
 */
#ifndef VIRTQUEUE_GUEST_WORD_H
#define VIRTQUEUE_GUEST_WORD_H

#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "virtio's byte order is this machine's");

static inline uint16_t guest_load_16(const uint16_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* What the guest has written before this word is seen after it. */
static inline uint16_t guest_load_16_acquire(const uint16_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline uint64_t guest_load_64(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline uint64_t guest_load_64_acquire(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void guest_store_16(uint16_t *word, uint16_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* Whoever sees this word sees what was written before it. */
static inline void guest_store_16_release(uint16_t *word, uint16_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline void guest_store_32(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline void guest_store_64(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline void guest_store_64_release(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Some bytes, wherever they lie; size is small and constant. The compiler may not read them again.
 */
static inline void guest_load_bytes(void *to, const uint8_t *from, uint16_t size)
{
	memcpy(to, from, size);
	__asm__ volatile("" : : "r"(to) : "memory");
}

#endif
