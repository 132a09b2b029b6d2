/* The control layer put together: its start and its end, the replanning at the end of the loop's
 * turn, and what others ask of it, handed to whose business it is. Control thread only.
 */
#include "control/composition.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mempool.h>

#include "base/log.h"
#include "config/config.h"
#include "config/reload.h"
#include "dpdk/env.h"
#include "dpdk/pool.h"
#include "events/events.h"
#include "events/posted.h"
#include "placement/pins.h"
#include "relay/pairing.h"
#include "relay/request.h"

#define REPLAN_RETRY_MS 100

/* How long a shutdown waits for devices before it leaves them to the kernel. */
#define DETACH_VFS_MS 10000

/* --- plans --------------------------------------------------------------------------------- */

static void on_replan(void *context)
{
	control_replan(context);
}

void control_replan(struct control *control)
{
	if (control->relays.quiesced)
		return;
	if (planner_apply(control->planner) < 0) {
		log_err("out of memory for new plans; the old ones hold until there is some");
		loop_timer_start(control->loop, &control->replan_timer, REPLAN_RETRY_MS, on_replan,
		                 control);
		return;
	}
	relays_unplanned(&control->relays);
}

/* Loads are told apart from noise by several samples, so the first round comes an interval on. */
static void on_balance(void *context)
{
	struct control *control = context;
	uint64_t interval_ms = (uint64_t)(control->config->core_sched_poll_interval * 1000);

	if (!control->relays.quiesced && planner_balance(control->planner) < 0)
		log_warn("out of memory for balanced plans; the old ones hold");
	loop_timer_start(control->loop, &control->balance_timer, interval_ms, on_balance, control);
}

/* By the settings as they are now: also when they have changed. */
static void start_balancing(struct control *control)
{
	uint64_t interval_ms = (uint64_t)(control->config->core_sched_poll_interval * 1000);

	loop_timer_stop(&control->balance_timer);
	if (control->config->core_sched_enable)
		loop_timer_start(control->loop, &control->balance_timer, interval_ms, on_balance,
		                 control);
}

/* --- what relays tell ------------------------------------------------------------------------ */

static void on_relay_changed(void *context)
{
	struct control *control = context;

	loop_task_raise(control->loop, &control->replan);
}

static void on_relay_to_keep(void *context, const struct relay *relay)
{
	struct control *control = context;

	saved_changed(control->saved, relay);
}

static bool is_relay_kept(void *context, const struct relay *relay)
{
	const struct control *control = context;

	return saved_is_written(control->saved, relay);
}

static void on_answer_kept(void *context, struct waiter_list *waiters)
{
	struct control *control = context;

	saved_answer(control->saved, waiters);
}

int control_init_relays(struct control *control, const struct config *config, struct loop *loop,
                        struct workers *workers)
{
	const struct relay_hooks hooks = {
	        .context = control,
	        .changed = on_relay_changed,
	        .keep = on_relay_to_keep,
	        .is_kept = is_relay_kept,
	        .answer_kept = on_answer_kept,
	};

	control->config = config;
	control->loop = loop;
	control->workers = workers;
	loop_task_init(&control->replan, on_replan, control);
	if (relays_init(&control->relays, config, loop, workers, &hooks) < 0)
		return -ENOMEM;
	pins_init(&control->relays);
	return 0;
}

/* --- start and end -------------------------------------------------------------------------- */

static struct control *control_allocate(const struct config *config, struct loop *loop)
{
	size_t size = RTE_ALIGN_CEIL(sizeof(struct control), RTE_CACHE_LINE_SIZE);
	struct control *control = aligned_alloc(RTE_CACHE_LINE_SIZE, size);

	if (control == NULL)
		return NULL;
	memset(control, 0, size);
	control->config = config;
	control->loop = loop;
	control->relays.event_fd = control->relays.link_fd = control->posted_fd = -1;
	return control;
}

static void on_posted(void *context)
{
	(void)context;
	posted_tell();
}

/* What there has to be before anything runs. 0 or -ENOMEM. */
static int create_parts(struct control *control)
{
	struct relays *relays = &control->relays;

	if (control_init_relays(control, control->config, control->loop, control->workers) < 0)
		return -ENOMEM;
	control->discard_pool = pool_discard_create(control->workers->worker[0].numa_node);
	if (control->discard_pool == NULL)
		return -ENOMEM;
	control->planner = planner_create(relays, &control->loads, control->discard_pool);
	relays->device_thread = job_thread_create("device", control->loop);
	relays->guest_thread = job_thread_create("guest", control->loop);
	control->sampler = sampler_create(relays, &control->loads);
	control->cpu_watch = cpu_watch_create(control->workers, control->loop);
	control->posted_fd = posted_open();
	if (control->posted_fd < 0 ||
	    loop_add_fd(control->loop, control->posted_fd, LOOP_READABLE, on_posted, control) < 0)
		return -ENOMEM;
	if (control->planner == NULL || relays->device_thread == NULL ||
	    relays->guest_thread == NULL || control->sampler == NULL || control->cpu_watch == NULL)
		return -ENOMEM;
	return relays_listen(relays);
}

static void let_sleep(struct control *control)
{
	const struct config *config = control->config;
	const struct idle_policy policy =
	        idle_policy_of(config->idle_grace_us, config->idle_timed_max_us,
	                       config->idle_net_ms, control->workers->cycles_per_s);

	workers_let_sleep(control->workers, &policy, &config->idle_awake);
}

struct control *control_start(const struct config *config, struct loop *loop, struct error *err)
{
	struct control *control = control_allocate(config, loop);

	if (control == NULL)
		goto fail_memory;
	control->workers = workers_create(&config->worker_cpus, err);
	if (control->workers == NULL)
		goto fail;
	if (config_workers_sleep(config))
		let_sleep(control);
	if (create_parts(control) < 0)
		goto fail_memory;
	if (workers_start(control->workers) < 0) {
		error_set(err, EIO, "the workers cannot be started on their CPUs");
		goto fail;
	}
	control->watchdog = watchdog_create(control->workers, loop);
	if (control->watchdog == NULL)
		goto fail_memory;
	if (relays_open(&control->relays, err) < 0)
		goto fail;
	relays_start_static(&control->relays);
	if (saved_start(&control->relays, &control->saved) < 0)
		goto fail_memory;
	relays_watch(&control->relays);
	start_balancing(control);
	return control;
fail_memory:
	error_set(err, ENOMEM,
	          "not enough memory to start; check the hugepages (or --no-huge) "
	          "and the limits on memory and open files");
fail:
	if (control != NULL) {
		control_quiesce(control);
		control_destroy(control);
	}
	return NULL;
}

void control_quiesce(struct control *control)
{
	if (control->relays.quiesced)
		return;
	saved_stop(control->saved); /* while the relays are what they shall be again */
	relays_refuse_guests(&control->relays);
	if (control->workers != NULL)
		workers_stop(control->workers);
	relays_close_guests(&control->relays);
}

static void control_free(struct control *control)
{
	loop_task_cancel(control->loop, &control->replan);
	loop_timer_stop(&control->replan_timer);
	loop_timer_stop(&control->balance_timer);
	saved_destroy(control->saved);
	if (control->cpu_watch != NULL)
		cpu_watch_destroy(control->cpu_watch);
	if (control->sampler != NULL)
		sampler_destroy(control->sampler);
	if (control->watchdog != NULL)
		watchdog_destroy(control->watchdog);
	if (control->relays.device_thread != NULL)
		job_thread_destroy(control->relays.device_thread);
	if (control->relays.guest_thread != NULL)
		job_thread_destroy(control->relays.guest_thread);
	if (control->planner != NULL)
		planner_destroy(control->planner);
	rte_mempool_free(control->discard_pool);
	relays_free(&control->relays);
	if (control->workers != NULL)
		workers_destroy(control->workers);
	free(control);
}

void control_destroy(struct control *control)
{
	struct job_thread *device_thread = control->relays.device_thread;
	bool devices_released = true;

	if (control->posted_fd >= 0) {
		loop_remove_fd(control->loop, control->posted_fd);
		posted_close();
	}
	/* An attach under way ends first; what it attached is detached in the second round. */
	for (int round = 0; device_thread != NULL && round < 2; round++) {
		relays_detach_all(&control->relays);
		devices_released = job_thread_drain(device_thread, DETACH_VFS_MS);
	}
	relays_forget_waiters(&control->relays);
	if (control->relays.guests_closed && devices_released) {
		control_free(control);
		return;
	}
	log_warn("%s did not finish in time; the kernel will clean up",
	         control->relays.guests_closed ? "releasing the devices"
	                                       : "closing the guests' sockets");
}

/* --- requests ----------------------------------------------------------------------------------
 */

void control_add_vf(struct control *control, const struct vf_request *request, outcome_fn done,
                    void *context)
{
	request_vf_add(&control->relays, request, done, context);
}

void control_remove_vf(struct control *control, const struct vf_request *request, outcome_fn done,
                       void *context)
{
	request_vf_remove(&control->relays, request, done, context);
}

bool control_dynamic_sockets(const struct control *control)
{
	return control->config->dynamic_sockets;
}

bool control_vf_of_origin(const struct control *control, unsigned relay_id, enum vf_origin origin,
                          struct device_spec *device)
{
	const struct vf_end *end = &control->relays.relay[relay_id].vf_end;

	if (end->phase == VF_ABSENT || end->wish == VF_WISH_NONE || end->origin != origin)
		return false;
	*device = end->device;
	return true;
}

void control_add_sock(struct control *control, const struct sock_request *request, outcome_fn done,
                      void *context)
{
	pairing_add(&control->relays, request, done, context);
}

void control_remove_sock(struct control *control, const struct sock_request *request,
                         outcome_fn done, void *context)
{
	pairing_remove(&control->relays, request, done, context);
}

bool control_pin_read(const struct control *control, unsigned relay_id, struct cpu_pin *out)
{
	return pins_read(&control->relays, relay_id, out);
}

bool control_pin_is_of_client(const struct control *control, unsigned relay_id)
{
	struct cpu_pin ignored;

	return pins_are_changed(&control->relays, relay_id, &ignored);
}

void control_pins_update(struct control *control, const struct cpu_pin *pins, size_t count,
                         outcome_fn done, void *context)
{
	pins_update(&control->relays, pins, count, done, context);
}

int control_balance_explain(struct control *control, line_fn line, void *context)
{
	const struct config *config = control->config;
	char text[ERROR_TEXT_MAX];

	snprintf(text, sizeof(text),
	         "the balancer is %s; sensitivity %.2f, a round every %.1f s%s%s",
	         config->core_sched_enable ? "on" : "off, and would be as follows",
	         config->core_sched_sensitivity, config->core_sched_poll_interval,
	         config->core_sched_global_numa_opt ? ", across NUMA nodes" : "",
	         config->core_sched_pack ? ", idle lanes packed" : "");
	line(context, text);
	return planner_explain(control->planner, line, context);
}

/* --- settings --------------------------------------------------------------------------------
 */

static void tell_change(void *context, const char *name, const char *before, const char *now)
{
	const char *who = context;

	events_tell(&(struct event){.id = EVENT_SETTING_CHANGED,
	                            .relay = EVENT_NO_RELAY,
	                            .values = {{EVENT_FIELD_SETTING, 0, name},
	                                       {EVENT_FIELD_BEFORE, 0, before},
	                                       {EVENT_FIELD_NOW, 0, now},
	                                       {EVENT_FIELD_BY, 0, who}}},
	            EVENT_UNLIMITED, "%s is %s now, and was %s: changed by %s", name, now, before,
	            who);
}

unsigned control_settings_change(struct control *control, struct config *config,
                                 const struct config *wanted, const char *who)
{
	unsigned count;

	/* The line that tells of it is for the one who had the log speak up, and for those who
	 * wonder later why it went silent. */
	if (wanted->log_level > log_get_level())
		log_set_level(wanted->log_level);
	count = config_take(config, wanted, tell_change, (void *)(uintptr_t)who);
	log_set_level(config->log_level);
	dpdk_env_set_log_level(config->log_level);
	if (count > 0)
		start_balancing(control);
	return count;
}

const char *control_dpdk_version(void)
{
	return dpdk_env_version();
}
