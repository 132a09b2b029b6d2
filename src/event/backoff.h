/* How long to wait before something that was lost is tried again: twice as long after each try that
 * fails, and, as a thing may come back only to be lost again at once, twice as long after each loss
 * too, until it has stayed well for a good while. Pure: the caller has the clock, in ms, that only
 * goes forward. No locks: a struct is its owner's. All zeros: nothing has been lost yet, and the
 * waits are the usual ones.
 */
#ifndef EVENT_BACKOFF_H
#define EVENT_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

/* The usual ones, for devices. */
#define BACKOFF_FIRST_MS   100U
#define BACKOFF_LONGEST_MS 10000U
#define BACKOFF_WELL_MS    30000U

struct backoff_waits {
	unsigned first_ms;   /* > 0 */
	unsigned longest_ms; /* >= first_ms */
	unsigned well_ms; /* what has stayed well for so long counts as lost for the first time */
};

struct backoff {
	const struct backoff_waits *waits; /* outlives the struct; or NULL: the usual ones */
	unsigned next_ms;                  /* the next wait */
	unsigned flap_ms;                  /* the first wait after the last loss, 0 = none so far */
	uint64_t well_since_ms;            /* if was_well */
	bool was_well;
};

/* It is lost. True when it had been well for long (or is lost for the first time), so that there is
 * no harm in trying at once; the first wait is the shortest then. */
bool backoff_lost(struct backoff *backoff, uint64_t now_ms);

/* How long to wait before the next try. */
unsigned backoff_wait_ms(struct backoff *backoff);

/* All that happened is forgotten: the next wait is the first. */
void backoff_reset(struct backoff *backoff);

/* It is there. */
void backoff_well(struct backoff *backoff, uint64_t now_ms);

#endif
