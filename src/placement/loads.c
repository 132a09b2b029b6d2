/* What lanes and workers cost, as measured: for those who ask, and for the balancer. The workers
 * count cycles (datapath/worker.c); once a second these become loads. Control thread only.
 */
#include "control/control.h"

#include "datapath/burst.h"
#include "datapath/plan.h"
#include "relay/relay.h"

/* --- sampling ------------------------------------------------------------------------------ */

/* Adds what has been counted since the last sample, as a share of `cycles`, to the meter. */
static void sample(struct load *load, const uint64_t *counter, double cycles)
{
	uint64_t busy = counter_read(counter);
	double share = (double)(busy - load->busy_cycles) / cycles;

	load->busy_cycles = busy;
	balancer_meter_add(&load->meter, (uint32_t)(RTE_MIN(share, 1.0) * BALANCER_FULL));
}

void loads_sample(struct control *control, double elapsed_s)
{
	double cycles = elapsed_s * (double)control->workers->cycles_per_s;

	for (unsigned i = 0; i < control->workers->count; i++)
		sample(&control->worker_loads[i], &control->workers->worker[i].busy_cycles, cycles);
	for (unsigned r = 0; r < RELAYS_MAX; r++) {
		struct relay *relay = &control->relays[r];

		for (unsigned i = 0; i < VF_QUEUES_MAX; i++)
			sample(&relay->vf_to_vm_load[i], &relay->vf_to_vm[i].busy_cycles, cycles);
		for (unsigned i = 0; i < GUEST_QUEUES_MAX; i++)
			sample(&relay->vm_to_vf_load[i], &relay->vm_to_vf[i].busy_cycles, cycles);
	}
}

/* --- telling --------------------------------------------------------------------------------- */

static float share_of(uint32_t load)
{
	return (float)load / BALANCER_FULL;
}

unsigned control_worker_count(const struct control *control)
{
	return control->workers->count;
}

uint64_t control_cycles_per_s(const struct control *control)
{
	return control->workers->cycles_per_s;
}

void control_worker_read(const struct control *control, unsigned index, struct control_worker *out)
{
	const struct worker *worker = &control->workers->worker[index];

	*out = (struct control_worker){
	        .cpu = worker->lcore,
	        .numa_node = worker->numa_node,
	        .host_cpu = worker->cpu,
	        .shares_cpu = worker->shares_cpu,
	        .n_lanes = atomic_load(&worker->plan)->n_works,
	        .busy = share_of(control->worker_loads[index].meter.sample),
	        .busy_cycles = counter_read(&worker->busy_cycles),
	};
}

static void read_lane(const struct control *control, const struct lane_work *work, unsigned lcore,
                      struct control_lane *out)
{
	const struct lane *lane = work->lane;
	const struct relay *relay = &control->relays[lane->relay_id];
	bool to_vm = lane->direction == LANE_VF_TO_VM;
	const struct load *load =
	        to_vm ? &relay->vf_to_vm_load[lane->index] : &relay->vm_to_vf_load[lane->index];

	*out = (struct control_lane){
	        .to_vm = to_vm,
	        .queue = lane->index,
	        .cpu = (int)lcore,
	        .load = share_of(load->meter.load),
	        .pkts = counter_read(&lane->counters.rx_pkts),
	        .busy_cycles = counter_read(&lane->busy_cycles),
	        .targets = to_vm ? work->guest_queues : 0,
	};
	if (work->run == burst_vm_to_vf)
		out->targets = 1U << work->vf_queue;
}

/* What is published is control's own, so it stays while this reads it. */
unsigned control_lanes_read(const struct control *control, unsigned relay_id,
                            struct control_lane out[CONTROL_LANES_MAX])
{
	const struct worker *polled_by[CONTROL_LANES_MAX] = {NULL};
	const struct lane_work *works[CONTROL_LANES_MAX] = {NULL};
	unsigned n = 0;

	for (unsigned i = 0; i < control->workers->count; i++) {
		const struct worker *worker = &control->workers->worker[i];
		const struct plan *plan = atomic_load(&worker->plan);

		for (unsigned j = 0; j < plan->n_works; j++) {
			const struct lane *lane = plan->works[j].lane;
			unsigned at = lane->index;

			if (lane->relay_id != relay_id)
				continue;
			if (lane->direction == LANE_VM_TO_VF)
				at += VF_QUEUES_MAX;
			works[at] = &plan->works[j];
			polled_by[at] = worker;
		}
	}
	for (unsigned i = 0; i < CONTROL_LANES_MAX; i++)
		if (works[i] != NULL)
			read_lane(control, works[i], polled_by[i]->lcore, &out[n++]);
	return n;
}
