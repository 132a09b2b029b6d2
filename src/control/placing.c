/* Snapshots for the balancer; see placing.h.
 */
#include "control/placing.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "config/config.h"
#include "control/balancer.h"
#include "sys/sysfs.h"
#include "sys/topology.h"

#define EXPLAIN_MAX 256

struct placing {
	struct control *control;
	struct balancer *balancer;
	struct balancer_memory memory;   /* of the rounds: keeps jitter from moving anything */
	struct balancer_lane *lanes;     /* [lanes_max] */
	struct balancer_worker *workers; /* [control->workers->count] */
};

static void describe_worker(const struct worker *worker, struct balancer_worker *out)
{
	struct cpu_set siblings;

	topology_siblings(SYSFS_ROOT, worker->cpu, &siblings);
	out->node = (int16_t)worker->numa_node;
	/* Its capacity says already that it has but a part of the CPU. */
	out->core = worker->shares_cpu ? BALANCER_OWN_CORE : (int16_t)cpu_set_next(&siblings, -1);
	out->lcore = (uint16_t)worker->lcore;
	out->capacity = worker->shares_cpu ? BALANCER_FULL / 2 : BALANCER_FULL;
}

struct placing *placing_create(struct control *control, unsigned lanes_max)
{
	unsigned count = control->workers->count;
	struct placing *placing = calloc(1, sizeof(*placing));

	if (placing == NULL)
		return NULL;
	placing->control = control;
	placing->balancer = balancer_create(lanes_max, count);
	placing->lanes = calloc(lanes_max, sizeof(placing->lanes[0]));
	placing->workers = calloc(count, sizeof(placing->workers[0]));
	if (placing->balancer == NULL || placing->lanes == NULL || placing->workers == NULL) {
		placing_destroy(placing);
		errno = ENOMEM;
		return NULL;
	}
	for (unsigned i = 0; i < count; i++)
		describe_worker(&control->workers->worker[i], &placing->workers[i]);
	return placing;
}

void placing_destroy(struct placing *placing)
{
	if (placing->balancer != NULL)
		balancer_destroy(placing->balancer);
	free(placing->lanes);
	free(placing->workers);
	free(placing);
}

static void describe_lane(const struct placing_lane *lane, struct balancer_lane *out)
{
	const struct relay *relay = lane->relay;
	bool has_vf = relay->vf_phase == VF_ATTACHED;
	int16_t node = has_vf ? (int16_t)relay->vf.numa_node : BALANCER_ANY_NODE;
	const struct lane_load *load = lane->direction == LANE_VF_TO_VM
	                                       ? &relay->vf_to_vm_load[lane->index]
	                                       : &relay->vm_to_vf_load[lane->index];

	*out = (struct balancer_lane){
	        .relay = (uint8_t)relay->id,
	        .direction = (uint8_t)lane->direction,
	        .index = (uint8_t)lane->index,
	        .group = (uint8_t)lane->group,
	        .worker = *lane->worker,
	        .pin = lane->direction == LANE_VF_TO_VM ? relay->vf_to_vm_pin : relay->vm_to_vf_pin,
	        .vf_node = node,
	        .pool_node = node,
	        .guest_node = (int16_t)relay->guest.numa_node,
	        .load = load->meter.load,
	        .noise = load->meter.noise,
	};
}

static struct balancer_snapshot make_snapshot(struct placing *placing,
                                              const struct placing_lane *lanes, unsigned n)
{
	const struct config *config = placing->control->config;

	for (unsigned i = 0; i < n; i++)
		describe_lane(&lanes[i], &placing->lanes[i]);
	return (struct balancer_snapshot){
	        .lanes = placing->lanes,
	        .n_lanes = n,
	        .workers = placing->workers,
	        .n_workers = placing->control->workers->count,
	        .settings = {.sensitivity = config->core_sched_sensitivity,
	                     .global_numa_opt = config->core_sched_global_numa_opt,
	                     .spill_over = true,
	                     .spill_at = BALANCER_SPILL_AT,
	                     .spill_idle = BALANCER_SPILL_IDLE,
	                     .return_at = BALANCER_RETURN_AT},
	};
}

void placing_place(struct placing *placing, const struct placing_lane *lanes, unsigned n)
{
	struct balancer_snapshot snapshot = make_snapshot(placing, lanes, n);
	struct balancer_result result;

	if (balancer_place(placing->balancer, &snapshot, &result) < 0) {
		/* A snapshot that contradicts itself is a mistake of ours; traffic comes first. */
		log_err("the balancer refuses its input; new lanes go to the first worker");
		for (unsigned i = 0; i < n; i++)
			if (*lanes[i].worker == LANE_UNPLACED)
				*lanes[i].worker = 0;
		return;
	}
	for (unsigned i = 0; i < n; i++)
		*lanes[i].worker = result.workers[i];
}

static void explain(const struct placing *placing, const struct balancer_snapshot *snapshot,
                    const struct balancer_result *result)
{
	char text[EXPLAIN_MAX];

	if (placing->control->config->core_sched_log_level < LOG_INFO)
		return;
	for (unsigned i = 0; i < result->n_moves; i++) {
		balancer_explain_move(snapshot, &result->moves[i], text, sizeof(text));
		log_info("balancer: %s", text);
	}
	if (placing->control->config->core_sched_log_level < LOG_DEBUG)
		return;
	for (unsigned i = 0; i < result->n_verdicts; i++) {
		balancer_explain_verdict(snapshot, &result->verdicts[i], text, sizeof(text));
		log_debug("balancer: %s", text);
	}
}

unsigned placing_balance(struct placing *placing, const struct placing_lane *lanes, unsigned n)
{
	struct balancer_snapshot snapshot = make_snapshot(placing, lanes, n);
	struct balancer_result result;

	snapshot.memory = &placing->memory;
	if (balancer_round(placing->balancer, &snapshot, &result) < 0)
		return 0;
	explain(placing, &snapshot, &result);
	for (unsigned i = 0; i < n; i++)
		*lanes[i].worker = result.workers[i];
	return result.n_moves;
}
