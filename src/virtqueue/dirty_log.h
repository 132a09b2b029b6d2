/* The log of pages that were written while a guest migrates: a bit a page of its memory, shared
 * with the front end, which takes bits and copies their pages again (vhost-user: "Migration").
 * Workers set bits; who makes and ends the log does so with a grace period between.
 */
#ifndef VIRTQUEUE_DIRTY_LOG_H
#define VIRTQUEUE_DIRTY_LOG_H

#include <stdint.h>

#define DIRTY_PAGE_BYTES 4096U /* the protocol's, whatever pages the machine has */

struct dirty_log {
	uint8_t *bits; /* [size]; NULL = nothing is logged */
	uint64_t size; /* bytes */
};

/* Marks the pages of `size` bytes (at least one) from guest_address on. Goes after the data was
 * written and before the guest can know of it. What the log has no bit for is left out: such memory
 * was not there when it was made. The test before saves the bus a locked access for each frame of a
 * page that is marked already. */
static inline void dirty_log_mark(const struct dirty_log *log, uint64_t guest_address,
                                  uint64_t size)
{
	uint64_t page = guest_address / DIRTY_PAGE_BYTES;
	uint64_t last = (guest_address + (size - 1)) / DIRTY_PAGE_BYTES;

	for (; page <= last && page / 8 < log->size; page++) {
		uint8_t *bits = &log->bits[page / 8], bit = (uint8_t)(1U << page % 8);

		if ((__atomic_load_n(bits, __ATOMIC_RELAXED) & bit) == 0)
			__atomic_fetch_or(bits, bit, __ATOMIC_RELAXED);
	}
}

#endif
