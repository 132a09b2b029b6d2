/* FNV-1a: a hash for names, signatures and buckets, 64 bits wide and the same on every machine. It
 * keeps nobody from making collisions on purpose. Pure functions, for any thread.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325) /* what the hash of anything begins with */
#define HASH_PRIME UINT64_C(0x100000001b3)

/* The hash of what `hash` stands for with one more number behind it: as quick as a multiplication,
 * but the number's upper bits reach the lower bits of the hash only by what follows. */
static inline uint64_t hash_number(uint64_t hash, uint64_t number)
{
	return (hash ^ number) * HASH_PRIME;
}

/* Likewise, with so many bytes behind it. */
static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < size; i++)
		hash = hash_number(hash, byte[i]);
	return hash;
}

/* All of a hash in 32 bits. */
static inline uint32_t hash_fold(uint64_t hash)
{
	return (uint32_t)(hash ^ hash >> 32);
}

#endif
