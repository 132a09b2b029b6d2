/* From relays to plans: which lanes there are, what each one does, which worker polls it, and the
 * publishing. Control thread only.
 *
 * Lanes that send to the same queue form a group and stay on one worker: a VF's transmit queue
 * admits one thread at a time, and a guest's queue should not be fought over.
 *
 * Publishing is done in two steps. First every lane that moves, changes or ends leaves the plans,
 * and workers_synchronize tells when no worker sees it any more; then the lanes appear as they
 * shall be. So no lane is polled twice and no queue is written by two workers, whatever changes
 * at once; the lanes concerned pause for some microseconds, and the others not at all.
 */
#include "placement/planner.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "datapath/burst.h"
#include "dpdk/pool.h"
#include "placement/placing.h"

#define RELAY_LANES_MAX (VF_QUEUES_MAX + GUEST_QUEUES_MAX)
#define LANES_MAX       (RELAYS_MAX * RELAY_LANES_MAX)

struct planner {
	struct relays *relays;
	struct rte_mempool *discard_pool;
	struct placing *placing;
	/* The lanes as they shall be: who, and what it shall do. */
	struct placing_lane lanes[LANES_MAX];
	struct lane_work wanted[LANES_MAX]; /* of lanes[i] */
	unsigned n_lanes;
	const struct plan **published;     /* [workers], NULL = empty */
	struct plan **without, **complete; /* [workers], of the change under way */
	struct lane_work works[LANES_MAX]; /* scratch */
	bool *uses_pool;         /* [relay * workers + worker]: a lane of it is polled there */
	bool in_plan[LANES_MAX]; /* by lane_number, of what is published now */
};

struct planner *planner_create(struct relays *relays, const struct loads *loads,
                               struct rte_mempool *discard_pool)
{
	unsigned count = relays->workers->count;
	struct planner *planner = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*planner));

	if (planner == NULL)
		return NULL;
	memset(planner, 0, sizeof(*planner));
	planner->relays = relays;
	planner->discard_pool = discard_pool;
	planner->placing = placing_create(relays, loads, LANES_MAX);
	planner->uses_pool = calloc(RELAYS_MAX, count);
	planner->published = calloc(count, sizeof(struct plan *));
	planner->without = calloc(count, sizeof(struct plan *));
	planner->complete = calloc(count, sizeof(struct plan *));
	if (planner->placing == NULL || planner->uses_pool == NULL || planner->published == NULL ||
	    planner->without == NULL || planner->complete == NULL) {
		planner_destroy(planner);
		errno = ENOMEM;
		return NULL;
	}
	return planner;
}

void planner_destroy(struct planner *planner)
{
	/* The plans that are published belong to the workers. */
	if (planner->placing != NULL)
		placing_destroy(planner->placing);
	free(planner->uses_pool);
	free(planner->published);
	free(planner->without);
	free(planner->complete);
	free(planner);
}

/* --- what the lanes shall do --------------------------------------------------------------- */

static unsigned list_queues(uint32_t mask, uint16_t queues[GUEST_QUEUES_MAX])
{
	unsigned n = 0;

	for (uint16_t queue = 0; queue < GUEST_QUEUES_MAX; queue++)
		if (mask >> queue & 1)
			queues[n++] = queue;
	return n;
}

/* A lane that sends to another queue than when it was placed is placed anew: it joins its new
 * group, or, where a group has fallen apart, gets a place of its own. */
static struct lane_work *add_lane(struct planner *planner, struct relay *relay,
                                  enum lane_direction direction, uint16_t index, unsigned group)
{
	bool to_vm = direction == LANE_VF_TO_VM;
	int16_t *placed_group =
	        to_vm ? &relay->lanes.vf_to_vm_group[index] : &relay->lanes.vm_to_vf_group[index];
	int16_t *worker =
	        to_vm ? &relay->lanes.vf_to_vm_worker[index] : &relay->lanes.vm_to_vf_worker[index];
	struct lane_work *work = &planner->wanted[planner->n_lanes];

	if (*placed_group != (int16_t)group)
		*worker = LANE_UNPLACED;
	*placed_group = (int16_t)group;
	planner->lanes[planner->n_lanes++] = (struct placing_lane){
	        .relay = relay,
	        .direction = direction,
	        .index = index,
	        .group = group,
	        .worker = worker,
	};
	memset(work, 0, sizeof(*work));
	work->lane = to_vm ? &relay->lanes.vf_to_vm[index] : &relay->lanes.vm_to_vf[index];
	return work;
}

/* The guest queues (bits) that a VF queue's packets go to, of those in `to`. With no fewer VF
 * queues than the guest's, one; else its share of them; and where all packets come by one VF queue,
 * every one, whichever that is. No two of a VF's queues share some of their targets: all or none.
 */
static uint32_t share_of(const struct vf *vf, uint16_t queue, const uint16_t *to, unsigned n_to)
{
	unsigned step = vf->one_rx_queue ? 1 : vf->n_queues;
	unsigned first = vf->one_rx_queue ? 0 : queue % n_to;
	uint32_t share = 0;

	for (unsigned i = first; i < n_to; i += step)
		share |= 1U << to[i];
	return share;
}

/* A lane without a target. */
static void lose(struct lane_work *work, enum lane_absence why)
{
	work->loss = &work->lane->counters.absent[why];
}

static unsigned (*work_to_vm(bool spread, bool join))(const struct lane_work *)
{
	if (spread)
		return join ? burst_vf_to_vm_spread_joined : burst_vf_to_vm_spread;
	return join ? burst_vf_to_vm_joined : burst_vf_to_vm;
}

static void list_vf_to_vm(struct planner *planner, struct relay *relay)
{
	uint16_t to[GUEST_QUEUES_MAX];
	unsigned n_to = relay->guest_end.guest.connected
	                        ? list_queues(relay->guest_end.guest.rx_queues, to)
	                        : 0;

	for (uint16_t queue = 0; queue < relay->vf_end.vf.n_queues; queue++) {
		uint32_t share =
		        n_to > 0 ? share_of(&relay->vf_end.vf, queue, to, n_to) : 1U << queue;
		unsigned first = (unsigned)__builtin_ctz(share);
		struct lane_work *work = add_lane(planner, relay, LANE_VF_TO_VM, queue, first);

		work->port_id = relay->vf_end.vf.port_id;
		work->vf_queue = queue;
		work->vf_alarm = relay->vf_end.vf.alarms[queue];
		work->run = burst_vf_to_nobody;
		if (n_to == 0) {
			lose(work,
			     relay->guest_end.guest.front_end ? ABSENT_NOT_READY : ABSENT_NOBODY);
			continue;
		}
		if (planner->relays->config->gro)
			work->join = burst_join(relay->guest_end.guest.features);
		work->run = work_to_vm(__builtin_popcount(share) > 1, work->join != 0);
		work->guest = relay_far(relay);
		work->to_guest = work->guest->ops->send;
		work->guest_queue = (uint16_t)first;
		work->guest_queues = share;
	}
}

/* A lane without a guest, for a bond that sends by itself. */
static void list_lacp_lane(struct planner *planner, struct relay *relay)
{
	struct lane_work *work = add_lane(planner, relay, LANE_VM_TO_VF, 0, 0);

	work->run = burst_nobody_to_lacp;
	work->port_id = relay->vf_end.vf.port_id;
}

/* A guest that has not negotiated this one may ask for nothing. */
static bool may_ask(const struct guest_state *guest)
{
	return (guest->features >> VIRTIO_NET_F_CSUM & 1) != 0;
}

static unsigned (*work_to_vf(const struct vf *vf, bool offloads))(const struct lane_work *)
{
	if (vf->needs_tx_polls)
		return burst_vm_to_lacp;
	if (offloads)
		return burst_vm_to_vf_offloads;
	return vf->filters_vlans ? burst_vm_to_vf_vlans : burst_vm_to_vf;
}

static void list_vm_to_vf(struct planner *planner, struct relay *relay)
{
	bool has_vf = vf_end_takes(&relay->vf_end);
	uint16_t from[GUEST_QUEUES_MAX];
	unsigned n_from = relay->guest_end.guest.connected
	                          ? list_queues(relay->guest_end.guest.tx_queues, from)
	                          : 0;

	if (n_from == 0 && has_vf && relay->vf_end.vf.needs_tx_polls)
		list_lacp_lane(planner, relay);
	for (unsigned i = 0; i < n_from; i++) {
		uint16_t queue = from[i];
		uint16_t target = has_vf ? queue % relay->vf_end.vf.n_queues : queue;
		struct lane_work *work = add_lane(planner, relay, LANE_VM_TO_VF, queue, target);

		work->guest = relay_far(relay);
		work->from_guest = work->guest->ops->receive;
		if (work->guest->ops->look != NULL)
			work->look = work->guest->ops->look(work->guest, queue);
		work->guest_queue = queue;
		work->run = burst_vm_to_nobody;
		work->pool = planner->discard_pool;
		if (!has_vf) {
			lose(work,
			     relay->vf_end.phase == VF_ABSENT ? ABSENT_NOBODY : ABSENT_NOT_READY);
			continue;
		}
		if (relay->vf_end.vf.filters_vlans)
			work->vlans = &relay->lanes.vlans_heard;
		if (may_ask(&relay->guest_end.guest))
			work->terms =
			        (struct header_terms){.features = relay->guest_end.guest.features,
			                              .capabilities = relay->vf_end.vf.tx_offloads,
			                              .max_frame = relay->vf_end.vf.max_frame,
			                              .max_mbufs = VF_TSO_MBUFS_MAX};
		work->run = work_to_vf(&relay->vf_end.vf, work->terms.features != 0);
		work->calls_by_time = relay->vf_end.vf.needs_tx_polls;
		work->to_vf = relay->vf_end.vf.send;
		work->pool = relay->vf_end.vf.pool;
		work->port_id = relay->vf_end.vf.port_id;
		work->vf_queue = target;
		work->max_frame = relay->vf_end.vf.max_frame;
		work->stall_cycles = planner->relays->workers->stall_cycles;
	}
}

/* Lanes that are wished for no more lose their place. */
static void forget_places(struct planner *planner, struct relay *relay, unsigned first)
{
	bool vf_kept[VF_QUEUES_MAX] = {false}, vm_kept[GUEST_QUEUES_MAX] = {false};

	for (unsigned i = first; i < planner->n_lanes; i++) {
		const struct placing_lane *lane = &planner->lanes[i];

		if (lane->direction == LANE_VF_TO_VM)
			vf_kept[lane->index] = true;
		else
			vm_kept[lane->index] = true;
	}
	for (unsigned i = 0; i < VF_QUEUES_MAX; i++)
		if (!vf_kept[i])
			relay->lanes.vf_to_vm_worker[i] = LANE_UNPLACED;
	for (unsigned i = 0; i < GUEST_QUEUES_MAX; i++)
		if (!vm_kept[i])
			relay->lanes.vm_to_vf_worker[i] = LANE_UNPLACED;
}

/* Lanes that are to spread or to cut get their memory while nothing has changed yet. */
static int reserve_memory(struct planner *planner)
{
	for (unsigned i = 0; i < planner->n_lanes; i++) {
		const struct lane_work *work = &planner->wanted[i];

		if (__builtin_popcount(work->guest_queues) > 1 &&
		    lane_reserve(work->lane, work->guest_queues) < 0)
			return -ENOMEM;
		if (work->terms.features != 0 && lane_reserve_cutting(work->lane) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void list_lanes(struct planner *planner)
{
	planner->n_lanes = 0;
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &planner->relays->relay[i];
		unsigned first = planner->n_lanes;

		if (relay->vf_end.phase == VF_ATTACHED)
			list_vf_to_vm(planner, relay);
		list_vm_to_vf(planner, relay);
		forget_places(planner, relay, first);
	}
}

/* --- publishing ---------------------------------------------------------------------------- */

static struct plan *make_complete(struct planner *planner, unsigned worker)
{
	unsigned n = 0;

	for (unsigned i = 0; i < planner->n_lanes; i++)
		if (*planner->lanes[i].worker == (int16_t)worker)
			planner->works[n++] = planner->wanted[i];
	return plan_create(planner->works, n);
}

/* What is published now less what is to change. Both plans list their lanes in the order of the
 * lanes' addresses, since wishes are made relay by relay. */
static struct plan *make_without(struct planner *planner, unsigned worker)
{
	const struct plan *now = planner->published[worker];
	const struct plan *then = planner->complete[worker];
	unsigned n = 0, j = 0;

	for (unsigned i = 0; now != NULL && i < now->n_works; i++) {
		while (j < then->n_works && then->works[j].lane < now->works[i].lane)
			j++;
		if (j < then->n_works && lane_work_equal(&then->works[j], &now->works[i]))
			planner->works[n++] = now->works[i];
	}
	return plan_create(planner->works, n);
}

static void free_new_plans(struct planner *planner)
{
	for (unsigned i = 0; i < planner->relays->workers->count; i++) {
		free(planner->without[i]);
		free(planner->complete[i]);
		planner->without[i] = planner->complete[i] = NULL;
	}
}

static int make_plans(struct planner *planner)
{
	for (unsigned i = 0; i < planner->relays->workers->count; i++) {
		planner->complete[i] = make_complete(planner, i);
		if (planner->complete[i] != NULL)
			planner->without[i] = make_without(planner, i);
		if (planner->without[i] == NULL) {
			free_new_plans(planner);
			return -ENOMEM;
		}
	}
	return 0;
}

/* Publishes plans[i] to each worker whose plan it changes, and returns when the plans before are
 * gone. A plan that changes nothing is freed. */
static void publish(struct planner *planner, struct plan **plans)
{
	struct workers *workers = planner->relays->workers;
	bool changed = false;

	for (unsigned i = 0; i < workers->count; i++) {
		const struct plan *now = planner->published[i];

		/* The new plan is a part or an extension of the one now: the length tells. */
		if (plans[i]->n_works == (now != NULL ? now->n_works : 0)) {
			free(plans[i]);
			plans[i] = NULL;
			continue;
		}
		worker_publish(&workers->worker[i], plans[i]);
		planner->published[i] = plans[i];
		plans[i] = (struct plan *)(uintptr_t)now; /* to be freed below */
		changed = true;
	}
	if (changed)
		workers_synchronize(workers);
	for (unsigned i = 0; i < workers->count; i++) {
		free(plans[i]);
		plans[i] = NULL;
	}
}

static unsigned lane_number(const struct lane *lane)
{
	return lane->relay_id * RELAY_LANES_MAX +
	       (lane->direction == LANE_VF_TO_VM ? 0 : VF_QUEUES_MAX) + lane->index;
}

static void mark_published(struct planner *planner)
{
	unsigned count = planner->relays->workers->count;

	memset(planner->in_plan, 0, sizeof(planner->in_plan));
	memset(planner->uses_pool, 0, RELAYS_MAX * count);
	for (unsigned i = 0; i < count; i++) {
		const struct plan *plan = planner->published[i];

		for (unsigned j = 0; plan != NULL && j < plan->n_works; j++) {
			const struct lane *lane = plan->works[j].lane;

			planner->in_plan[lane_number(lane)] = true;
			planner->uses_pool[lane->relay_id * count + i] = true;
		}
	}
}

/* Packet buffers that a worker keeps for a relay whose lanes have left it go back to the pool. */
static void flush_caches(struct planner *planner)
{
	struct workers *workers = planner->relays->workers;

	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		const struct relay *relay = &planner->relays->relay[i];

		if (relay->vf_end.phase != VF_ATTACHED)
			continue;
		for (unsigned j = 0; j < workers->count; j++)
			if (!planner->uses_pool[i * workers->count + j])
				pool_flush_cache(relay->vf_end.vf.pool, workers->worker[j].lcore);
	}
}

/* Between the two steps: a lane that has lost its target drops what it held for it. Its packets
 * may belong to a VF that is about to go. Lanes in a plan are their workers' and not touched. */
static void drop_orphans(struct planner *planner)
{
	mark_published(planner);
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &planner->relays->relay[i];
		bool has_vf = relay->vf_end.phase == VF_ATTACHED;
		bool has_guest =
		        relay->guest_end.guest.connected && relay->guest_end.guest.rx_queues != 0;

		for (unsigned q = 0; q < VF_QUEUES_MAX; q++)
			if ((!has_vf || !has_guest ||
			     relay->lanes.vf_to_vm_worker[q] == LANE_UNPLACED) &&
			    !planner->in_plan[lane_number(&relay->lanes.vf_to_vm[q])])
				lane_drop_backlog(&relay->lanes.vf_to_vm[q]);
		for (unsigned q = 0; q < GUEST_QUEUES_MAX; q++)
			if ((!vf_end_takes(&relay->vf_end) ||
			     relay->lanes.vm_to_vf_worker[q] == LANE_UNPLACED) &&
			    !planner->in_plan[lane_number(&relay->lanes.vm_to_vf[q])])
				lane_drop_backlog(&relay->lanes.vm_to_vf[q]);
	}
}

/* Likewise: what a lane holds for queues that are not its own any more goes to its new ones. */
static void aim_lanes(struct planner *planner)
{
	for (unsigned i = 0; i < planner->n_lanes; i++) {
		const struct lane_work *work = &planner->wanted[i];

		if (work->guest_queues != 0 && !planner->in_plan[lane_number(work->lane)])
			lane_aim(work->lane, work->guest_queues);
	}
}

static int publish_lanes(struct planner *planner)
{
	int rc = reserve_memory(planner);

	if (rc == 0)
		rc = make_plans(planner);
	if (rc < 0)
		return rc;
	publish(planner, planner->without);
	drop_orphans(planner);
	aim_lanes(planner);
	flush_caches(planner);
	publish(planner, planner->complete);
	return 0;
}

int planner_apply(struct planner *planner)
{
	list_lanes(planner);
	placing_place(planner->placing, planner->lanes, planner->n_lanes);
	return publish_lanes(planner);
}

int planner_explain(struct planner *planner, line_fn line, void *context)
{
	list_lanes(planner);
	return placing_explain(planner->placing, planner->lanes, planner->n_lanes, line, context);
}

int planner_balance(struct planner *planner)
{
	list_lanes(planner);
	if (placing_balance(planner->placing, planner->lanes, planner->n_lanes) == 0)
		return 0;
	return publish_lanes(planner);
}
