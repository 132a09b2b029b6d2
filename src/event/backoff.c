/* Waiting longer and longer. See backoff.h. */
#include "event/backoff.h"

#include <stddef.h>

static const struct backoff_waits usual = {
        .first_ms = BACKOFF_FIRST_MS, .longest_ms = BACKOFF_LONGEST_MS, .well_ms = BACKOFF_WELL_MS};

static const struct backoff_waits *waits_of(const struct backoff *backoff)
{
	return backoff->waits != NULL ? backoff->waits : &usual;
}

static unsigned twice(const struct backoff_waits *waits, unsigned ms)
{
	return ms > waits->longest_ms / 2 ? waits->longest_ms : ms * 2;
}

bool backoff_lost(struct backoff *backoff, uint64_t now_ms)
{
	const struct backoff_waits *waits = waits_of(backoff);
	bool flaps = backoff->was_well && backoff->flap_ms > 0 &&
	             now_ms - backoff->well_since_ms < waits->well_ms;

	backoff->flap_ms = flaps ? twice(waits, backoff->flap_ms) : waits->first_ms;
	backoff->next_ms = backoff->flap_ms;
	backoff->was_well = false;
	return !flaps;
}

unsigned backoff_wait_ms(struct backoff *backoff)
{
	const struct backoff_waits *waits = waits_of(backoff);
	unsigned wait_ms = backoff->next_ms > 0 ? backoff->next_ms : waits->first_ms;

	backoff->next_ms = twice(waits, wait_ms);
	return wait_ms;
}

void backoff_well(struct backoff *backoff, uint64_t now_ms)
{
	backoff->was_well = true;
	backoff->well_since_ms = now_ms;
}

void backoff_reset(struct backoff *backoff)
{
	*backoff = (struct backoff){.waits = backoff->waits};
}
