/* See discard.h. Few rings are emptied so, and none is in a hurry: there is one walk for all kinds,
 * which asks what kind it is.
 */
#include "virtqueue/discard.h"

#include "virtqueue/walk.h"

/* Of a frame nothing is looked at but its descriptors in the ring, as far as it takes to find its
 * end. false: there is none, or walk->fault. */
static bool give_back_one(struct walk *walk)
{
	const struct virtqueue_view *view = walk->view;
	struct descriptor head;
	struct chain chain;
	uint16_t id;

	if (!walk_peek(walk, &head, &id, view->is_packed))
		return false;
	chain_open(&chain, view, walk->at, &head, false);
	chain_finish(&chain);
	walk->descriptors += chain.entries;
	walk->fault = chain.fault;
	if (walk->fault != FAULT_NONE)
		return false;
	walk_use(walk, view->is_packed ? chain.id : id, 0, chain.ring_entries, 0, view->is_packed);
	return true;
}

uint16_t virtqueue_discard(struct virtqueue *virtqueue, const struct virtqueue_view *view,
                           bool *call)
{
	struct walk walk;
	uint16_t n = 0;

	walk_begin(&walk, virtqueue, view, view->is_packed);
	while (walk_goes_on(&walk, view->is_packed) && give_back_one(&walk))
		n++;
	*call = walk_end(&walk, virtqueue, view->is_packed, view->log.bits != NULL);
	/* What the last receiver would look for is of the past. */
	idle_look_set(&virtqueue->look, 0, 0, 1);
	return n;
}
