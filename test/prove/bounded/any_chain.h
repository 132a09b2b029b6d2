/* In the place of src/virtqueue/chain.c for proofs of those who walk chains: any chain that is as
 * chain.c's harness proves that chains are, of SPANS spans at most.
 */
#ifndef ANY_CHAIN_H
#define ANY_CHAIN_H

#include "any_view.h"
#include "virtqueue/chain.h"

static uint32_t any_chain_spans; /* of the last chain that was opened */

static void any_chain_goes_on(struct chain *chain, bool may_fail)
{
	uint16_t size = chain->view->size;

	if (may_fail && chain->fault == FAULT_NONE)
		chain->fault = (enum virtqueue_fault)any_up_to(VIRTQUEUE_FAULTS - 1);
	chain->id = nondet_uint16_t();
	chain->entries = nondet_uint16_t();
	chain->ring_entries = nondet_uint16_t();
	assume(chain->entries <= size && chain->ring_entries <= size + 1);
	assume(chain->fault != FAULT_NONE || (chain->entries > 0 && chain->ring_entries > 0 &&
	                                      chain->ring_entries <= chain->entries));
}

void chain_open(struct chain *chain, const struct virtqueue_view *view,
                struct virtqueue_position at, const struct descriptor *head, bool to_be_written)
{
	(void)head;
	(void)to_be_written;
	prove(position_is_valid(view, at), "a chain begins in the ring");
	chain->view = view;
	chain->fault = FAULT_NONE;
	any_chain_spans = 0;
	any_chain_goes_on(chain, true);
}

bool chain_span(struct chain *chain, uint32_t want, struct span *span)
{
	const struct memory_region *region = &any_memory.regions[nondet_bool() ? 1 : 0];
	uint64_t offset = nondet_uint64_t();

	prove(want > 0, "some bytes are wanted of a chain");
	prove(__CPROVER_w_ok(span, sizeof(*span)), "a span has its place");
	if (chain->fault != FAULT_NONE || any_chain_spans++ == SPANS || nondet_bool()) {
		any_chain_goes_on(chain, true);
		return false;
	}
	assume(offset < region->size);
	span->data = region->data + offset;
	span->guest_address = region->guest_address + offset;
	span->length = nondet_uint32_t();
	assume(span->length > 0 && span->length <= want && span->length <= region->size - offset);
	any_chain_goes_on(chain, false);
	return true;
}

uint32_t chain_length(struct chain *chain, uint32_t enough)
{
	prove(enough > 0, "some bytes are wanted of a chain");
	any_chain_goes_on(chain, true);
	return any_up_to(enough);
}

void chain_finish(struct chain *chain)
{
	any_chain_goes_on(chain, true);
}

#endif
