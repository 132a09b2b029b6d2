/* Snapshots for the balancer; see placing.h.
 */
#include "placement/placing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "balancer/balancer.h"
#include "balancer/explain.h"
#include "base/log.h"
#include "config/config.h"
#include "events/events.h"
#include "sys/sysfs.h"
#include "sys/topology.h"

#define EXPLAIN_MAX 256

struct placing {
	const struct relays *relays;
	const struct loads *loads;
	struct balancer *balancer;
	struct balancer_memory memory;   /* of the rounds: keeps jitter from moving anything */
	struct balancer_lane *lanes;     /* [lanes_max] */
	struct balancer_worker *workers; /* [relays->workers->count] */
};

/* One that has lost its CPU is the last to be given anything. */
static uint32_t capacity_now(const struct worker *worker)
{
	if (atomic_load(&worker->displaced))
		return BALANCER_FULL / 100;
	return worker->shares_cpu ? BALANCER_FULL / 2 : BALANCER_FULL;
}

static void describe_worker(const struct worker *worker, struct balancer_worker *out)
{
	struct cpu_set siblings;

	topology_siblings(SYSFS_ROOT, worker->cpu, &siblings);
	out->node = (int16_t)worker->numa_node;
	/* Its capacity says already that it has but a part of the CPU. */
	out->core = worker->shares_cpu ? BALANCER_OWN_CORE : (int16_t)cpu_set_next(&siblings, -1);
	out->lcore = (uint16_t)worker->lcore;
	out->capacity = capacity_now(worker);
}

struct placing *placing_create(const struct relays *relays, const struct loads *loads,
                               unsigned lanes_max)
{
	unsigned count = relays->workers->count;
	struct placing *placing = calloc(1, sizeof(*placing));

	if (placing == NULL)
		return NULL;
	placing->relays = relays;
	placing->loads = loads;
	placing->balancer = balancer_create(lanes_max, count);
	placing->lanes = calloc(lanes_max, sizeof(placing->lanes[0]));
	placing->workers = calloc(count, sizeof(placing->workers[0]));
	if (placing->balancer == NULL || placing->lanes == NULL || placing->workers == NULL) {
		placing_destroy(placing);
		errno = ENOMEM;
		return NULL;
	}
	for (unsigned i = 0; i < count; i++)
		describe_worker(&relays->workers->worker[i], &placing->workers[i]);
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

static void describe_lane(const struct placing *placing, const struct placing_lane *lane,
                          struct balancer_lane *out)
{
	const struct relay *relay = lane->relay;
	bool has_vf = relay->vf_end.phase == VF_ATTACHED;
	int16_t node = has_vf ? (int16_t)relay->vf_end.vf.numa_node : BALANCER_ANY_NODE;
	const struct balancer_meter *meter =
	        loads_of_lane(placing->loads, relay->id, lane->direction, lane->index);

	*out = (struct balancer_lane){
	        .relay = (uint8_t)relay->id,
	        .direction = (uint8_t)lane->direction,
	        .index = (uint8_t)lane->index,
	        .group = (uint8_t)lane->group,
	        .worker = *lane->worker,
	        .pin = lane->direction == LANE_VF_TO_VM ? relay->lanes.vf_to_vm_pin
	                                                : relay->lanes.vm_to_vf_pin,
	        .vf_node = node,
	        .pool_node = node,
	        .guest_node = (int16_t)relay->guest_end.guest.numa_node,
	        .load = meter->load,
	        .noise = meter->noise,
	};
}

static struct balancer_snapshot make_snapshot(struct placing *placing,
                                              const struct placing_lane *lanes, unsigned n)
{
	const struct config *config = placing->relays->config;

	for (unsigned i = 0; i < n; i++)
		describe_lane(placing, &lanes[i], &placing->lanes[i]);
	for (unsigned i = 0; i < placing->relays->workers->count; i++)
		placing->workers[i].capacity = capacity_now(&placing->relays->workers->worker[i]);
	return (struct balancer_snapshot){
	        .lanes = placing->lanes,
	        .n_lanes = n,
	        .workers = placing->workers,
	        .n_workers = placing->relays->workers->count,
	        .settings = {.sensitivity = config->core_sched_sensitivity,
	                     .global_numa_opt = config->core_sched_global_numa_opt,
	                     .pack = config->core_sched_pack,
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

/* Of a move; whether it is logged is a setting of its own, and the endpoint has it in any case. */
static void tell_move(const struct placing *placing, const struct balancer_snapshot *snapshot,
                      const struct balancer_move *move)
{
	static struct log_limit not_at_all = LOG_LIMIT(UINT32_MAX, 0);
	bool logged = placing->relays->config->core_sched_log_level >= LOG_INFO;
	const struct balancer_lane *lane = &snapshot->lanes[move->lane];
	bool has_from = move->from != BALANCER_NOWHERE;
	char text[EXPLAIN_MAX];

	balancer_explain_move(snapshot, move, text, sizeof(text));
	events_tell(
	        &(struct event){
	                .id = EVENT_LANE_MOVED,
	                .relay = lane->relay,
	                .values = {{EVENT_FIELD_DIRECTION, 0,
	                            lane->direction == LANE_VF_TO_VM ? "vf_to_vm" : "vm_to_vf"},
	                           {EVENT_FIELD_QUEUE, lane->index, NULL},
	                           {EVENT_FIELD_TO_CPU, snapshot->workers[move->to].lcore, NULL},
	                           {EVENT_FIELD_REASON, 0, balancer_explain_reason(move->reason)},
	                           {has_from ? EVENT_FIELD_FROM_CPU : EVENT_FIELD_NONE,
	                            has_from ? snapshot->workers[move->from].lcore : 0, NULL}}},
	        logged ? NULL : &not_at_all, "balancer: %s", text);
}

static void log_decisions(const struct placing *placing, const struct balancer_snapshot *snapshot,
                          const struct balancer_result *result)
{
	char text[EXPLAIN_MAX];

	for (unsigned i = 0; i < result->n_moves; i++)
		tell_move(placing, snapshot, &result->moves[i]);
	if (placing->relays->config->core_sched_log_level < LOG_DEBUG)
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
	log_decisions(placing, &snapshot, &result);
	for (unsigned i = 0; i < n; i++)
		*lanes[i].worker = result.workers[i];
	return result.n_moves;
}

/* --- the dry run --------------------------------------------------------------------------- */

static const char *describe_cpu(const struct worker *worker)
{
	if (atomic_load(&worker->displaced))
		return ", has lost its CPU";
	return worker->shares_cpu ? ", shares its CPU" : "";
}

static void explain_workers(const struct placing *placing, const struct balancer_snapshot *snapshot,
                            line_fn line, void *context)
{
	char text[EXPLAIN_MAX];

	for (unsigned i = 0; i < snapshot->n_workers; i++) {
		const struct balancer_worker *worker = &snapshot->workers[i];
		unsigned n_lanes = 0, n_pinned = 0;
		uint64_t load = 0;

		for (unsigned j = 0; j < snapshot->n_lanes; j++) {
			if (snapshot->lanes[j].worker != (int16_t)i)
				continue;
			n_lanes++;
			n_pinned += snapshot->lanes[j].pin != BALANCER_NOWHERE;
			load += snapshot->lanes[j].load;
		}
		snprintf(text, sizeof(text),
		         "worker %u (NUMA node %d%s): %u lanes, %u of them pinned, busy %.1f %% of "
		         "a CPU",
		         worker->lcore, worker->node,
		         describe_cpu(&placing->relays->workers->worker[i]), n_lanes, n_pinned,
		         (double)load * 100 / BALANCER_FULL);
		line(context, text);
	}
}

static void explain_remote_lanes(const struct balancer_snapshot *snapshot, line_fn line,
                                 void *context)
{
	char text[EXPLAIN_MAX];

	for (unsigned i = 0; i < snapshot->n_lanes; i++) {
		const struct balancer_lane *lane = &snapshot->lanes[i];
		unsigned cost;

		if (lane->worker == BALANCER_NOWHERE)
			continue;
		cost = balancer_remote_pct(lane, snapshot->workers[lane->worker].node);
		if (cost == 0)
			continue;
		snprintf(text, sizeof(text),
		         "relay %u %s lane %u on worker %u: remote memory costs it %u %% (VF on "
		         "NUMA node %d, guest's memory on %d)",
		         lane->relay, lane->direction == LANE_VF_TO_VM ? "vf_to_vm" : "vm_to_vf",
		         lane->index, snapshot->workers[lane->worker].lcore, cost, lane->vf_node,
		         lane->guest_node);
		line(context, text);
	}
}

int placing_explain(struct placing *placing, const struct placing_lane *lanes, unsigned n,
                    line_fn line, void *context)
{
	struct balancer_snapshot snapshot = make_snapshot(placing, lanes, n);
	struct balancer_result result;
	char text[EXPLAIN_MAX];
	int rc = balancer_round(placing->balancer, &snapshot, &result);

	if (rc < 0)
		return rc;
	explain_workers(placing, &snapshot, line, context);
	explain_remote_lanes(&snapshot, line, context);
	for (unsigned i = 0; i < result.n_verdicts; i++) {
		balancer_explain_verdict(&snapshot, &result.verdicts[i], text, sizeof(text));
		line(context, text);
	}
	for (unsigned i = 0; i < result.n_moves; i++) {
		balancer_explain_move(&snapshot, &result.moves[i], text, sizeof(text));
		line(context, text);
	}
	if (result.n_moves == 0)
		line(context, "nothing would be moved");
	return 0;
}
