/* How much memory relays will take, as far as the configuration tells: how many queues a VF has is
 * not known before it is attached. Pure functions.
 */
#ifndef PREFLIGHT_NEEDS_H
#define PREFLIGHT_NEEDS_H

#include <stdint.h>

#include "config/config.h"

/* DPDK's own, and the pool for guests without a VF. */
#define NEEDS_DPDK_BYTES (UINT64_C(8) << 20)

/* VF queues that a relay sets up at most. */
unsigned needs_queues(const struct config *config);
/* Bytes of hugepages that a relay takes with so many VF queues: its packet buffers, and what its
 * VF's rings take. */
uint64_t needs_pool_bytes(const struct config *config, unsigned queues);
uint64_t needs_rings_bytes(unsigned queues);
/* Both. */
uint64_t needs_relay_bytes(const struct config *config, unsigned queues);

#endif
