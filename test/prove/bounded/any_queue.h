/* A ring between two bursts, for the proofs of those who walk it; and what has to be so after one,
 * which makes it hold for any number of them.
 */
#ifndef ANY_QUEUE_H
#define ANY_QUEUE_H

#include "any_view.h"
#include "virtqueue/journal.h"

static struct virtqueue_view any_ring;
static struct virtqueue any_queue;
static struct journal any_journal;

static inline void any_queue_make(void)
{
	any_view(&any_ring);
	if (PACKED && nondet_bool())
		any_ring.journal = &any_journal;
	any_queue.at = any_position(&any_ring);
	any_queue.called_at = nondet_uint16_t();
	any_queue.call_anyhow = nondet_bool();
	any_queue.last_region = nondet_uint32_t();
}

static inline void prove_queue(void)
{
	prove(position_is_valid(&any_ring, any_queue.at), "the walk stands in its ring");
	prove(any_queue.fault < VIRTQUEUE_FAULTS, "a fault is one that has a name");
	prove(any_queue.fault != FAULT_NONE || any_journal.n == 0,
	      "nothing is left noted in a ring that goes on");
}

#endif
