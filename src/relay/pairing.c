/* Dynamic sockets. See pairing.h; what follows from what is pair_step's.
 *
 * The device is attached first, on the device thread, then the socket is opened, on the guest
 * thread. When the second half fails, or nobody waits for it any more, the first is taken back,
 * and only then the relay is idle again. A removal ends both at once.
 */
#include "relay/pairing.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "events/events.h"
#include "relay/guest_life.h"
#include "relay/request.h"
#include "relay/vf_life.h"
#include "sys/socket_path.h"

static enum pair_action take(struct relay *relay, enum pair_event event)
{
	struct pair_step step = pair_step(relay->pair.state, event);

	relay->pair.state = step.next;
	return step.action;
}

static void tell(const struct relay *relay, enum event_id id, const char *what)
{
	const char *device = relay->vf_end.device.name, *socket = relay->guest_end.path;

	events_tell(&(struct event){.id = id,
	                            .relay = (int)relay->id,
	                            .values = {{EVENT_FIELD_DEVICE, 0, device},
	                                       {EVENT_FIELD_SOCKET, 0, socket}}},
	            EVENT_UNLIMITED, "relay %u: %s and %s %s", relay->id, device, socket, what);
}

/* --- the end of a pair ----------------------------------------------------------------------- */

static void finish(struct relay *relay)
{
	struct pair *pair = &relay->pair;
	struct outcome failure = pair->failure;
	char error[ERROR_TEXT_MAX];

	if (relay->guest_end.phase != GUEST_CLOSED || relay->vf_end.phase != VF_ABSENT ||
	    take(relay, PAIR_EVENT_ENDED) != PAIR_ACTION_FORGET)
		return;
	tell(relay, EVENT_RELAY_REMOVED, "are no relay any more");
	memcpy(error, pair->end_error, sizeof(error));
	relay->guest_end.path[0] = '\0';
	waiters_answer(&pair->adders, &failure);
	if (error[0] != '\0')
		waiters_fail(&pair->removers, OUTCOME_PAIR_DEVICE_FAILED, error);
	else
		relay_answer_kept(relay, &pair->removers);
}

/* Either end may be gone, or going, already. */
static void end_both(struct relay *relay)
{
	relay->pair.end_error[0] = '\0';
	relay_keep(relay);
	guest_life_close(relay);
	vf_life_remove(relay);
	finish(relay);
}

static void roll_back(struct relay *relay, enum outcome_reason reason, const char *why)
{
	struct outcome *failure = &relay->pair.failure;

	*failure = (struct outcome){.reason = reason};
	snprintf(failure->text, sizeof(failure->text), "%s", why);
	log_warn("relay %u: %s and %s are not paired: %s", relay->id, relay->vf_end.device.name,
	         relay->guest_end.path, why);
	end_both(relay);
}

void pairing_vf_gone(struct relay *relay, const char *error)
{
	enum pair_action action;

	if (relay->relays->quiesced && relay->pair.state.phase == PAIR_MADE)
		return; /* it is to come back with the next start */
	action = take(relay, PAIR_EVENT_VF_GONE);
	if (action == PAIR_ACTION_END) {
		log_warn("relay %u: %s ends too, as %s does not come back", relay->id,
		         relay->guest_end.path, relay->vf_end.device.name);
		end_both(relay);
	} else if (action == PAIR_ACTION_LOOK) {
		if (error != NULL)
			snprintf(relay->pair.end_error, sizeof(relay->pair.end_error), "%s", error);
		finish(relay);
	}
}

void pairing_closed(struct relay *relay)
{
	if (take(relay, PAIR_EVENT_CLOSED) == PAIR_ACTION_LOOK)
		finish(relay);
}

/* --- its beginning --------------------------------------------------------------------------- */

static void announce(struct relay *relay)
{
	relay_keep(relay);
	tell(relay, EVENT_RELAY_ADDED, "are paired");
	relay_answer_kept(relay, &relay->pair.adders);
}

void pairing_opened(struct relay *relay, const char *error)
{
	switch (take(relay, error != NULL ? PAIR_EVENT_OPEN_FAILED : PAIR_EVENT_OPENED)) {
	case PAIR_ACTION_ANNOUNCE:
		announce(relay);
		break;
	case PAIR_ACTION_ROLL_BACK:
		roll_back(relay, OUTCOME_PAIR_SOCKET_FAILED,
		          error != NULL ? error : "removed again before it was ready");
		break;
	case PAIR_ACTION_END:
		end_both(relay);
		break;
	case PAIR_ACTION_LOOK:
		finish(relay);
		break;
	default:
		break;
	}
}

/* What it is called when the device is to blame. */
static enum outcome_reason device_failure(const struct relay *relay)
{
	return relay->vf_end.bond.n_members > 0 ? OUTCOME_PAIR_BOND_FAILED
	                                        : OUTCOME_PAIR_DEVICE_FAILED;
}

static void on_attached(void *context, const struct outcome *outcome)
{
	struct relay *relay = context;
	bool ok = outcome->reason == OUTCOME_OK;

	switch (take(relay, ok ? PAIR_EVENT_ATTACHED : PAIR_EVENT_ATTACH_FAILED)) {
	case PAIR_ACTION_OPEN:
		guest_life_open(relay);
		break;
	case PAIR_ACTION_ROLL_BACK:
		roll_back(relay, device_failure(relay),
		          ok ? "removed again before it was ready" : outcome->text);
		break;
	default:
		break;
	}
}

static void begin(struct relay *relay, const struct sock_request *request)
{
	struct vf_request attach = {
	        .origin = VF_ORIGIN_CLIENT,
	        .relay_id = relay->id,
	        .has_device = true,
	        .device = request->device,
	        .bond = request->bond,
	};

	take(relay, PAIR_EVENT_ADD);
	request_vf_add(relay->relays, &attach, on_attached, relay);
}

void pairing_restore(struct relay *relay, const struct device_spec *device,
                     const struct bond_spec *bond, const char *path)
{
	const struct far_spec guest = {.kind = FAR_GUEST};
	struct error err;

	if (socket_path_check(path, sizeof(relay->guest_end.path), &err) < 0) {
		log_err("relay %u: what a client had added before the restart is given up: %s",
		        relay->id, err.text);
		return;
	}
	snprintf(relay->guest_end.path, sizeof(relay->guest_end.path), "%s", path);
	take(relay, PAIR_EVENT_RESTORE);
	guest_life_open(relay);
	vf_life_begin(relay, device, bond, &guest, VF_ORIGIN_RESTORED, VF_EVENT_RESTORE);
}

/* --- requests that take too long -------------------------------------------------------------- */

static void on_add_late(void *context)
{
	struct waiter *waiter = context;
	struct relay *relay = waiter->relay;
	const struct pair *pair = &relay->pair;
	enum outcome_reason reason = OUTCOME_PAIR_SOCKET_FAILED;

	if (pair->state.phase == PAIR_ATTACHING)
		reason = device_failure(relay);
	else if (pair->state.phase == PAIR_REMOVING)
		reason = pair->failure.reason;
	outcome_fail(
	        waiter->done, waiter->context, reason,
	        "relay %u: %s is not ready after %u ms, so the relay is given up; see the log, "
	        "and try again",
	        relay->id, reason == OUTCOME_PAIR_SOCKET_FAILED ? "the socket" : "the device",
	        WAITER_MS);
	waiter_free(waiter);
	if (TAILQ_EMPTY(&pair->adders))
		take(relay, PAIR_EVENT_GIVE_UP);
}

static void on_remove_late(void *context)
{
	struct waiter *waiter = context;

	outcome_fail(waiter->done, waiter->context, OUTCOME_LATE,
	             "relay %u: the removal takes longer than %u ms; it goes on", waiter->relay->id,
	             WAITER_MS);
	waiter_free(waiter);
}

/* --- requests ----------------------------------------------------------------------------------
 */

static void begin_if_possible(struct relay *relay, const struct sock_request *request,
                              outcome_fn done, void *context)
{
	struct error err;

	if (socket_path_check(request->path, sizeof(relay->guest_end.path), &err) < 0) {
		outcome_fail(done, context, OUTCOME_PAIR_SOCKET_FAILED, "%s", err.text);
		return;
	}
	if (waiter_join(&relay->pair.adders, relay, relay->relays->loop, on_add_late, done,
	                context) < 0)
		return;
	snprintf(relay->guest_end.path, sizeof(relay->guest_end.path), "%s", request->path);
	begin(relay, request);
}

void pairing_add(struct relays *relays, const struct sock_request *request, outcome_fn done,
                 void *context)
{
	struct relay *relay = NULL;

	switch (judge_sock_add(relays, request, &relay)) {
	case SOCK_ADD_BEGIN:
		begin_if_possible(relay, request, done, context);
		break;
	case SOCK_ADD_THERE:
		vf_end_claim(&relay->vf_end);
		request_answer_kept(relay, done, context);
		break;
	case SOCK_ADD_JOIN:
		vf_end_claim(&relay->vf_end);
		waiter_join(&relay->pair.adders, relay, relay->relays->loop, on_add_late, done,
		            context);
		break;
	case SOCK_ADD_NO_PATH:
		outcome_fail(done, context, OUTCOME_NOT_GIVEN,
		             "the path of the vhost-user socket is missing");
		break;
	case SOCK_ADD_NOT_DYNAMIC:
		outcome_fail(done, context, OUTCOME_NOT_DYNAMIC,
		             "dynamic sockets are off: start the daemon with --dynamic-sockets, or "
		             "use ADD with the id of a relay");
		break;
	case SOCK_ADD_GOING:
		outcome_fail(done, context, OUTCOME_SOCKET_TAKEN,
		             "relay %u is still giving back %s and %s; try again in a moment",
		             relay->id, relay->vf_end.device.name, relay->guest_end.path);
		break;
	case SOCK_ADD_DEVICE_HELD:
		outcome_fail(done, context, OUTCOME_PAIR_DEVICE_HELD,
		             "relay %u has %s with the socket %s; remove that first", relay->id,
		             relay->vf_end.device.name, relay->guest_end.path);
		break;
	case SOCK_ADD_DEVICE_GOING:
		outcome_fail(done, context, OUTCOME_PAIR_DEVICE_HELD,
		             "relay %u is still giving back %s; try again in a moment", relay->id,
		             relay->vf_end.device.name);
		break;
	case SOCK_ADD_SOCKET_TAKEN:
		outcome_fail(done, context, OUTCOME_SOCKET_TAKEN,
		             "the socket %s belongs to relay %u with %s; remove that first",
		             relay->guest_end.path, relay->id, relay->vf_end.device.name);
		break;
	case SOCK_ADD_NO_RELAY:
		outcome_fail(done, context, OUTCOME_NO_RELAY,
		             "all %d relays are in use; remove one first", RELAYS_MAX);
		break;
	}
}

static void begin_removal(struct relay *relay, outcome_fn done, void *context)
{
	if (waiter_join(&relay->pair.removers, relay, relay->relays->loop, on_remove_late, done,
	                context) < 0)
		return;
	switch (take(relay, PAIR_EVENT_REMOVE)) {
	case PAIR_ACTION_END:
		end_both(relay);
		break;
	case PAIR_ACTION_REMOVE_VF: /* on_attached hears of it */
		vf_life_remove(relay);
		break;
	default:
		break;
	}
}

/* What a removal means is not there, or not one relay's. */
static void refuse_removal(const struct sock_request *request, enum outcome_reason reason,
                           const char *why, outcome_fn done, void *context)
{
	outcome_fail(done, context, reason, "%s%s%s: %s",
	             request->path != NULL ? request->path : "",
	             request->path != NULL && request->has_device ? " and " : "",
	             request->has_device ? request->device.name : "", why);
}

void pairing_remove(struct relays *relays, const struct sock_request *request, outcome_fn done,
                    void *context)
{
	struct relay *relay = NULL;

	switch (judge_sock_remove(relays, request, &relay)) {
	case SOCK_REMOVE_BEGIN:
		begin_removal(relay, done, context);
		break;
	case SOCK_REMOVE_NOTHING:
		outcome_ok(done, context);
		break;
	case SOCK_REMOVE_NOT_GIVEN:
		outcome_fail(done, context, OUTCOME_NOT_GIVEN,
		             "the path of the vhost-user socket, the device, or both are wanted");
		break;
	case SOCK_REMOVE_NOT_DYNAMIC:
		outcome_fail(done, context, OUTCOME_NOT_DYNAMIC,
		             "dynamic sockets are off, so there is no relay to remove; use REMOVE "
		             "with the id of a relay");
		break;
	case SOCK_REMOVE_NO_RELAY:
		refuse_removal(request, OUTCOME_NO_RELAY, "no relay has it", done, context);
		break;
	case SOCK_REMOVE_OTHER_MEMBERS:
		refuse_removal(request, OUTCOME_MISMATCH,
		               "the bond has other members; its name alone is enough", done,
		               context);
		break;
	case SOCK_REMOVE_MISMATCH:
		refuse_removal(request, OUTCOME_MISMATCH,
		               "the socket and the device are not one relay's; give one of them, "
		               "or those that the statistics show together",
		               done, context);
		break;
	}
}
