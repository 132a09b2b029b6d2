/* In the place of src/virtqueue/dirty_log.h, of which dirty_log.c proves that it may be called with
 * any address: here only that something is logged is looked at.
 */
#ifndef VIRTQUEUE_DIRTY_LOG_H
#define VIRTQUEUE_DIRTY_LOG_H

#include "prove.h"

struct dirty_log {
	uint8_t *bits;
	uint64_t size;
};

static inline void dirty_log_mark(const struct dirty_log *log, uint64_t guest_address,
                                  uint64_t size)
{
	(void)log;
	(void)guest_address;
	prove(size > 0, "no empty range is logged");
}

#endif
