/* A control layer put together by hand: relays, workers that run only if a test runs them, guests
 * and VFs of memory. No EAL, no sockets, no devices.
 *
 * WRAP: rte_lcore_is_enabled rte_get_main_lcore guest_get pool_flush_cache loop_task_raise
 */
#ifndef TEST_CONTROL_RIG_H
#define TEST_CONTROL_RIG_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "control/composition.h"
#include "fake_path.h"
#include "placement/pins.h"
#include "relay/guest_life.h"
#include "relay/host.h"
#include "relay/mac.h"
#include "relay/rss.h"
#include "relay/vf_life.h"

#define RIG_WORKERS_MAX 4
#define RIG_MAX_FRAME   2122

static struct control *rig;
static struct config rig_config;
static struct fake_guest rig_guests[RELAYS_MAX];
static struct fake_vf rig_vfs[FAKE_VF_QUEUES]; /* port i's */
static char rig_pools[RELAYS_MAX + 1];         /* only their addresses count */

/* --- what stands below control -----------------------------------------------------------------
 */

int __wrap_rte_lcore_is_enabled(unsigned lcore);
unsigned __wrap_rte_get_main_lcore(void);
struct guest *__wrap_guest_get(unsigned relay_id);
void __wrap_pool_flush_cache(struct rte_mempool *pool, unsigned lcore);

int __wrap_rte_lcore_is_enabled(unsigned lcore)
{
	return lcore <= RIG_WORKERS_MAX;
}

unsigned __wrap_rte_get_main_lcore(void)
{
	return 0;
}

struct guest *__wrap_guest_get(unsigned relay_id)
{
	return &rig_guests[relay_id].guest;
}

void __wrap_pool_flush_cache(struct rte_mempool *pool, unsigned lcore)
{
	(void)pool;
	(void)lcore;
}

/* --- the rig ------------------------------------------------------------------------------------
 */

static inline struct rte_mempool *rig_pool(unsigned relay_id)
{
	return (struct rte_mempool *)&rig_pools[relay_id];
}

/* The end of the loop's turn, at which plans follow what has changed in it. */
static inline void rig_turn_ends(void)
{
	if (!rig->replan.raised)
		return;
	rig->replan.raised = false;
	rig->replan.callback(rig->replan.context);
}

void __wrap_loop_task_raise(struct loop *loop, struct loop_task *task);

void __wrap_loop_task_raise(struct loop *loop, struct loop_task *task)
{
	(void)loop;
	task->raised = true;
}

static inline void rig_guest_init(unsigned id)
{
	rig_guests[id].guest.ops = &fake_guest_ops;
	for (unsigned i = 0; i < FAKE_GUEST_QUEUES; i++)
		rig_guests[id].tx[i].number = i;
}

static inline void rig_create(unsigned n_workers)
{
	size_t size = RTE_ALIGN_CEIL(sizeof(*rig), RTE_CACHE_LINE_SIZE);
	struct workers *workers;
	struct cpu_set cpus = {0};
	struct error err;

	log_open(LOG_TO_STDOUT, LOG_CRIT, "test");
	rig = aligned_alloc(RTE_CACHE_LINE_SIZE, size);
	ck_assert_ptr_nonnull(rig);
	memset(rig, 0, size);
	memset(&rig_config, 0, sizeof(rig_config));
	memset(rig_guests, 0, sizeof(rig_guests));
	memset(rig_vfs, 0, sizeof(rig_vfs));
	for (unsigned i = 1; i <= n_workers; i++)
		cpu_set_add(&cpus, i);
	workers = workers_create(&cpus, &err);
	ck_assert_ptr_nonnull(workers);
	workers->stall_cycles = UINT64_MAX;
	for (unsigned i = 0; i < n_workers; i++) {
		workers->worker[i].shares_cpu = true;
		workers->worker[i].numa_node = 0;
	}
	ck_assert_int_eq(control_init_relays(rig, &rig_config, NULL, workers), 0);
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		rig_guest_init(i);
	for (uint16_t port = 0; port < FAKE_VF_QUEUES; port++) {
		fake_vf_install(&rig_vfs[port], port);
		for (unsigned i = 0; i < FAKE_VF_QUEUES; i++)
			rig_vfs[port].rx[i].number = i;
	}
	rig->discard_pool = rig_pool(RELAYS_MAX);
	rig->planner = planner_create(&rig->relays, &rig->loads, rig->discard_pool);
	ck_assert_ptr_nonnull(rig->planner);
}

static inline void rig_free_lanes(void)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct lanes *lanes = &rig->relays.relay[i].lanes;

		for (unsigned q = 0; q < VF_QUEUES_MAX; q++)
			lane_free(&lanes->vf_to_vm[q]);
		for (unsigned q = 0; q < GUEST_QUEUES_MAX; q++)
			lane_free(&lanes->vm_to_vf[q]);
	}
}

static inline void rig_destroy(void)
{
	rig_free_lanes();
	planner_destroy(rig->planner);
	workers_destroy(rig->workers);
	free(rig);
}

/* As the sampler does it. */
static inline void told(struct relay *relay, const struct vf_host *host,
                        enum vf_host_question question)
{
	if (host_told(relay, host, question))
		relays_vf_lost(relay);
	rig_turn_ends();
}

static inline void rig_lose(struct relay *relay)
{
	relays_vf_lost(relay);
	rig_turn_ends();
}

static inline void rss_follow_all(void)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		rss_follow(&rig->relays.relay[i]);
}

static inline const struct plan *rig_plan(unsigned worker)
{
	return atomic_load(&rig->workers->worker[worker].plan);
}

/* A VF as vf_attach hands it over. */
static inline struct vf rig_vf(unsigned relay_id, uint16_t port_id, uint16_t n_queues)
{
	return (struct vf){.port_id = port_id,
	                   .n_queues = n_queues,
	                   .mtu = 2100,
	                   .max_frame = RIG_MAX_FRAME,
	                   .pool = rig_pool(relay_id)};
}

static inline void rig_guest_set(struct relay *relay, bool connected, uint32_t rx, uint32_t tx)
{
	relay->guest_end.guest = (struct guest_state){.connected = connected,
	                                              .rx_queues = connected ? rx : 0,
	                                              .tx_queues = connected ? tx : 0,
	                                              .numa_node = 0};
}

/* --- where a lane is ----------------------------------------------------------------------------
 */

/* NULL when no plan names it; fails when two do. */
static inline const struct lane_work *rig_find(const struct lane *lane, unsigned *worker)
{
	const struct lane_work *found = NULL;

	for (unsigned i = 0; i < rig->workers->count; i++) {
		const struct plan *plan = rig_plan(i);

		for (unsigned j = 0; j < plan->n_works; j++) {
			if (plan->works[j].lane != lane)
				continue;
			fake_expect(found == NULL);
			found = &plan->works[j];
			*worker = i;
		}
	}
	return found;
}

static inline unsigned rig_lanes_of_worker(unsigned worker)
{
	return rig_plan(worker)->n_works;
}

#endif
