/* Measuring a lane for the balancer: its load over time, from one sample per interval. Loads are in
 * millionths of a CPU (BALANCER_FULL). A meter belongs to whoever adds to it.
 */
#ifndef BALANCER_METER_H
#define BALANCER_METER_H

#include <stdbool.h>
#include <stdint.h>

struct balancer_meter {
	uint32_t load;   /* smoothed */
	uint32_t noise;  /* the samples' mean deviation */
	uint32_t sample; /* the last one */
	bool begun;      /* there has been a sample */
};

/* Noise comes from the difference between neighbouring samples: a load that jumps and stays is
 * noise for a moment only, one that jumps to and fro is noise for as long as it does. */
void balancer_meter_add(struct balancer_meter *meter, uint32_t sample);

#endif
