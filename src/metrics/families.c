/* All families of metrics. See families.h. */
#include "metrics/families.h"

#include "metrics/relay_families.h"
#include "metrics/worker_families.h"

/* Beyond FAMILIES_MAX there is no room; a unit test holds that all have found some. */
static void add(struct families *families, const struct family *list, unsigned n)
{
	for (unsigned i = 0; i < n && families->n < FAMILIES_MAX; i++)
		families->list[families->n++] = list[i];
}

void families_init(struct families *families)
{
	unsigned n;

	families->n = 0;
	add(families, worker_families, worker_families_count);
	add(families, relay_families, relay_families_count);
	n = lane_names_make(families->lanes);
	for (unsigned i = 0; i < n; i++) {
		const struct family family = {
		        .head = families->lanes[i].head,
		        .about = ABOUT_RELAY,
		        .put = relay_families_put_lanes,
		        .lanes = &families->lanes[i],
		};

		add(families, &family, 1);
	}
}

unsigned families_count(const struct family *family, const struct snapshot *snapshot)
{
	switch (family->about) {
	case ABOUT_RELAY:
		return RELAYS_MAX;
	case ABOUT_WORKER:
		return snapshot->n_workers;
	default:
		return 1;
	}
}

bool families_has(const struct family *family, const struct snapshot *snapshot, unsigned index)
{
	return family->about != ABOUT_RELAY || snapshot->present[index];
}
