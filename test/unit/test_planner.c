/* From relays to plans. What is published is checked twice: each plan as it stands, and each
 * moment in between: what any worker may still see must never let two of them share a lane or
 * write to one queue.
 */
/* TSAN: also run under the thread sanitizer */
/* WRAP: rte_pktmbuf_free_bulk rte_lcore_is_enabled rte_get_main_lcore guest_get pool_flush_cache */
/* WRAP: plan_create worker_publish workers_synchronize */
#include <check.h>
#include <pthread.h>
#include <unistd.h>

#include "control_rig.h"
#include "datapath/plan.h"
#include "suite.h"

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

static void forget_visible(void)
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
static void expect_apart(const struct lane_work *a, const struct lane_work *b)
{
	fake_expect(a->lane != b->lane);
	if (a->run == burst_vm_to_vf && b->run == burst_vm_to_vf)
		fake_expect(a->port_id != b->port_id || a->vf_queue != b->vf_queue);
	fake_expect(a->guest != b->guest || (a->guest_queues & b->guest_queues) == 0);
}

static void expect_all_apart(const struct plan *a, const struct plan *b)
{
	for (unsigned i = 0; a != NULL && i < a->n_works; i++)
		for (unsigned j = 0; b != NULL && j < b->n_works; j++)
			expect_apart(&a->works[i], &b->works[j]);
}

static void expect_no_conflict(unsigned worker)
{
	for (unsigned other = 0; other < rig->workers->count; other++)
		for (unsigned i = 0; other != worker && i < VISIBLE_MAX; i++)
			expect_all_apart(visible[worker][0], visible[other][i]);
}

static bool plan_has(const struct plan *plan, const struct lane *lane)
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

static unsigned nth_bit(uint32_t mask, unsigned n)
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

static void find_all(void)
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

static const struct lane_work *work_of(const struct lane *lane)
{
	return found[lane->relay_id][lane->direction][lane->index].work;
}

static void expect_placement(const struct lane *lane, int16_t told, int16_t pin, bool wished)
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
static uint32_t expected_share(const struct relay *relay, unsigned queue)
{
	uint32_t to = relay->guest.rx_queues, share = 0;
	unsigned n_to = (unsigned)__builtin_popcount(to), n_from = relay->vf.n_queues;

	if (relay->vf.one_rx_queue)
		return to;
	if (n_from >= n_to)
		return 1U << nth_bit(to, queue % n_to);
	for (unsigned i = 0; i < n_to; i++)
		if (i % n_from == queue)
			share |= 1U << nth_bit(to, i);
	return share;
}

static void expect_vf_to_vm(const struct relay *relay, unsigned queue)
{
	const struct lane *lane = &relay->vf_to_vm[queue];
	uint32_t to = relay->guest.rx_queues;
	bool wished = relay->vf_phase == VF_ATTACHED && queue < relay->vf.n_queues;

	expect_placement(lane, relay->vf_to_vm_worker[queue], relay->vf_to_vm_pin, wished);
	if (!wished)
		return;
	const struct lane_work *work = work_of(lane);
	fake_expect(work->port_id == relay->vf.port_id);
	fake_expect(work->vf_queue == queue);
	if (to == 0) {
		fake_expect(work->run == burst_vf_to_nobody);
		fake_expect(lane_held(lane) == 0);
		return;
	}
	fake_expect(work->guest_queues == expected_share(relay, queue));
	fake_expect(work->run == (__builtin_popcount(work->guest_queues) > 1 ? burst_vf_to_vm_spread
	                                                                     : burst_vf_to_vm));
	fake_expect(work->guest == &rig_guests[relay->id].guest);
	fake_expect(work->mergeable == relay->guest.mergeable);
}

static void expect_vm_to_vf(const struct relay *relay, unsigned queue)
{
	const struct lane *lane = &relay->vm_to_vf[queue];
	bool has_vf = relay->vf_phase == VF_ATTACHED, wished = relay->guest.tx_queues >> queue & 1;

	expect_placement(lane, relay->vm_to_vf_worker[queue], relay->vm_to_vf_pin, wished);
	if (!wished)
		return;
	const struct lane_work *work = work_of(lane);
	fake_expect(work->guest == &rig_guests[relay->id].guest);
	fake_expect(work->guest_queue == queue);
	fake_expect(work->run == (has_vf ? burst_vm_to_vf : burst_vm_to_nobody));
	fake_expect(work->pool == (has_vf ? relay->vf.pool : rig->discard_pool));
	if (!has_vf) {
		fake_expect(lane_held(lane) == 0);
		return;
	}
	fake_expect(work->port_id == relay->vf.port_id);
	fake_expect(work->vf_queue == queue % relay->vf.n_queues);
	fake_expect(work->max_frame == relay->vf.max_frame);
	fake_expect(work->stall_cycles == rig->workers->stall_cycles);
}

static void expect_plans_fit(void)
{
	unsigned n_wished = 0, n_works = 0;

	find_all();
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		const struct relay *relay = &rig->relays[i];

		for (unsigned q = 0; q < VF_QUEUES_MAX; q++)
			expect_vf_to_vm(relay, q);
		for (unsigned q = 0; q < GUEST_QUEUES_MAX; q++)
			expect_vm_to_vf(relay, q);
		n_wished += relay->vf_phase == VF_ATTACHED ? relay->vf.n_queues : 0;
		n_wished += (unsigned)__builtin_popcount(relay->guest.tx_queues);
	}
	for (unsigned i = 0; i < rig->workers->count; i++) {
		n_works += rig_lanes_of_worker(i);
		expect_no_conflict(i);
	}
	fake_expect(n_works == n_wished);
}

static void apply(void)
{
	ck_assert_int_eq(planner_apply(rig->planner), 0);
	expect_plans_fit();
}

/* --- the ends of a relay ------------------------------------------------------------------------
 */

static void attach(unsigned id, uint16_t n_queues)
{
	struct relay *relay = &rig->relays[id];

	relay->vf = rig_vf(id, (uint16_t)(id % FAKE_VF_QUEUES), n_queues);
	relay->vf_phase = VF_ATTACHED;
}

static void detach(unsigned id)
{
	rig->relays[id].vf_phase = VF_LEAVING;
}

static void guest_comes(unsigned id, uint32_t rx, uint32_t tx)
{
	rig_guest_set(&rig->relays[id], true, rx, tx);
}

static void guest_leaves(unsigned id)
{
	rig_guest_set(&rig->relays[id], false, 0, 0);
}

static unsigned to_vm_worker(unsigned id, unsigned queue)
{
	return (unsigned)rig->relays[id].vf_to_vm_worker[queue];
}

static unsigned to_vf_worker(unsigned id, unsigned queue)
{
	return (unsigned)rig->relays[id].vm_to_vf_worker[queue];
}

static void set_up(void)
{
	forget_visible();
	rig_create(3);
}

static void tear_down(void)
{
	rig_destroy();
	ck_assert_int_eq(fake_packets_live, 0);
}

/* --- what goes where ----------------------------------------------------------------------------
 */

/* To another NUMA node, before any lane is placed: a planner looks at its workers once. */
static void move_worker(unsigned worker, int node)
{
	rig->workers->worker[worker].numa_node = node;
	planner_destroy(rig->planner);
	rig->planner = planner_create(rig);
	ck_assert_ptr_nonnull(rig->planner);
}

START_TEST(nothing_at_all)
{
	apply();
	ck_assert_uint_eq(n_published, 0);
}
END_TEST

START_TEST(a_vf_alone)
{
	attach(5, 4);
	apply();
	for (unsigned q = 0; q < 4; q++)
		ck_assert_int_ne(rig->relays[5].vf_to_vm_worker[q], LANE_UNPLACED);
}
END_TEST

START_TEST(a_guest_alone)
{
	guest_comes(5, 0xf, 0xf);
	apply();
}
END_TEST

START_TEST(as_many_vf_queues_as_guest_queues_or_more)
{
	unsigned worker;

	attach(0, 8);
	guest_comes(0, 0x7, 0x7);
	apply();
	for (unsigned q = 0; q < 8; q++) {
		const struct lane_work *work = rig_find(&rig->relays[0].vf_to_vm[q], &worker);

		ck_assert_uint_eq(work->guest_queue, q % 3);
		ck_assert_uint_eq(worker, to_vm_worker(0, q % 3)); /* the group is together */
	}
}
END_TEST

START_TEST(fewer_vf_queues_than_guest_queues)
{
	unsigned worker;

	attach(0, 2);
	guest_comes(0, 0x1f, 0x1f);
	apply();
	for (unsigned q = 0; q < 5; q++) {
		const struct lane_work *work = rig_find(&rig->relays[0].vm_to_vf[q], &worker);

		ck_assert_uint_eq(work->vf_queue, q % 2);
		ck_assert_uint_eq(worker, to_vf_worker(0, q % 2));
	}
	ck_assert_uint_ne(to_vf_worker(0, 0), to_vf_worker(0, 1)); /* two groups, two workers */
}
END_TEST

START_TEST(guest_queues_with_gaps)
{
	unsigned worker;

	attach(0, 2);
	guest_comes(0, 0x80000010, 0x80000010);
	apply();
	ck_assert_uint_eq(rig_find(&rig->relays[0].vf_to_vm[0], &worker)->guest_queue, 4);
	ck_assert_uint_eq(rig_find(&rig->relays[0].vf_to_vm[1], &worker)->guest_queue, 31);
	ck_assert_uint_eq(rig_find(&rig->relays[0].vm_to_vf[31], &worker)->vf_queue, 1);
}
END_TEST

START_TEST(guest_queues_are_shared_out)
{
	attach(0, 2);
	guest_comes(0, 0x1f, 0x1f);
	apply();
	ck_assert_uint_eq(work_of(&rig->relays[0].vf_to_vm[0])->guest_queues, 0x15);
	ck_assert_uint_eq(work_of(&rig->relays[0].vf_to_vm[1])->guest_queues, 0xa);
	ck_assert_uint_ne(to_vm_worker(0, 0), to_vm_worker(0, 1));
}
END_TEST

/* Any of the VF's queues may then send to any of the guest's: so one worker polls them all. */
START_TEST(packets_by_one_queue_go_to_all)
{
	attach(0, 2);
	rig->relays[0].vf.one_rx_queue = true;
	guest_comes(0, 0x3, 0x3);
	apply();
	for (unsigned q = 0; q < 2; q++)
		ck_assert_uint_eq(work_of(&rig->relays[0].vf_to_vm[q])->guest_queues, 0x3);
	ck_assert_uint_eq(to_vm_worker(0, 0), to_vm_worker(0, 1));
	ck_assert_uint_ne(to_vf_worker(0, 0), to_vf_worker(0, 1)); /* the other direction's two */
}
END_TEST

/* The guest switches queues off and on: what waits stays in order within its flow, all of it. */
START_TEST(held_packets_follow_their_flows)
{
	struct lane *lane = &rig->relays[0].vf_to_vm[0];
	static const uint32_t queues[] = {0xff, 0x0f, 0x01, 0xf0, 0x80, 0xff};

	attach(0, 1);
	rig_vfs[0].rx[0].flows = 24;
	for (unsigned i = 0; i < RTE_DIM(queues); i++) {
		guest_comes(0, queues[i], 0);
		apply();
		rig_vfs[0].rx[0].waiting = 32; /* nothing but this, and no room for it */
		work_of(lane)->run(work_of(lane));
		ck_assert_uint_eq(lane_held(lane) + lane->counters.dropped_full_pkts, 32 * (i + 1));
		fake_expect_balance(lane);
	}
	ck_assert_uint_gt(lane_held(lane), 100);
	for (unsigned q = 0; q < 8; q++)
		rig_guests[0].rx[q].room = 1000; /* whose sinks know the flows' order */
	work_of(lane)->run(work_of(lane));
	ck_assert_uint_eq(lane_held(lane), 0);
}
END_TEST

START_TEST(all_that_there_can_be)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		attach(i, VF_QUEUES_MAX);
		rig->relays[i].vf.port_id = (uint16_t)i; /* nobody runs these plans */
		guest_comes(i, UINT32_MAX, UINT32_MAX);
	}
	ck_assert_int_eq(planner_apply(rig->planner), 0);
	unsigned n = 0;
	for (unsigned i = 0; i < 3; i++) {
		n += rig_lanes_of_worker(i);
		ck_assert_uint_ge(rig_lanes_of_worker(i), RELAYS_MAX * 64 / 3);
	}
	ck_assert_uint_eq(n, RELAYS_MAX * 64);
}
END_TEST

/* --- where it is --------------------------------------------------------------------------------
 */

START_TEST(fewest_lanes_first)
{
	for (unsigned i = 0; i < 9; i++) {
		attach(i, 1);
		apply();
	}
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(rig_lanes_of_worker(i), 3);
	detach(0);
	detach(3);
	apply();
	attach(20, 1);
	apply();
	ck_assert_uint_eq(to_vm_worker(20, 0), 0); /* where two have left */
}
END_TEST

START_TEST(near_the_vf)
{
	move_worker(2, 1);
	for (unsigned i = 0; i < 4; i++) {
		attach(i, 2);
		rig->relays[i].vf.numa_node = 1;
		guest_comes(i, 1, 1);
	}
	attach(9, 2);
	apply();
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(to_vm_worker(i, 0), 2);
		ck_assert_uint_eq(to_vf_worker(i, 0), 2);
	}
	ck_assert_uint_lt(to_vm_worker(9, 0), 2);
	ck_assert_uint_lt(to_vm_worker(9, 1), 2);

	/* No worker there: any will do. */
	attach(30, 1);
	rig->relays[30].vf.numa_node = 7;
	apply();
	ck_assert_uint_lt(to_vm_worker(30, 0), 2);
}
END_TEST

START_TEST(a_guest_alone_is_near_its_memory)
{
	move_worker(1, 1);
	guest_comes(0, 1, 1);
	rig->relays[0].guest.numa_node = 1;
	apply();
	ck_assert_uint_eq(to_vf_worker(0, 0), 1);
}
END_TEST

START_TEST(pins_hold_and_are_given_up)
{
	move_worker(2, 1); /* a pin beats the node */
	rig->relays[0].vf_to_vm_pin = 2;
	rig->relays[0].vm_to_vf_pin = 1;
	attach(0, 4);
	guest_comes(0, 0xf, 0xf);
	apply();
	for (unsigned q = 0; q < 4; q++) {
		ck_assert_uint_eq(to_vm_worker(0, q), 2);
		ck_assert_uint_eq(to_vf_worker(0, q), 1);
	}
	rig->relays[0].vf_to_vm_pin = 0;
	apply();
	ck_assert_uint_eq(to_vm_worker(0, 3), 0);
	rig->relays[0].vf_to_vm_pin = LANE_UNPLACED;
	apply();
	ck_assert_uint_eq(to_vm_worker(0, 3), 0); /* no reason to move */
}
END_TEST

/* A guest comes with one pair and enables the others later. */
START_TEST(a_group_that_falls_apart_spreads)
{
	attach(0, 3);
	apply();
	guest_comes(0, 0x1, 0x1);
	apply();
	ck_assert_uint_eq(to_vm_worker(0, 0), to_vm_worker(0, 1));
	ck_assert_uint_eq(to_vm_worker(0, 0), to_vm_worker(0, 2));
	guest_comes(0, 0x7, 0x7);
	apply();
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(rig_lanes_of_worker(i), 2);
	guest_comes(0, 0x1, 0x1);
	apply();
	guest_comes(0, 0x7, 0x7);
	apply();
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(rig_lanes_of_worker(i), 2);
}
END_TEST

START_TEST(queues_in_any_order)
{
	static const uint32_t masks[] = {0x1, 0xf, 0x3, 0x8, 0x0, 0x5, 0xa, 0xf, 0x1, 0x2, 0xe};

	attach(0, 3);
	for (unsigned i = 0; i < RTE_DIM(masks); i++)
		for (unsigned j = 0; j < RTE_DIM(masks); j++) {
			guest_comes(0, masks[i], masks[j]);
			apply();
		}
}
END_TEST

/* --- who is disturbed ---------------------------------------------------------------------------
 */

START_TEST(no_change_no_publishing)
{
	const struct plan *plans[3];

	attach(0, 4);
	guest_comes(0, 0xf, 0xf);
	guest_comes(1, 0x1, 0x1);
	apply();
	for (unsigned i = 0; i < 3; i++)
		plans[i] = rig_plan(i);
	n_published = 0;
	for (int i = 0; i < 5; i++)
		apply();
	rig->relays[0].guest.sessions++; /* nothing that a lane needs to know */
	apply();
	ck_assert_uint_eq(n_published, 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_ptr_eq(rig_plan(i), plans[i]);
}
END_TEST

START_TEST(the_others_are_not_paused)
{
	attach(0, 1);
	guest_comes(0, 1, 1);
	apply();
	watched = &rig->relays[0].vf_to_vm[0];
	watched_worker = to_vm_worker(0, 0);
	for (unsigned i = 1; i < 8; i++) {
		attach(i, 4);
		guest_comes(i, 0xf, 0x3);
		apply();
	}
	for (unsigned i = 1; i < 8; i++) {
		guest_leaves(i);
		apply();
		detach(i);
		apply();
	}
	ck_assert_uint_eq(to_vm_worker(0, 0), watched_worker);
}
END_TEST

START_TEST(out_of_memory_changes_nothing)
{
	for (int fails = 0;; fails++) {
		const struct plan *plans[3];

		attach(0, 3);
		guest_comes(0, 0x7, 0x7);
		rig->relays[1].vf_phase = VF_ABSENT;
		apply();
		for (unsigned i = 0; i < 3; i++)
			plans[i] = rig_plan(i);

		guest_leaves(0);
		attach(1, 6);
		n_published = 0;
		plans_until_failure = fails;
		int rc = planner_apply(rig->planner);
		plans_until_failure = -1;
		if (rc == 0) {
			ck_assert_int_ge(fails, 6);
			break;
		}
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_uint_eq(n_published, 0);
		for (unsigned i = 0; i < 3; i++)
			ck_assert_ptr_eq(rig_plan(i), plans[i]);
		apply(); /* and once there is some again */
	}
}
END_TEST

/* --- what lanes hold ----------------------------------------------------------------------------
 */

/* As the burst functions do: only lanes with two ends hold anything. */
static void hold(struct lane *lane, uint32_t n)
{
	unsigned worker;
	const struct lane_work *work = rig_find(lane, &worker);

	if (work == NULL || (work->run != burst_vf_to_vm && work->run != burst_vm_to_vf))
		return;
	fake_hold(lane, RTE_MIN(n, backlog_room(&lane->backlog)));
}

/* The same of a lane that spreads. */
static void hold_spread(struct lane *lane, uint32_t n)
{
	struct lane_spread *spread = lane->spread;
	unsigned worker;
	const struct lane_work *work = rig_find(lane, &worker);

	if (work == NULL || work->run != burst_vf_to_vm_spread)
		return;
	for (uint32_t i = 0; i < n && spread->held < LANE_BACKLOG_VF_TO_VM; i++) {
		struct rte_mbuf *pkt = fake_packet_of_flow(i, i, 100);
		uint8_t queue = spread->targets[flow_hash_pick(flow_hash(pkt), spread->n_targets)];

		fake_expect(work->guest_queues >> queue & 1);
		fake_expect(backlog_push(&spread->backlogs[queue], &pkt, 1) == 1);
		spread->waiting |= 1U << queue;
		spread->held++;
	}
}

START_TEST(a_vf_leaves_with_nothing_of_its_own_left)
{
	struct relay *relay = &rig->relays[0];

	attach(0, 2);
	guest_comes(0, 0x3, 0x3);
	apply();
	hold(&relay->vf_to_vm[1], 7);
	hold(&relay->vm_to_vf[0], 3);
	detach(0);
	apply();
	ck_assert_int_eq(fake_packets_live, 0);
	ck_assert_uint_eq(relay->vf_to_vm[1].counters.dropped_absent_pkts, 7);
	ck_assert_uint_eq(relay->vf_to_vm[1].counters.dropped_absent_bytes, 700);
	ck_assert_uint_eq(relay->vm_to_vf[0].counters.dropped_absent_pkts, 3);
}
END_TEST

START_TEST(a_guest_leaves)
{
	struct relay *relay = &rig->relays[0];

	attach(0, 2);
	guest_comes(0, 0x3, 0x3);
	apply();
	hold(&relay->vf_to_vm[0], 7);
	hold(&relay->vm_to_vf[1], 3);
	guest_leaves(0);
	apply();
	ck_assert_int_eq(fake_packets_live, 0);
	ck_assert_uint_eq(relay->vf_to_vm[0].counters.dropped_absent_pkts, 7);
	ck_assert_uint_eq(relay->vm_to_vf[1].counters.dropped_absent_pkts, 3);
}
END_TEST

START_TEST(held_packets_travel_with_their_lane)
{
	struct relay *relay = &rig->relays[0];

	attach(0, 3);
	guest_comes(0, 0x7, 0x7);
	apply();
	hold(&relay->vf_to_vm[1], 7);
	hold(&relay->vm_to_vf[1], 3);
	relay->vf_to_vm_pin = relay->vm_to_vf_pin = (int16_t)((relay->vf_to_vm_worker[1] + 1) % 3);
	apply();
	guest_comes(0, 0x3, 0x3);
	apply();
	guest_comes(0, 0x6, 0x2);
	apply();
	ck_assert_uint_eq(relay->vf_to_vm[1].backlog.count, 7);
	ck_assert_uint_eq(relay->vm_to_vf[1].backlog.count, 3);
	guest_comes(0, 0x0, 0x4); /* it receives no more */
	apply();
	ck_assert_int_eq(fake_packets_live, 0);
}
END_TEST

/* --- anything in any order ----------------------------------------------------------------------
 */

static void attach_any(uint64_t *random, unsigned id, uint16_t max_queues)
{
	struct vf *vf = &rig->relays[id].vf;

	attach(id, (uint16_t)(1 + fake_random(random) % max_queues));
	vf->one_rx_queue = vf->n_queues > 1 && fake_random(random) % 3 == 0;
}

static void change_something(uint64_t *random, uint16_t max_queues)
{
	unsigned id = fake_random(random) % 6;
	struct relay *relay = &rig->relays[id];
	uint32_t queues = (1U << max_queues) - 1;

	switch (fake_random(random) % 8) {
	case 0:
		if (relay->vf_phase != VF_ATTACHED)
			attach_any(random, id, max_queues);
		break;
	case 1:
		if (relay->vf_phase == VF_ATTACHED)
			detach(id);
		break;
	case 2:
		relay->vf_to_vm_pin = (int16_t)(fake_random(random) % 4 - 1);
		break;
	case 3:
		relay->vm_to_vf_pin = (int16_t)(fake_random(random) % 4 - 1);
		break;
	case 4:
		guest_leaves(id);
		break;
	case 5:
		relay->guest.mergeable = !relay->guest.mergeable;
		break;
	default:
		guest_comes(id, fake_random(random) & queues, fake_random(random) & queues);
	}
}

START_TEST(every_lane_in_one_plan_always)
{
	uint64_t random = (uint64_t)_i;

	for (int i = 0; i < 600; i++) {
		for (unsigned n = fake_random(&random) % 3; n > 0; n--)
			change_something(&random, 8);
		hold(&rig->relays[fake_random(&random) % 6].vf_to_vm[fake_random(&random) % 8], 3);
		hold(&rig->relays[fake_random(&random) % 6].vm_to_vf[fake_random(&random) % 8], 3);
		hold_spread(
		        &rig->relays[fake_random(&random) % 6].vf_to_vm[fake_random(&random) % 8],
		        40);
		plans_until_failure = (int)(fake_random(&random) % 40) - 10;
		if (plans_until_failure < 0)
			plans_until_failure = -1;
		int rc = planner_apply(rig->planner);
		plans_until_failure = -1;
		if (rc < 0)
			fake_expect(planner_apply(rig->planner) == 0);
		expect_plans_fit();
	}
}
END_TEST

/* The same with workers that run the real burst functions, so that a thread sanitizer sees who
 * touches what: lanes, VF queues and guest queues hold plain memory. */
static void *worker_thread(void *worker)
{
	worker_run(worker);
	return NULL;
}

static void make_traffic(void)
{
	for (unsigned i = 0; i < 6; i++)
		for (unsigned q = 0; q < 8; q++) {
			rig_vfs[i].rx[q].waiting = 1U << 30;
			rig_vfs[i].rx[q].flows = 8;
			rig_vfs[i].tx[q].room = 1U << 30;
			rig_vfs[i].tx[q].burst_max = 20; /* so that backlogs form */
			rig_guests[i].tx[q].waiting = 1U << 30;
			rig_guests[i].rx[q].room = 1U << 30;
			rig_guests[i].rx[q].burst_max = 20;
		}
}

static void expect_sums(const struct lane *lane, uint64_t *moved)
{
	struct lane_counters c;

	lane_counters_read(lane, &c);
	fake_expect(c.rx_pkts == c.tx_pkts + c.dropped_full_pkts + c.dropped_absent_pkts +
	                                 c.dropped_invalid_pkts + lane_held(lane));
	*moved += c.tx_pkts;
}

START_TEST(plans_change_under_traffic)
{
	pthread_t threads[3];
	uint64_t random = 77, moved = 0;

	make_traffic();
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(
		        pthread_create(&threads[i], NULL, worker_thread, &rig->workers->worker[i]),
		        0);
	for (int i = 0; i < 300; i++) {
		change_something(&random, 8);
		rig_guests[fake_random(&random) % 6].absent = fake_random(&random) % 4 == 0;
		fake_expect(planner_apply(rig->planner) == 0);
		usleep(200);
	}
	workers_stop(rig->workers);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < 6; i++)
		for (unsigned q = 0; q < 8; q++) {
			expect_sums(&rig->relays[i].vf_to_vm[q], &moved);
			expect_sums(&rig->relays[i].vm_to_vf[q], &moved);
		}
	ck_assert_uint_gt(moved, 1000);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, nothing_at_all);
	tcase_add_test(tcase, a_vf_alone);
	tcase_add_test(tcase, a_guest_alone);
	tcase_add_test(tcase, as_many_vf_queues_as_guest_queues_or_more);
	tcase_add_test(tcase, fewer_vf_queues_than_guest_queues);
	tcase_add_test(tcase, guest_queues_with_gaps);
	tcase_add_test(tcase, guest_queues_are_shared_out);
	tcase_add_test(tcase, packets_by_one_queue_go_to_all);
	tcase_add_test(tcase, held_packets_follow_their_flows);
	tcase_add_test(tcase, all_that_there_can_be);
	tcase_add_test(tcase, fewest_lanes_first);
	tcase_add_test(tcase, near_the_vf);
	tcase_add_test(tcase, a_guest_alone_is_near_its_memory);
	tcase_add_test(tcase, pins_hold_and_are_given_up);
	tcase_add_test(tcase, a_group_that_falls_apart_spreads);
	tcase_add_test(tcase, queues_in_any_order);
	tcase_add_test(tcase, no_change_no_publishing);
	tcase_add_test(tcase, the_others_are_not_paused);
	tcase_add_test(tcase, out_of_memory_changes_nothing);
	tcase_add_test(tcase, a_vf_leaves_with_nothing_of_its_own_left);
	tcase_add_test(tcase, a_guest_leaves);
	tcase_add_test(tcase, held_packets_travel_with_their_lane);
	tcase_add_loop_test(tcase, every_lane_in_one_plan_always, 0, 10);
	tcase_add_test(tcase, plans_change_under_traffic);
	return suite_main("planner", tcase);
}
