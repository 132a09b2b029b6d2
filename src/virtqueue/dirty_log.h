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
 * written. What the log has no bit for is left out: such memory was not there when it was made.
 *
 * A bit that is there already is set all the same. Who only looked at it might look while the data
 * is still in the CPU's store buffer: the front end would take the bit, copy the old page, and
 * never hear of the data. A locked access waits until what was stored before is there for all to
 * see. */
static inline void dirty_log_mark(const struct dirty_log *log, uint64_t guest_address,
                                  uint64_t size)
{
	uint64_t page = guest_address / DIRTY_PAGE_BYTES;
	uint64_t last = (guest_address + (size - 1)) / DIRTY_PAGE_BYTES;

	for (; page <= last && page / 8 < log->size; page++)
		__atomic_fetch_or(&log->bits[page / 8], (uint8_t)(1U << page % 8),
		                  __ATOMIC_SEQ_CST);
}

#endif
