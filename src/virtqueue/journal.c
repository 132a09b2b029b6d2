/* See journal.h. */
#include "virtqueue/journal.h"

#include "virtqueue/descriptor.h"
#include "virtqueue/guest_word.h"

void journal_begin(struct journal *journal, uint64_t key, uint32_t base,
                   struct virtqueue_position at)
{
	journal_end(journal);
	journal->base = base;
	journal->at = journal->end = journal_number(at);
	journal->n = 0;
	journal_order();
	journal->key = key;
}

void journal_end(struct journal *journal)
{
	journal->key = 0;
	journal_order();
}

static uint64_t *second_word(const struct virtqueue_view *view, uint32_t index)
{
	return (uint64_t *)(void *)&view->packed[index] + 1;
}

static bool is_marked_used(const struct virtqueue_view *view, uint32_t index)
{
	return (guest_load_64(second_word(view, index)) >> 48 & DESCRIPTOR_USED) != 0;
}

/* In this round, and not made available since: so somebody else has walked on. */
static bool was_used(const struct virtqueue_view *view, uint32_t stands)
{
	uint16_t both = DESCRIPTOR_AVAIL | DESCRIPTOR_USED;
	uint64_t word = guest_load_64(second_word(view, stands & ~JOURNAL_WRAP));

	return (word >> 48 & both) == ((stands & JOURNAL_WRAP) != 0 ? both : 0);
}

/* Where nothing was ever used: no driver marks a descriptor so in its first round. */
static bool is_fresh(const struct virtqueue_view *view)
{
	for (uint32_t i = 0; i < view->size; i++)
		if (is_marked_used(view, i))
			return false;
	return true;
}

static bool is_within(const struct journal *journal, const struct virtqueue_view *view)
{
	if ((journal->at & ~JOURNAL_WRAP) >= view->size ||
	    (journal->end & ~JOURNAL_WRAP) >= view->size || journal->n > JOURNAL_ROOM)
		return false;
	for (uint32_t i = 0; i < journal->n; i++)
		if (journal->index[i] >= view->size)
			return false;
	return true;
}

bool journal_take_up(const struct journal *journal, uint64_t key, uint32_t base,
                     const struct virtqueue_view *view, struct virtqueue_position *at)
{
	uint32_t stands = journal->at;

	if (journal->key != key || journal->base != base || !is_within(journal, view) ||
	    is_fresh(view))
		return false;
	/* The device alone changes this mark, once a round: when it uses a descriptor. */
	if (is_marked_used(view, stands & ~JOURNAL_WRAP) == ((stands & JOURNAL_WRAP) != 0))
		stands = journal->end;
	else
		for (uint32_t i = 0; i < journal->n; i++)
			guest_store_64(second_word(view, journal->index[i]), journal->word[i]);
	if (was_used(view, stands))
		return false;
	at->index = (uint16_t)(stands & ~JOURNAL_WRAP);
	at->wrap = (stands & JOURNAL_WRAP) != 0;
	return true;
}
