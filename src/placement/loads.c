/* What lanes and workers cost. See loads.h. */
#include "placement/loads.h"

/* Adds what has been counted since the last sample, as a share of `cycles`, to the meter. */
static void sample(struct load *load, const uint64_t *counter, double cycles)
{
	uint64_t busy = counter_read(counter);
	double share = busy > load->busy_cycles ? (double)(busy - load->busy_cycles) / cycles : 0;

	load->busy_cycles = busy;
	balancer_meter_add(&load->meter, (uint32_t)(RTE_MIN(share, 1.0) * BALANCER_FULL));
}

/* A sleep counts when it ends. Of one that goes on since the last sample all of the time is known:
 * it is noted as if it had been counted, so that its end adds the rest only. */
static void sample_sleep(struct loads *loads, const struct worker *worker, unsigned i,
                         double cycles)
{
	uint64_t number = worker_is_asleep(worker) ? counter_read(&worker->sleeps) + 1 : 0;

	if (number != 0 && number == loads->sleep_number[i]) {
		loads->sleep[i].busy_cycles += (uint64_t)cycles;
		balancer_meter_add(&loads->sleep[i].meter, BALANCER_FULL);
	} else {
		sample(&loads->sleep[i], &worker->slept_cycles, cycles);
	}
	loads->sleep_number[i] = number;
}

void loads_sample(struct loads *loads, const struct relays *relays, double elapsed_s)
{
	const struct workers *workers = relays->workers;
	double cycles = elapsed_s * (double)workers->cycles_per_s;

	for (unsigned i = 0; i < workers->count; i++) {
		sample(&loads->worker[i], &workers->worker[i].busy_cycles, cycles);
		sample_sleep(loads, &workers->worker[i], i, cycles);
	}
	for (unsigned r = 0; r < RELAYS_MAX; r++) {
		const struct lanes *lanes = &relays->relay[r].lanes;

		for (unsigned i = 0; i < VF_QUEUES_MAX; i++)
			sample(&loads->vf_to_vm[r][i], &lanes->vf_to_vm[i].busy_cycles, cycles);
		for (unsigned i = 0; i < GUEST_QUEUES_MAX; i++)
			sample(&loads->vm_to_vf[r][i], &lanes->vm_to_vf[i].busy_cycles, cycles);
	}
}
