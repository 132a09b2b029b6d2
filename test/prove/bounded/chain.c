/* Proves of src/virtqueue/chain.c: whatever descriptors a ring of up to RING entries has, and
 * tables elsewhere, all spans of a chain lie in the guest's memory, and no walk reads more
 * descriptors than the ring has entries. By induction, so for chains of any length: what is_sound
 * says holds after chain_open, and from any chain for which it holds each call goes on to such a
 * one.
 *
 * STEP chooses the call: 0 chain_open, 1 chain_span, 2 chain_finish.
 */
#include "prove.h"

#include "any_view.h"
#include "virtqueue/memory.c"
/* In the place of memory.c's, of which memory.c's harness proves that it reads where it may, and
 * that what it reads is anything. */
static bool any_read(const struct memory *memory, uint64_t guest_address, void *to, uint16_t size)
{
	(void)memory;
	(void)guest_address;
	prove(__CPROVER_w_ok(to, size), "there is room for a table's descriptor");
	__CPROVER_havoc_object(to);
	return nondet_bool();
}

#define memory_read any_read
#include "virtqueue/chain.c"

static bool is_sound_table(const struct chain *chain)
{
	return chain->table_size >= 1 && chain->table_size <= chain->view->size &&
	       chain->ring_entries <= chain->entries &&
	       (!PACKED || (chain->ring_entries == 1 && chain->table_next <= chain->table_size &&
	                    (chain->ended || chain->table_next < chain->table_size)));
}

static bool is_sound(const struct chain *chain)
{
	if (!position_is_valid(chain->view, chain->next) || chain->entries > chain->view->size ||
	    chain->ring_entries > chain->view->size)
		return false;
	if (chain->fault != FAULT_NONE)
		return (unsigned)chain->fault < VIRTQUEUE_FAULTS && chain->ended &&
		       chain->rest.length == 0;
	if (chain->entries == 0 || chain->ring_entries == 0)
		return false;
	if (chain->in_table)
		return is_sound_table(chain);
	return chain->ring_entries == chain->entries;
}

static void any_chain(struct chain *chain, const struct virtqueue_view *view)
{
	*chain = (struct chain){.view = view, .next = any_position(view)};
	chain->rest = descriptor_of_words(nondet_uint64_t(), nondet_uint64_t(), PACKED);
	chain->ended = nondet_bool();
	chain->to_be_written = nondet_bool();
	chain->fault = (enum virtqueue_fault)any_up_to(VIRTQUEUE_FAULTS - 1);
	chain->id = nondet_uint16_t();
	chain->entries = nondet_uint16_t();
	chain->ring_entries = nondet_uint16_t();
	chain->in_table = nondet_bool();
	chain->table = nondet_uint64_t();
	chain->table_size = nondet_uint16_t();
	chain->table_next = nondet_uint16_t();
	assume(is_sound(chain));
}

/* A walk comes to an end: a span that is shorter than what was asked for is the rest of its
 * descriptor, or of its region, of which there are few. */
static void prove_progress(const struct chain *before, const struct chain *chain,
                           const struct span *span, uint32_t want)
{
	uint64_t last = span->guest_address + (span->length - 1);

	prove(chain->entries >= before->entries, "descriptors are counted on");
	prove(span->length == want || chain->rest.length == 0 ||
	              memory_find(chain->view->memory, last + 1) !=
	                      memory_find(chain->view->memory, last),
	      "a span goes on as far as it may");
}

static void step_span(const struct virtqueue_view *view)
{
	uint32_t want = nondet_uint32_t();
	struct chain chain, before;
	struct span span;

	any_chain(&chain, view);
	assume(want > 0);
	before = chain;
	if (!chain_span(&chain, want, &span)) {
		prove(chain.ended && chain.rest.length == 0, "nothing is left behind");
	} else {
		prove(span.length > 0 && span.length <= want,
		      "a span has some bytes, and none too many");
		prove(__CPROVER_w_ok(span.data, span.length), "a span lies in a region");
		prove(chain.fault == FAULT_NONE, "no span of a chain that breaks a rule");
		prove_progress(&before, &chain, &span, want);
	}
	prove(is_sound(&chain), "chain_span leaves a chain as it has to be");
}

static void step_open(const struct virtqueue_view *view)
{
	struct descriptor head = descriptor_of_words(nondet_uint64_t(), nondet_uint64_t(), PACKED);
	struct chain chain;

	chain_open(&chain, view, any_position(view), &head, nondet_bool());
	prove(is_sound(&chain), "chain_open makes a chain as it has to be");
}

static void step_finish(const struct virtqueue_view *view)
{
	struct chain chain;

	any_chain(&chain, view);
	chain_finish(&chain);
	prove(is_sound(&chain), "chain_finish leaves a chain as it has to be");
	prove(!PACKED || chain.in_table || chain.ended, "a packed chain is at its end then");
}

int main(void)
{
	struct virtqueue_view view;

	any_view(&view);
	if (STEP == 0)
		step_open(&view);
	else if (STEP == 1)
		step_span(&view);
	else
		step_finish(&view);
	return 0;
}
