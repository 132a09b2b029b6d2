/* How much memory relays will take, as far as the configuration tells: how many queues a VF has is
 * not known before it is attached. Pure functions.
 */
#ifndef PREFLIGHT_NEEDS_H
#define PREFLIGHT_NEEDS_H

#include <stdint.h>

#include "config/config.h"

/* VF queues that a relay sets up at most. */
unsigned needs_queues(const struct config *config);
/* Bytes of hugepages that a relay takes with so many VF queues. */
uint64_t needs_relay_bytes(const struct config *config, unsigned queues);

#endif
