/* What the balancer's tests on small machines share: lanes and workers that are added one by one,
 * and what a placement or a round makes of them.
 */
#ifndef TEST_BALANCER_MACHINE_H
#define TEST_BALANCER_MACHINE_H

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balancer/balancer.h"

#define PERMILLE (BALANCER_FULL / 1000)

static struct balancer *balancer;
static struct balancer_lane lanes[64];
static struct balancer_worker workers[16];
static struct balancer_snapshot snapshot;
static struct balancer_result result;

static inline void set_up(void)
{
	balancer = balancer_create(64, 16);
	ck_assert_ptr_nonnull(balancer);
	memset(&snapshot, 0, sizeof(snapshot));
	snapshot.lanes = lanes;
	snapshot.workers = workers;
	snapshot.settings.spill_at = BALANCER_SPILL_AT;
	snapshot.settings.spill_idle = BALANCER_SPILL_IDLE;
	snapshot.settings.return_at = BALANCER_RETURN_AT;
}

static inline void tear_down(void)
{
	balancer_destroy(balancer);
}

static inline struct balancer_worker *add_worker(int node, int core)
{
	workers[snapshot.n_workers] =
	        (struct balancer_worker){.node = (int16_t)node,
	                                 .core = (int16_t)core,
	                                 .lcore = (uint16_t)(snapshot.n_workers + 10),
	                                 .capacity = BALANCER_FULL};
	return &workers[snapshot.n_workers++];
}

/* A lane of a relay of its own, with all its memory on one node. */
static inline struct balancer_lane *add_lane(int node, int worker, unsigned permille)
{
	struct balancer_lane *lane = &lanes[snapshot.n_lanes];

	*lane = (struct balancer_lane){.relay = (uint8_t)snapshot.n_lanes,
	                               .worker = (int16_t)worker,
	                               .pin = BALANCER_NOWHERE,
	                               .vf_node = (int16_t)node,
	                               .pool_node = (int16_t)node,
	                               .guest_node = (int16_t)node,
	                               .load = permille * PERMILLE};
	snapshot.n_lanes++;
	return lane;
}

static inline void apply(void)
{
	for (unsigned i = 0; i < snapshot.n_lanes; i++) {
		struct balancer_lane *lane = &lanes[i];
		uint64_t load = lane->load;

		if (lane->worker != BALANCER_NOWHERE)
			load = load * 100 /
			       (100 + balancer_remote_pct(lane, workers[lane->worker].node));
		lane->worker = result.workers[i];
		lane->load =
		        (uint32_t)(load *
		                   (100 + balancer_remote_pct(lane, workers[lane->worker].node)) /
		                   100);
	}
}

/* Returns the moves. */
static inline unsigned place(void)
{
	ck_assert_int_eq(balancer_place(balancer, &snapshot, &result), 0);
	apply();
	return result.n_moves;
}

static inline unsigned run_round(void)
{
	ck_assert_int_eq(balancer_round(balancer, &snapshot, &result), 0);
	apply();
	return result.n_moves;
}

static inline unsigned count_reason(enum balancer_reason reason)
{
	unsigned n = 0;

	for (unsigned i = 0; i < result.n_moves; i++)
		n += result.moves[i].reason == reason;
	return n;
}

static inline unsigned lanes_on(int worker)
{
	unsigned n = 0;

	for (unsigned i = 0; i < snapshot.n_lanes; i++)
		n += lanes[i].worker == worker;
	return n;
}

static inline unsigned load_on(int worker)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < snapshot.n_lanes; i++)
		sum += lanes[i].worker == worker ? lanes[i].load / PERMILLE : 0;
	return sum;
}

/* Two nodes of two workers. */
static inline void make_two_nodes(void)
{
	for (int node = 0; node < 2; node++)
		for (int i = 0; i < 2; i++)
			add_worker(node, BALANCER_OWN_CORE);
}

#endif
