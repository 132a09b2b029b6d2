/* Proves of src/virtqueue/memory.c, for two regions wherever a front end says that they are, and
 * any address and length: a table that took both has them apart and in order, and what is found in
 * it, or read, or given to a ring as its place, is inside a region. STEP chooses: 0 memory_add, 1
 * memory_find, 2 memory_of_front_end, 3 memory_read.
 */
#define PACKED 0
#define RING   1
#include "prove.h"

#include "any_view.h"
#include "virtqueue/memory.c"

/* What is added may be anything; a region that is refused leaves the table as it was. */
static void step_add(void)
{
	static struct memory memory;
	struct memory_region regions[3];

	for (unsigned i = 0; i < 3; i++) {
		regions[i] = (struct memory_region){.guest_address = nondet_uint64_t(),
		                                    .size = nondet_uint64_t(),
		                                    .front_end_address = nondet_uint64_t()};
		if (!memory_add(&memory, &regions[i]))
			break;
		prove(i < MEMORY_REGIONS_MAX, "a full table takes no more");
		prove(regions[i].size > 0, "no region is empty");
		prove(regions[i].guest_address + (regions[i].size - 1) >= regions[i].guest_address,
		      "no region wraps around");
	}
	const struct memory_region *low = &memory.regions[0], *high = &memory.regions[1];

	if (memory.n_regions < 2)
		return;
	prove(low->guest_address < high->guest_address &&
	              high->guest_address - low->guest_address >= low->size,
	      "regions are in order, and none reaches into the next");
}

static void prove_find(void)
{
	uint64_t address = nondet_uint64_t();
	const struct memory_region *region = memory_find(&any_memory, address);
	bool in_low = address - any_memory.regions[0].guest_address < any_memory.regions[0].size;
	bool in_high = address - any_memory.regions[1].guest_address < any_memory.regions[1].size;

	prove(!in_low || region == &any_memory.regions[0], "what is in a region is found in it");
	prove(!in_high || region == &any_memory.regions[1], "what is in a region is found in it");
	if (region == NULL)
		prove(!in_low && !in_high, "what is not found is nowhere");
	else
		prove(__CPROVER_w_ok(memory_region_at(region, address),
		                     memory_region_room(region, address)),
		      "all of a region's room is its own");
}

static void prove_place(void)
{
	uint64_t size = nondet_uint64_t(), guest_address = nondet_uint64_t();
	uint8_t *place;

	assume(size > 0);
	place = memory_of_front_end(&any_memory, nondet_uint64_t(), size, 16, &guest_address);
	if (place == NULL)
		return;
	prove(__CPROVER_w_ok(place, size), "all of a place is in one region");
	prove(memory_find(&any_memory, guest_address) != NULL, "its guest address is one");
}

static void prove_read(void)
{
	uint8_t words[16]; /* a table's descriptor: nobody reads anything else */

	(void)memory_read(&any_memory, nondet_uint64_t(), words, sizeof(words));
}

int main(void)
{
	if (STEP == 0) {
		step_add();
		return 0;
	}
	any_memory_make();
	if (STEP == 1)
		prove_find();
	else if (STEP == 2)
		prove_place();
	else
		prove_read();
	return 0;
}
