/* What a worker is doing to a packed ring, written down where it outlives the process: by the ring
 * alone nobody can tell afterwards where the walk stood, nor what the descriptors were that were
 * being given back (they are used in place). A split ring's used index says all of that.
 *
 * The guest is shown a burst by its first descriptor. Until then each other one is noted before it
 * is written over. Who takes the ring up again puts those back, or finds the burst shown. So the
 * process may be killed between any two instructions, and the ring is as it was before the burst or
 * as it is after it. (Stores that a process has made are made, however it ends: this is no matter
 * of caches.)
 *
 * A journal is the session's while nobody walks the ring, and the worker's else.
 */
#ifndef VIRTQUEUE_JOURNAL_H
#define VIRTQUEUE_JOURNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtqueue/guest_word.h"
#include "virtqueue/ring.h"

/* Descriptors that can be noted. Bursts that write over more of them are rare, and cannot be taken
 * back. */
#define JOURNAL_ROOM 124U

/* A burst that has noted so many ends. */
#define JOURNAL_FULL 64U

/* Plain data, since it is in a file. */
struct journal {
	uint64_t key;                 /* of whose ring it is, 0 = nobody's */
	uint32_t base;                /* where the front end had that ring begin */
	uint32_t at;                  /* where the walk stands … */
	uint32_t end;                 /* … or, if that is used already, has come to */
	uint32_t n;                   /* noted */
	uint16_t index[JOURNAL_ROOM]; /* [n]: of descriptors … */
	uint64_t word[JOURNAL_ROOM];  /* [n]: … and their second words */
};

/* --- the session's ----------------------------------------------------------------------------
 */

/* From here on it is of the ring with that key, which is not 0. */
void journal_begin(struct journal *journal, uint64_t key, uint32_t base,
                   struct virtqueue_position at);

/* What is in it is no use any more: somebody else knows better. */
void journal_end(struct journal *journal);

/* Whether the journal is of the ring with that key, and of the walk that was begun at that base;
 * then puts back what was being written and sets *at. Otherwise the ring is another's, or
 * was set up anew, somebody else has walked it, or a burst was too long. */
bool journal_take_up(const struct journal *journal, uint64_t key, uint32_t base,
                     const struct virtqueue_view *view, struct virtqueue_position *at);

/* --- the worker's -----------------------------------------------------------------------------
 *
 * Fences are for the compiler: a process sees its own stores in order.
 */

static inline void journal_order(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

#define JOURNAL_WRAP (UINT32_C(1) << 16)

static inline uint32_t journal_number(struct virtqueue_position at)
{
	return at.index | (at.wrap ? JOURNAL_WRAP : 0);
}

/* Before those n descriptors are written over, which follow each other. */
static inline void journal_note(struct journal *journal,
                                const struct vring_packed_desc *descriptors, uint16_t index,
                                uint16_t n)
{
	const uint64_t *words = (const uint64_t *)&descriptors[index];
	uint32_t noted = journal->n;

	for (uint16_t i = 0; i < n && noted + n <= JOURNAL_ROOM; i++) {
		journal->index[noted + i] = (uint16_t)(index + i);
		journal->word[noted + i] = guest_load_64(&words[2 * i + 1]);
	}
	journal_order();
	journal->n = noted + n;
	journal_order();
}

/* Before the guest is shown the burst that ends there, and afterwards. */
static inline void journal_show(struct journal *journal, struct virtqueue_position end)
{
	journal->end = journal_number(end);
	journal_order();
}

static inline void journal_shown(struct journal *journal)
{
	journal_order();
	journal->n = 0;
	journal_order();
	journal->at = journal->end;
}

#endif
