/* What lanes and workers cost. See loads.h. */
#include "placement/loads.h"

/* Adds what has been counted since the last sample, as a share of `cycles`, to the meter. */
static void sample(struct load *load, const uint64_t *counter, double cycles)
{
	uint64_t busy = counter_read(counter);
	double share = (double)(busy - load->busy_cycles) / cycles;

	load->busy_cycles = busy;
	balancer_meter_add(&load->meter, (uint32_t)(RTE_MIN(share, 1.0) * BALANCER_FULL));
}

void loads_sample(struct loads *loads, const struct relays *relays, double elapsed_s)
{
	const struct workers *workers = relays->workers;
	double cycles = elapsed_s * (double)workers->cycles_per_s;

	for (unsigned i = 0; i < workers->count; i++) {
		sample(&loads->worker[i], &workers->worker[i].busy_cycles, cycles);
		sample(&loads->sleep[i], &workers->worker[i].slept_cycles, cycles);
	}
	for (unsigned r = 0; r < RELAYS_MAX; r++) {
		const struct lanes *lanes = &relays->relay[r].lanes;

		for (unsigned i = 0; i < VF_QUEUES_MAX; i++)
			sample(&loads->vf_to_vm[r][i], &lanes->vf_to_vm[i].busy_cycles, cycles);
		for (unsigned i = 0; i < GUEST_QUEUES_MAX; i++)
			sample(&loads->vm_to_vf[r][i], &lanes->vm_to_vf[i].busy_cycles, cycles);
	}
}
