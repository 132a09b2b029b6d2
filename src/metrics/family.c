/* What the families of several files need. See family.h. */
#include "metrics/family.h"

#include <stdio.h>

struct family_number family_number(unsigned value)
{
	struct family_number number;

	snprintf(number.text, sizeof(number.text), "%u", value);
	return number;
}

double family_seconds(const struct snapshot *snapshot, uint64_t cycles)
{
	return snapshot->cycles_per_s > 0 ? (double)cycles / (double)snapshot->cycles_per_s : 0;
}

double family_share(float share)
{
	return (double)(uint32_t)((double)share * 1e6 + 0.5) / 1e6;
}

void family_put_about(const struct family *family, struct lines *lines, const char *label,
                      unsigned id, uint64_t value)
{
	const struct family_number number = family_number(id);
	const struct metric_label labels[] = {{label, number.text}};

	lines_put_number(lines, &family->head, labels, 1, value);
}
