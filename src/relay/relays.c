/* All relays together. See relays.h. Control thread only, but for the two functions that post
 * events.
 */
#include "relay/relays.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "relay/guest_life.h"
#include "relay/guest_watch.h"
#include "relay/host.h"
#include "relay/kernel_life.h"
#include "relay/mac.h"
#include "relay/members.h"
#include "relay/mtu.h"
#include "relay/pairing.h"
#include "relay/rss.h"
#include "relay/sockets.h"
#include "relay/trunk.h"
#include "relay/vf_life.h"
#include "vf/events.h"

/* What a guest may write into the log. */
#define GUEST_LOG_MS    10000
#define GUEST_LOG_LINES 20

/* And whoever takes sockets away, of each. */
#define FILE_LOG_MS    60000
#define FILE_LOG_LINES 4

/* --- what the ends report -------------------------------------------------------------------- */

static bool is_bond(const struct relay *relay)
{
	return relay->vf_end.bond.n_members > 0;
}

static void on_vf_attached(struct relay *relay)
{
	host_attached(relay);
	mtu_compare(relay);
	if (is_bond(relay))
		members_attached(relay);
}

void relays_vf_lost(struct relay *relay)
{
	if (relay->vf_end.phase == VF_ATTACHING) /* heard of when it is attached */
		atomic_fetch_or(&relay->vf_end.lost_members, 1);
	if (relay->vf_end.phase != VF_ATTACHED)
		return;
	if (is_bond(relay))
		members_mend(relay);
	else
		vf_life_return(relay);
}

static void on_socket_opened(struct relay *relay, const char *error)
{
	if (relay->relays->config->dynamic_sockets)
		pairing_opened(relay, error);
	else if (error != NULL)
		log_err("relay %u: no socket: %s", relay->id, error);
	else
		kernel_life_settle_socket(relay);
}

static void on_socket_closed(struct relay *relay)
{
	if (relay->relays->config->dynamic_sockets)
		pairing_closed(relay);
	else
		kernel_life_settle_socket(relay);
}

static const struct relay_reports reports = {
        .vf_attached = on_vf_attached,
        .vf_lost = relays_vf_lost,
        .vf_gone = pairing_vf_gone,
        .socket_opened = on_socket_opened,
        .socket_closed = on_socket_closed,
};

/* --- events from other threads ------------------------------------------------------------- */

/* Any thread, never blocks: events are bits, so there is no queue to overflow. */
static void post_event(struct relays *relays, _Atomic uint64_t *events, unsigned relay_id)
{
	uint64_t one = 1;

	atomic_fetch_or(events, 1ULL << relay_id);
	if (write(relays->event_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: control is awake anyway */
}

static void on_guest_event(void *context, unsigned relay_id)
{
	struct relays *relays = context;

	post_event(relays, &relays->guest_events, relay_id);
}

static void on_vf_event(void *context, unsigned relay_id, unsigned member)
{
	struct relays *relays = context;

	atomic_fetch_or(&relays->relay[relay_id].vf_end.lost_members, 1U << member);
	post_event(relays, &relays->lost_events, relay_id);
}

static void on_events(void *context)
{
	struct relays *relays = context;
	uint64_t count, guests, lost;

	if (read(relays->event_fd, &count, sizeof(count)) < 0)
		return;
	guests = atomic_exchange(&relays->guest_events, 0);
	lost = atomic_exchange(&relays->lost_events, 0);
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		if (lost >> i & 1)
			relays_vf_lost(&relays->relay[i]);
		if (guests >> i & 1) {
			if (guest_life_changed(&relays->relay[i]))
				on_guest_event(relays, i);
			sockets_look(&relays->relay[i]);
		}
	}
}

/* --- the beginning --------------------------------------------------------------------------- */

static int lanes_init(struct lanes *lanes, unsigned relay_id)
{
	lanes->vf_to_vm_pin = lanes->vm_to_vf_pin = LANE_UNPLACED;
	for (unsigned i = 0; i < VF_QUEUES_MAX; i++) {
		lanes->vf_to_vm_worker[i] = LANE_UNPLACED;
		if (lane_init(&lanes->vf_to_vm[i], relay_id, LANE_VF_TO_VM, i) < 0)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < GUEST_QUEUES_MAX; i++) {
		lanes->vm_to_vf_worker[i] = LANE_UNPLACED;
		if (lane_init(&lanes->vm_to_vf[i], relay_id, LANE_VM_TO_VF, i) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int relay_init(struct relay *relay, struct relays *relays, unsigned id)
{
	relay->id = id;
	relay->relays = relays;
	relay->guest_end.guest.numa_node = -1;
	relay->guest_end.log = (struct log_limit)LOG_LIMIT(GUEST_LOG_MS, GUEST_LOG_LINES);
	relay->guest_end.file.log = (struct log_limit)LOG_LIMIT(FILE_LOG_MS, FILE_LOG_LINES);
	TAILQ_INIT(&relay->vf_end.adders);
	TAILQ_INIT(&relay->vf_end.removers);
	TAILQ_INIT(&relay->pair.adders);
	TAILQ_INIT(&relay->pair.removers);
	return lanes_init(&relay->lanes, id);
}

int relays_init(struct relays *relays, const struct config *config, struct loop *loop,
                struct workers *workers, const struct relay_hooks *hooks)
{
	relays->config = config;
	relays->loop = loop;
	relays->workers = workers;
	relays->hooks = *hooks;
	relays->reports = reports;
	relays->event_fd = relays->link_fd = -1;
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		if (relay_init(&relays->relay[i], relays, i) < 0)
			return -ENOMEM;
	return 0;
}

int relays_listen(struct relays *relays)
{
	relays->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (relays->event_fd < 0 ||
	    loop_add_fd(relays->loop, relays->event_fd, LOOP_READABLE, on_events, relays) < 0)
		return -ENOMEM;
	vf_events_init(on_vf_event, relays);
	return 0;
}

int relays_open(struct relays *relays, struct error *err)
{
	const struct guest_user user = {.workers = relays->workers,
	                                .on_event = on_guest_event,
	                                .context = relays,
	                                .directory = relays->config->pid_dir};

	if (guest_init(relays->config->guest_backend, &user, err) < 0)
		return -err->code;
	return guest_life_start(relays, err);
}

void relays_start_static(struct relays *relays)
{
	const struct config *config = relays->config;

	for (size_t i = 0; i < config->n_static_vfs; i++) {
		const struct static_vf *vf = &config->static_vfs[i];

		vf_life_begin(&relays->relay[vf->relay_id], &vf->device, &vf->bond, &vf->far,
		              VF_ORIGIN_CONFIG, VF_EVENT_AWAIT);
	}
}

void relays_watch(struct relays *relays)
{
	mac_start(relays);
	trunk_start(relays);
	guest_watch_start(relays);
	host_start(relays);
	sockets_start(relays);
}

/* --- in between --------------------------------------------------------------------------------
 */

void relays_unplanned(struct relays *relays)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &relays->relay[i];

		kernel_life_unplanned(relay); /* before its VF, whose removal is answered last */
		vf_life_unplanned(relay);
		guest_life_unplanned(relay);
		rss_follow(relay);
	}
}

/* --- the end -----------------------------------------------------------------------------------
 */

void relays_refuse_guests(struct relays *relays)
{
	relays->quiesced = true;
	guest_life_refuse_all(relays);
}

void relays_close_guests(struct relays *relays)
{
	relays->guests_closed = guest_life_close_all(relays);
}

static void lanes_free(struct lanes *lanes)
{
	for (unsigned i = 0; i < VF_QUEUES_MAX; i++)
		lane_free(&lanes->vf_to_vm[i]);
	for (unsigned i = 0; i < GUEST_QUEUES_MAX; i++)
		lane_free(&lanes->vm_to_vf[i]);
}

void relays_detach_all(struct relays *relays)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		lanes_free(&relays->relay[i].lanes);
		vf_life_remove(&relays->relay[i]);
		kernel_life_unplanned(&relays->relay[i]);
		vf_life_unplanned(&relays->relay[i]);
	}
}

void relays_forget_waiters(struct relays *relays)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &relays->relay[i];

		waiters_forget(&relay->vf_end.adders);
		waiters_forget(&relay->vf_end.removers);
		waiters_forget(&relay->pair.adders);
		waiters_forget(&relay->pair.removers);
	}
}

void relays_free(struct relays *relays)
{
	relays_forget_waiters(relays);
	mac_stop(relays);
	trunk_stop(relays);
	guest_watch_stop(relays);
	host_stop(relays);
	sockets_stop(relays);
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		lanes_free(&relays->relay[i].lanes);
	if (relays->event_fd < 0)
		return;
	loop_remove_fd(relays->loop, relays->event_fd);
	close(relays->event_fd);
	relays->event_fd = -1;
}
