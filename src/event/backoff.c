/* Waiting longer and longer. See backoff.h. */
#include "event/backoff.h"

static unsigned twice(unsigned ms)
{
	return ms > BACKOFF_LONGEST_MS / 2 ? BACKOFF_LONGEST_MS : ms * 2;
}

bool backoff_lost(struct backoff *backoff, uint64_t now_ms)
{
	bool flaps = backoff->was_well && backoff->flap_ms > 0 &&
	             now_ms - backoff->well_since_ms < BACKOFF_WELL_MS;

	backoff->flap_ms = flaps ? twice(backoff->flap_ms) : BACKOFF_FIRST_MS;
	backoff->next_ms = backoff->flap_ms;
	backoff->was_well = false;
	return !flaps;
}

unsigned backoff_wait_ms(struct backoff *backoff)
{
	unsigned wait_ms = backoff->next_ms > 0 ? backoff->next_ms : BACKOFF_FIRST_MS;

	backoff->next_ms = twice(wait_ms);
	return wait_ms;
}

void backoff_well(struct backoff *backoff, uint64_t now_ms)
{
	backoff->was_well = true;
	backoff->well_since_ms = now_ms;
}
