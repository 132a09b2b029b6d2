/* The names of the lanes' counters as metrics. See lane_names.h.
 * The table has pkts_rx_from_vf, pkts_dropped_runt and the like: a unit, and what was counted.
 */
#include "metrics/lane_names.h"

#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define DROPPED "dropped_"
#define DROPPED_HELP                                                                         \
	"Lost, each counted once: by its cause, and by its reason, which is what the cause " \
	"belongs to. COUNTERS in virtio-forwarder(8) says what they mean."

static const char *const unit_names[] = {
        [COUNTER_PACKETS] = "packets",
        [COUNTER_BYTES] = "bytes",
};

/* The name on the wire without its unit. */
static const char *subject_of(const struct lane_counter *row, enum lane_direction direction)
{
	const char *end = strchr(row->wire[direction], '_');

	return end != NULL ? end + 1 : row->wire[direction];
}

static bool is_loss(const struct lane_counter *row)
{
	return string_starts_with(subject_of(row, LANE_VF_TO_VM), DROPPED);
}

const char *lane_names_cause(const struct lane_counter *row, enum lane_direction direction)
{
	return subject_of(row, direction) + strlen(DROPPED);
}

const char *lane_names_reason(const struct lane_counter *row, enum lane_direction direction)
{
	const struct lane_counter *sum = lane_counter_sum(row, direction);

	return lane_names_cause(sum != NULL ? sum : row, direction);
}

static const char *verb_of(const struct lane_counter *row)
{
	const char *subject = subject_of(row, LANE_VF_TO_VM);

	if (is_loss(row))
		return "dropped";
	if (string_starts_with(subject, "rx_"))
		return "received";
	return string_starts_with(subject, "tx_") ? "sent" : subject;
}

/* Rows without a help of their own have that of the row above. */
static const char *help_of(const struct lane_counter *row)
{
	if (is_loss(row))
		return DROPPED_HELP;
	while (row->help == NULL && row > lane_counter_table)
		row--;
	return row->help;
}

/* The family of that name, which is begun if there is none yet. */
static struct lane_family *family_find(struct lane_family *families, unsigned *n,
                                       const struct lane_counter *row)
{
	const char *unit = unit_names[row->unit];
	struct lane_family *new = &families[*n];

	*new = (struct lane_family){.has_causes = is_loss(row)};
	snprintf(new->name, sizeof(new->name), "vio4wd_relay_%s_%s", verb_of(row), unit);
	new->head = (struct metric_head){new->name, unit, METRIC_COUNTER, help_of(row)};
	for (unsigned i = 0; i < *n; i++)
		if (strcmp(families[i].name, new->name) == 0)
			return &families[i];
	(*n)++;
	return new;
}

unsigned lane_names_make(struct lane_family families[LANE_COUNTERS])
{
	unsigned n = 0;

	for (size_t i = 0; i < LANE_COUNTERS; i++) {
		const struct lane_counter *row = &lane_counter_table[i];

		if (lane_counter_is_sum(row))
			continue;
		struct lane_family *family = family_find(families, &n, row);
		family->rows[family->n_rows++] = row;
	}
	return n;
}
