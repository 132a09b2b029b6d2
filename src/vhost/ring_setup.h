/* What a front end has said of a ring, and what becomes of it: the view that workers walk, or the
 * rule that is broken. Pure functions on plain data, for any thread; ring_base_at_start alone reads
 * the guest's memory.
 */
#ifndef VHOST_RING_SETUP_H
#define VHOST_RING_SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "vhost/message.h"
#include "virtqueue/ring.h"

/* Plain data, which may be written down. */
struct ring_setup {
	uint32_t num;  /* entries, 0 = not told */
	uint32_t base; /* as told, or where it stood when it was stopped (see ring_base_of) */
	bool has_base; /* else it begins where new rings do */
	bool has_addresses;
	struct message_ring_addresses addresses;
};

/* What counts for all rings of a session. */
struct ring_terms {
	uint64_t features;           /* negotiated, VHOST_F_LOG_ALL included */
	const struct memory *memory; /* NULL = none yet */
	struct dirty_log log;        /* heeded with VHOST_F_LOG_ALL */
};

/* The view of a ring. 0, or -EINVAL with err: what its front end has done, as a predicate ("sent a
 * virtqueue 3 whose …"). call_fd: -1 = none. */
int ring_view_make(struct virtqueue_view *view, unsigned index, const struct ring_setup *ring,
                   const struct ring_terms *terms, int call_fd, struct error *err);

/* Where a walk begins. Split rings: as the ring itself says, since whatever the front end believes,
 * the guest's driver goes by that. Packed ones do not say: as told. -EINVAL with err if that is
 * none of the ring's entries. */
int ring_base_at_start(struct virtqueue_position *at, unsigned index, const struct ring_setup *ring,
                       const struct virtqueue_view *view, struct error *err);

/* A position as the protocol has it (vhost-user, "Vring base"). Both halves of a packed ring's are
 * filled in: who reads but one, takes the lower. */
uint32_t ring_base_of(struct virtqueue_position at, bool is_packed);

/* Whether the places are the same; flags and log may differ. */
bool ring_places_equal(const struct message_ring_addresses *a,
                       const struct message_ring_addresses *b);

#endif
