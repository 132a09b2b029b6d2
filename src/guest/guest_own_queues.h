/* What the workers do with the queues of a guest that we serve ourselves: the burst operations of
 * datapath/end.h, on the rings that its session publishes (src/vhost, src/virtqueue), and the slot
 * that they share with guest_own.c, whose the slots are. Operations are called by workers; each
 * field says whose it is.
 */
#ifndef GUEST_OWN_QUEUES_H
#define GUEST_OWN_QUEUES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "datapath/end.h"
#include "vhost/session_data.h"
#include "virtqueue/ring.h"

struct own_guest {
	struct guest guest; /* the workers' view; constant after init */
	/* The session that control has plans for; 0 = nobody is to be served. The rings of another
	 * one are not, since lanes of the guest before may still be there, one way and not the
	 * other. Control: wo, workers: ro. */
	_Atomic uint32_t admitted;
	struct session_summary summary;             /* of its front end's session; see there */
	struct virtqueue virtqueues[SESSION_RINGS]; /* likewise */
	/* [pair]: looks at which frames waited and the guest had too few buffers for them. The
	 * worker that sends there: wo, others: ro (relaxed) */
	uint64_t shortages[GUEST_QUEUES_MAX];
};

_Static_assert(offsetof(struct own_guest, summary.sizes) <= VIRTQUEUE_ALIGNMENT,
               "what is looked at in each burst is one cache line, and the rings have others");

extern const struct guest_ops guest_own_ops; /* for a guest that is an own_guest's */

#endif
