/* Smooths a lane's load, and measures how much it varies by itself.
 */
#include "balancer/meter.h"

void balancer_meter_add(struct balancer_meter *meter, uint32_t sample)
{
	uint32_t step = sample > meter->sample ? sample - meter->sample : meter->sample - sample;

	if (!meter->begun) {
		*meter = (struct balancer_meter){.load = sample, .sample = sample, .begun = true};
		return;
	}
	/* Independent samples differ by 4/3 of their mean deviation, near enough. */
	meter->noise = (uint32_t)((meter->noise * 7ull + step * 3ull / 4) / 8);
	meter->load = (uint32_t)(((uint64_t)meter->load + sample) / 2);
	meter->sample = sample;
}
