/* A planner whose plans are checked twice: each as it stands, and each moment in between: what any
 * worker may still see must never let two of them share a lane or write to one queue.
 *
 * WRAP: plan_create worker_publish workers_synchronize
 */
#ifndef PLANNER_RIG_H
#define PLANNER_RIG_H

#include <check.h>
#include <linux/virtio_net.h>
#include <string.h>

#include "control_rig.h"
#include "datapath/plan.h"
#include "offload/coalesce.h"

/* --- what the workers may see -------------------------------------------------------------------
 */

struct plan *__real_plan_create(const struct lane_work *works, unsigned n_works);
const struct plan *__real_worker_publish(struct worker *worker, const struct plan *plan);
void __real_workers_synchronize(struct workers *workers);
struct plan *__wrap_plan_create(const struct lane_work *works, unsigned n_works);
const struct plan *__wrap_worker_publish(struct worker *worker, const struct plan *plan);
void __wrap_workers_synchronize(struct workers *workers);

static int plans_until_failure = -1; /* the creation that fails, counted down; -1 = none does */
static unsigned n_published, n_plans;
static const struct lane *watched; /* must be in every plan of its worker */
static unsigned watched_worker;

/* The plan of each worker and, until the next synchronize, those before it. */
#define VISIBLE_MAX 4
static const struct plan *visible[RIG_WORKERS_MAX][VISIBLE_MAX];

static inline void forget_visible(void)
{
	memset(visible, 0, sizeof(visible));
	n_published = n_plans = 0;
	plans_until_failure = -1;
	watched = NULL;
}

struct plan *__wrap_plan_create(const struct lane_work *works, unsigned n_works)
{
	n_plans++;
	if (plans_until_failure >= 0 && plans_until_failure-- == 0)
		return NULL;
	return __real_plan_create(works, n_works);
}

/* Two works on different workers. */
static inline void expect_apart(const struct lane_work *a, const struct lane_work *b)
{
	fake_expect(a->lane != b->lane);
	if (a->run == burst_vm_to_vf && b->run == burst_vm_to_vf)
		fake_expect(a->port_id != b->port_id || a->vf_queue != b->vf_queue);
	fake_expect(a->guest != b->guest || (a->guest_queues & b->guest_queues) == 0);
}

static inline void expect_all_apart(const struct plan *a, const struct plan *b)
{
	for (unsigned i = 0; a != NULL && i < a->n_works; i++)
		for (unsigned j = 0; b != NULL && j < b->n_works; j++)
			expect_apart(&a->works[i], &b->works[j]);
}

static inline void expect_no_conflict(unsigned worker)
{
	for (unsigned other = 0; other < rig->workers->count; other++)
		for (unsigned i = 0; other != worker && i < VISIBLE_MAX; i++)
			expect_all_apart(visible[worker][0], visible[other][i]);
}

static inline bool plan_has(const struct plan *plan, const struct lane *lane)
{
	for (unsigned i = 0; i < plan->n_works; i++)
		if (plan->works[i].lane == lane)
			return true;
	return false;
}

const struct plan *__wrap_worker_publish(struct worker *worker, const struct plan *plan)
{
	const struct plan **seen = visible[worker->index];

	n_published++;
	fake_expect(seen[VISIBLE_MAX - 1] == NULL);
	memmove(&seen[1], &seen[0], (VISIBLE_MAX - 1) * sizeof(seen[0]));
	seen[0] = plan;
	expect_no_conflict(worker->index);
	fake_expect(watched == NULL || worker->index != watched_worker || plan_has(plan, watched));
	return __real_worker_publish(worker, plan);
}

void __wrap_workers_synchronize(struct workers *workers)
{
	__real_workers_synchronize(workers);
	for (unsigned i = 0; i < workers->count; i++)
		memset(&visible[i][1], 0, (VISIBLE_MAX - 1) * sizeof(visible[i][0]));
}

/* --- what the relays ask for --------------------------------------------------------------------
 */

static inline unsigned nth_bit(uint32_t mask, unsigned n)
{
	for (unsigned i = 0; i < 32; i++)
		if (mask >> i & 1 && n-- == 0)
			return i;
	return UINT32_MAX;
}

/* What each lane does and where: the plans turned round. */
static struct {
	const struct lane_work *work;
	unsigned worker;
} found[RELAYS_MAX][2][GUEST_QUEUES_MAX];

static inline void find_all(void)
{
	memset(found, 0, sizeof(found));
	for (unsigned i = 0; i < rig->workers->count; i++) {
		const struct plan *plan = rig_plan(i);

		for (unsigned j = 0; j < plan->n_works; j++) {
			const struct lane *lane = plan->works[j].lane;

			fake_expect(found[lane->relay_id][lane->direction][lane->index].work ==
			            NULL);
			found[lane->relay_id][lane->direction][lane->index].work = &plan->works[j];
			found[lane->relay_id][lane->direction][lane->index].worker = i;
		}
	}
}

static inline const struct lane_work *work_of(const struct lane *lane)
{
	return found[lane->relay_id][lane->direction][lane->index].work;
}

static inline void expect_placement(const struct lane *lane, int16_t told, int16_t pin, bool wished)
{
	unsigned worker = found[lane->relay_id][lane->direction][lane->index].worker;
	const struct lane_work *work = work_of(lane);

	fake_expect(wished == (work != NULL));
	fake_expect(told == (wished ? (int16_t)worker : LANE_UNPLACED));
	fake_expect(!wished || pin == LANE_UNPLACED || pin == (int16_t)worker);
	if (!wished)
		fake_expect(lane_held(lane) == 0);
}

/* The guest queues that a VF queue's lane sends to. */
static inline uint32_t expected_share(const struct relay *relay, unsigned queue)
{
	uint32_t to = relay->guest_end.guest.rx_queues, share = 0;
	unsigned n_to = (unsigned)__builtin_popcount(to), n_from = relay->vf_end.vf.n_queues;

	if (relay->vf_end.vf.one_rx_queue)
		return to;
	if (n_from >= n_to)
		return 1U << nth_bit(to, queue % n_to);
	for (unsigned i = 0; i < n_to; i++)
		if (i % n_from == queue)
			share |= 1U << nth_bit(to, i);
	return share;
}

static inline unsigned (*expected_run_to_vm(const struct lane_work *work))(const struct lane_work *)
{
	bool spread = __builtin_popcount(work->guest_queues) > 1;

	if (work->join == 0)
		return spread ? burst_vf_to_vm_spread : burst_vf_to_vm;
	return spread ? burst_vf_to_vm_spread_joined : burst_vf_to_vm_joined;
}

static inline void expect_vf_to_vm(const struct relay *relay, unsigned queue)
{
	const struct lane *lane = &relay->lanes.vf_to_vm[queue];
	uint32_t to = relay->guest_end.guest.rx_queues;
	bool wished = relay->vf_end.phase == VF_ATTACHED && queue < relay->vf_end.vf.n_queues;

	expect_placement(lane, relay->lanes.vf_to_vm_worker[queue], relay->lanes.vf_to_vm_pin,
	                 wished);
	if (!wished)
		return;
	const struct lane_work *work = work_of(lane);
	fake_expect(work->port_id == relay->vf_end.vf.port_id);
	fake_expect(work->vf_queue == queue);
	if (to == 0) {
		fake_expect(work->run == burst_vf_to_nobody);
		fake_expect(
		        work->loss ==
		        &lane->counters.absent[relay->guest_end.guest.front_end ? ABSENT_NOT_READY
		                                                                : ABSENT_NOBODY]);
		fake_expect(lane_held(lane) == 0);
		return;
	}
	fake_expect(work->guest_queues == expected_share(relay, queue));
	fake_expect(work->join ==
	            (rig_config.gro ? coalesce_versions(relay->guest_end.guest.features) : 0));
	fake_expect(work->run == expected_run_to_vm(work));
	fake_expect(work->guest == &rig_guests[relay->id].guest);
}

static inline unsigned (*expected_run(const struct relay *relay))(const struct lane_work *)
{
	if (relay->vf_end.phase != VF_ATTACHED)
		return burst_vm_to_nobody;
	if (relay->vf_end.vf.needs_tx_polls)
		return burst_vm_to_lacp;
	return (relay->guest_end.guest.features >> VIRTIO_NET_F_CSUM & 1) != 0
	               ? burst_vm_to_vf_offloads
	               : burst_vm_to_vf;
}

static inline void expect_vm_to_vf(const struct relay *relay, unsigned queue)
{
	const struct lane *lane = &relay->lanes.vm_to_vf[queue];
	bool has_vf = relay->vf_end.phase == VF_ATTACHED,
	     wished = relay->guest_end.guest.tx_queues >> queue & 1;

	expect_placement(lane, relay->lanes.vm_to_vf_worker[queue], relay->lanes.vm_to_vf_pin,
	                 wished);
	if (!wished)
		return;
	const struct lane_work *work = work_of(lane);
	fake_expect(work->guest == &rig_guests[relay->id].guest);
	fake_expect(work->guest_queue == queue);
	fake_expect(work->run == expected_run(relay));
	fake_expect(work->pool == (has_vf ? relay->vf_end.vf.pool : rig->discard_pool));
	if (!has_vf) {
		fake_expect(work->loss == &lane->counters.absent[relay->vf_end.phase == VF_ABSENT
		                                                         ? ABSENT_NOBODY
		                                                         : ABSENT_NOT_READY]);
		fake_expect(lane_held(lane) == 0);
		return;
	}
	fake_expect(work->port_id == relay->vf_end.vf.port_id);
	fake_expect(work->vf_queue == queue % relay->vf_end.vf.n_queues);
	fake_expect(work->max_frame == relay->vf_end.vf.max_frame);
	fake_expect(work->stall_cycles == rig->workers->stall_cycles);
}

static inline void expect_plans_fit(void)
{
	unsigned n_wished = 0, n_works = 0;

	find_all();
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		const struct relay *relay = &rig->relays.relay[i];

		for (unsigned q = 0; q < VF_QUEUES_MAX; q++)
			expect_vf_to_vm(relay, q);
		for (unsigned q = 0; q < GUEST_QUEUES_MAX; q++)
			expect_vm_to_vf(relay, q);
		n_wished += relay->vf_end.phase == VF_ATTACHED ? relay->vf_end.vf.n_queues : 0;
		n_wished += (unsigned)__builtin_popcount(relay->guest_end.guest.tx_queues);
	}
	for (unsigned i = 0; i < rig->workers->count; i++) {
		n_works += rig_lanes_of_worker(i);
		expect_no_conflict(i);
	}
	fake_expect(n_works == n_wished);
}

static inline void apply(void)
{
	ck_assert_int_eq(planner_apply(rig->planner), 0);
	expect_plans_fit();
}

/* --- the ends of a relay ------------------------------------------------------------------------
 */

static inline void attach(unsigned id, uint16_t n_queues)
{
	struct relay *relay = &rig->relays.relay[id];

	relay->vf_end.vf = rig_vf(id, (uint16_t)(id % FAKE_VF_QUEUES), n_queues);
	relay->vf_end.phase = VF_ATTACHED;
}

static inline void detach(unsigned id)
{
	rig->relays.relay[id].vf_end.phase = VF_LEAVING;
}

static inline void guest_comes(unsigned id, uint32_t rx, uint32_t tx)
{
	rig_guest_set(&rig->relays.relay[id], true, rx, tx);
}

static inline void guest_leaves(unsigned id)
{
	rig_guest_set(&rig->relays.relay[id], false, 0, 0);
}

static inline unsigned to_vm_worker(unsigned id, unsigned queue)
{
	return (unsigned)rig->relays.relay[id].lanes.vf_to_vm_worker[queue];
}

static inline unsigned to_vf_worker(unsigned id, unsigned queue)
{
	return (unsigned)rig->relays.relay[id].lanes.vm_to_vf_worker[queue];
}

static inline void set_up(void)
{
	forget_visible();
	rig_create(3);
}

static inline void tear_down(void)
{
	rig_destroy();
	ck_assert_int_eq(fake_packets_live, 0);
}

#endif
