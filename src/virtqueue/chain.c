/* See chain.h. */
#include "virtqueue/chain.h"

static bool broken(struct chain *chain, enum virtqueue_fault fault)
{
	chain->fault = fault;
	chain->ended = true;
	chain->rest.length = 0;
	return false;
}

/* In a packed ring the next descriptor follows in memory; the last one's follower is the first, in
 * the next round. */
static void count_in_ring(struct chain *chain)
{
	chain->ring_entries++;
	if (!chain->view->is_packed)
		return;
	chain->next.index++;
	if (chain->next.index < chain->view->size)
		return;
	chain->next.index = 0;
	chain->next.wrap = !chain->next.wrap;
}

/* Address spaces end; what begins before their end does not go on at their beginning. */
static bool wraps(const struct descriptor *descriptor)
{
	return descriptor->address + (descriptor->length - 1) < descriptor->address;
}

/* One of the table's, which may lie anywhere, across two regions even. */
static bool read_in_table(struct chain *chain, uint16_t index)
{
	uint64_t words[2];
	bool packed = chain->view->is_packed;

	if (!memory_read(chain->view->memory, chain->table + index * sizeof(words), words,
	                 sizeof(words)))
		return broken(chain, FAULT_ADDRESS);
	chain->rest = descriptor_of_words(words[0], words[1], packed);
	if ((chain->rest.flags & VRING_DESC_F_INDIRECT) != 0)
		return broken(chain, FAULT_INDIRECT);
	return true;
}

/* The descriptor that was just read names a table, whose first one takes its place. A table may not
 * name another table, nor go on in the ring; its own direction says nothing. (virtio 1.2, 2.7.5.3)
 */
static bool open_table(struct chain *chain)
{
	struct descriptor named = chain->rest;
	uint32_t n = named.length / sizeof(struct vring_desc);

	if (!chain->view->indirect || (named.flags & VRING_DESC_F_NEXT) != 0 || n == 0 ||
	    named.length % sizeof(struct vring_desc) != 0 || n > chain->view->size)
		return broken(chain, FAULT_INDIRECT);
	if (wraps(&named))
		return broken(chain, FAULT_ADDRESS);
	chain->in_table = true;
	chain->table = named.address;
	chain->table_size = (uint16_t)n;
	chain->table_next = 1;
	return read_in_table(chain, 0);
}

/* DPDK's driver leaves the mark of what is to be written on the header of a frame that it sends by
 * a packed ring's table. To read from there is safe. */
static bool has_direction(struct chain *chain)
{
	if (!chain->to_be_written && chain->in_table && chain->view->is_packed)
		return true;

	bool writable = (chain->rest.flags & VRING_DESC_F_WRITE) != 0;

	return writable == chain->to_be_written || broken(chain, FAULT_DIRECTION);
}

/* Takes the descriptor that was just read for the present one. In a packed table all follow each
 * other; NEXT says nothing there (2.8.7). */
static bool accept(struct chain *chain)
{
	chain->entries++;
	if (chain->in_table && chain->view->is_packed)
		chain->ended = chain->table_next == chain->table_size;
	else
		chain->ended = (chain->rest.flags & VRING_DESC_F_NEXT) == 0;
	return has_direction(chain);
}

void chain_open(struct chain *chain, const struct virtqueue_view *view,
                struct virtqueue_position at, const struct descriptor *head, bool to_be_written)
{
	*chain = (struct chain){.view = view,
	                        .rest = *head,
	                        .to_be_written = to_be_written,
	                        .id = head->id,
	                        .next = at};
	count_in_ring(chain);
	if ((head->flags & VRING_DESC_F_INDIRECT) == 0 || open_table(chain))
		(void)accept(chain);
}

/* The last one of a chain may name a table. (virtio 1.2, 2.7.5.3.2) */
static bool read_next_split(struct chain *chain)
{
	uint16_t next = chain->rest.id;
	uint16_t bound = chain->in_table ? chain->table_size : chain->view->size;

	if (next >= bound)
		return broken(chain, FAULT_NEXT);
	if (chain->in_table)
		return read_in_table(chain, next);
	chain->rest = descriptor_read_split(&chain->view->split[next]);
	count_in_ring(chain);
	return (chain->rest.flags & VRING_DESC_F_INDIRECT) == 0 || open_table(chain);
}

/* Here only a descriptor that stands alone may name a table. (virtio 1.2, 2.8.19) */
static bool read_next_packed(struct chain *chain)
{
	if (chain->in_table)
		return read_in_table(chain, chain->table_next++);
	chain->rest = descriptor_read_packed(&chain->view->packed[chain->next.index]);
	if (!descriptor_is_available(&chain->rest, chain->next.wrap))
		return broken(chain, FAULT_CHAIN);
	if ((chain->rest.flags & VRING_DESC_F_INDIRECT) != 0)
		return broken(chain, FAULT_INDIRECT);
	chain->id = chain->rest.id;
	count_in_ring(chain);
	return true;
}

/* The next descriptor becomes the present one. false: there is none, or it breaks a rule. */
static bool next_descriptor(struct chain *chain)
{
	if (chain->ended)
		return false;
	if (chain->entries == chain->view->size)
		return broken(chain, FAULT_CHAIN);
	return (chain->view->is_packed ? read_next_packed(chain) : read_next_split(chain)) &&
	       accept(chain);
}

bool chain_span(struct chain *chain, uint32_t want, struct span *span)
{
	while (chain->rest.length == 0)
		if (!next_descriptor(chain))
			return false;

	const struct memory_region *region = memory_find(chain->view->memory, chain->rest.address);
	if (region == NULL || wraps(&chain->rest))
		return broken(chain, FAULT_ADDRESS);
	uint64_t room = memory_region_room(region, chain->rest.address);
	uint32_t length = chain->rest.length < want ? chain->rest.length : want;

	if (room < length)
		length = (uint32_t)room;
	*span = (struct span){.data = memory_region_at(region, chain->rest.address),
	                      .guest_address = chain->rest.address,
	                      .length = length};
	chain->rest.address += length;
	chain->rest.length -= length;
	return true;
}

uint32_t chain_length(struct chain *chain, uint32_t enough)
{
	uint32_t length = 0;
	struct span span;

	while (length < enough && chain_span(chain, enough - length, &span))
		length += span.length;
	return length;
}

void chain_finish(struct chain *chain)
{
	while (chain->view->is_packed && !chain->in_table && next_descriptor(chain))
		;
}
