/* What is asked of relays' VFs, and the answers: adding and removing, single devices and bonds.
 * Control thread only.
 *
 * A request is answered when its work is done or after CONTROL_ANSWER_MS, whichever comes first.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "relay/relay.h"

/* The wire contract's codes that are not vf.h's. */
enum {
	CODE_BAD_ID = 1,
	CODE_OCCUPIED = 8,
	CODE_OTHER_DEVICE = 3,
	CODE_NOTHING_ATTACHED = 4,
	CODE_TIMED_OUT = 5,
};

const char *relay_add_source(const struct bond_spec *bond)
{
	return bond->n_members > 0 ? "virtio_forwarder_bond_add()" : "virtio_forwarder_add_vf2()";
}

/* --- answers ------------------------------------------------------------------------------- */

static void on_add_late(void *context)
{
	struct waiter *waiter = context;
	struct relay *relay = waiter->relay;

	answer_error(waiter->done, waiter->context, relay_add_source(&relay->bond), VF_ERROR_PROBE,
	             "relay %u: %s is not ready after %u ms%s; see the log, and try again",
	             relay->id, relay->device.name, CONTROL_ANSWER_MS,
	             relay->owner == CONTROL_OWNER_CLIENT && !relay->lost
	                     ? ", so the attach is given up"
	                     : "");
	waiter_free(waiter);
	if (LIST_EMPTY(&relay->add_waiters) && relay->vf_phase == VF_ATTACHING &&
	    relay->owner == CONTROL_OWNER_CLIENT && !relay->lost) {
		relay->abandoned = true;
		relay_vf_give_up(relay);
	}
}

static void on_remove_late(void *context)
{
	struct waiter *waiter = context;

	answer_error(waiter->done, waiter->context, RELAY_REMOVE_SOURCE, CODE_TIMED_OUT,
	             "relay %u: the removal takes longer than %u ms; it goes on", waiter->relay->id,
	             CONTROL_ANSWER_MS);
	waiter_free(waiter);
}

/* -ENOMEM, answered already. */
static int wait_for(struct relay *relay, struct waiter_list *waiters, loop_fn on_late,
                    const char *source, control_done_fn done, void *context)
{
	int rc = waiter_add(waiters, relay, on_late, done, context);

	if (rc < 0)
		answer_error(done, context, source, VF_ERROR_NO_MEMPOOL, "out of memory");
	return rc;
}

/* --- requests ------------------------------------------------------------------------------ */

struct relay *relay_of_device(struct control *control, const struct device_spec *device)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &control->relays[i];

		if (relay->vf_phase != VF_ABSENT && device_spec_equal(&relay->device, device))
			return relay;
	}
	return NULL;
}

struct relay *relay_using(struct control *control, const struct device_spec *device,
                          const struct bond_spec *bond)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &control->relays[i];

		if (relay->vf_phase != VF_ABSENT &&
		    bond_spec_overlap(&relay->device, &relay->bond, device, bond))
			return relay;
	}
	return NULL;
}

bool relay_has_exactly(const struct relay *relay, const struct device_spec *device,
                       const struct bond_spec *bond)
{
	return relay->vf_phase != VF_ABSENT && device_spec_equal(&relay->device, device) &&
	       bond_spec_equal(&relay->bond, bond);
}

static bool relay_is_leaving(const struct relay *relay)
{
	return relay->vf_phase == VF_LEAVING || relay->vf_phase == VF_DETACHING ||
	       relay->abandoned || relay->detach_wanted;
}

static const char *owner_text(enum control_owner owner)
{
	switch (owner) {
	case CONTROL_OWNER_OVSDB:
		return "OVSDB (an Interface row's external_ids)";
	case CONTROL_OWNER_CONFIG:
		return "the configuration (a static VF)";
	default:
		return "a client of the control endpoint";
	}
}

/* Whether the request is refused, and answered so, because the relay's VF is somebody else's. */
static bool answer_foreign(const struct relay *relay, const struct control_vf_request *request,
                           control_done_fn done, void *context, const char *source, int code)
{
	if (relay->vf_phase == VF_ABSENT || relay->owner == request->owner ||
	    (relay->owner == CONTROL_OWNER_CONFIG && request->owner == CONTROL_OWNER_CLIENT))
		return false;
	answer_error(done, context, source, code, "relay %u has %s from %s; remove it there first",
	             relay->id, relay->device.name, owner_text(relay->owner));
	return true;
}

bool control_vf_of_owner(const struct control *control, unsigned relay_id, enum control_owner owner,
                         struct device_spec *device)
{
	const struct relay *relay = &control->relays[relay_id];

	if (relay->vf_phase == VF_ABSENT || relay->owner != owner ||
	    (relay_is_leaving(relay) && !relay->lost))
		return false;
	*device = relay->device;
	return true;
}

/* A device that is wanted is another relay's. */
static void answer_held(const struct relay *holder, const struct control_vf_request *request,
                        control_done_fn done, void *context)
{
	bool bond = request->bond.n_members > 0;
	bool by_name = device_spec_equal(&holder->device, &request->device);
	const char *whose = bond && !by_name ? " (a member of the bond)" : "";
	int code = bond && !by_name ? BOND_ERROR_MEMBER_IN_USE : VF_ERROR_PROBE;

	if (relay_is_leaving(holder))
		answer_error(done, context, relay_add_source(&request->bond), code,
		             "relay %u is still giving back %s%s; try again in a moment",
		             holder->id, holder->device.name, whose);
	else
		answer_error(done, context, relay_add_source(&request->bond), code,
		             "relay %u has %s%s from %s; remove it there first", holder->id,
		             holder->device.name, whose, owner_text(holder->owner));
}

/* A static VF that could not be attached so far. */
static bool is_missing(const struct relay *relay)
{
	return relay->awaited && relay->last_failure[0] != '\0';
}

/* Whether adding it is no more than what there is already, or is being waited for. */
static bool is_repetition(struct relay *relay, const struct control_vf_request *request)
{
	if (!relay_has_exactly(relay, &request->device, &request->bond) ||
	    (!request->conditional && !relay->restored && !is_missing(relay)))
		return false;
	relay->restored = false; /* somebody has asked */
	return true;
}

/* A static VF that has not been there since the start keeps neither its relay nor its device from
 * others who ask for them. */
static bool gives_way(const struct relay *relay, const struct control_vf_request *request)
{
	bool same = request->owner == CONTROL_OWNER_CLIENT && relay->id == request->relay_id &&
	            relay_has_exactly(relay, &request->device, &request->bond);

	return relay->awaited && relay->vf_phase == VF_LOST && !same;
}

static bool is_in_the_way(const struct relay *relay, const struct control_vf_request *request)
{
	return relay->vf_phase != VF_ABSENT &&
	       bond_spec_overlap(&relay->device, &relay->bond, &request->device, &request->bond);
}

/* Who has the device and does not give way, NULL = nobody. */
static const struct relay *holder_of(const struct control *control,
                                     const struct control_vf_request *request)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		const struct relay *relay = &control->relays[i];

		if (is_in_the_way(relay, request) && !gives_way(relay, request))
			return relay;
	}
	return NULL;
}

static void have_others_give_way(struct control *control, const struct control_vf_request *request)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &control->relays[i];

		if (!gives_way(relay, request) ||
		    (i != request->relay_id && !is_in_the_way(relay, request)))
			continue;
		log_notice("relay %u: %s, a static VF that is not there, is not waited for any "
		           "longer: %s is asked for, for relay %u",
		           relay->id, relay->device.name, request->device.name, request->relay_id);
		relay_vf_leave(relay);
	}
}

void control_add_vf(struct control *control, const struct control_vf_request *request,
                    control_done_fn done, void *context)
{
	const char *source = relay_add_source(&request->bond);
	const struct relay *holder;
	struct relay *relay;
	bool again;

	if (request->relay_id >= RELAYS_MAX) {
		answer_error(done, context, source, CODE_BAD_ID,
		             "there is no relay %u; ids are 0 to %d", request->relay_id,
		             RELAYS_MAX - 1);
		return;
	}
	relay = &control->relays[request->relay_id];
	if (request->owner == CONTROL_OWNER_OVSDB) {
		restore_yield(relay, request);
		restore_yield(relay_using(control, &request->device, &request->bond), request);
	}
	if (!gives_way(relay, request) &&
	    answer_foreign(relay, request, done, context, source, CODE_OCCUPIED))
		return;
	again = !gives_way(relay, request) && is_repetition(relay, request);
	if (again && relay->vf_phase == VF_ATTACHED) {
		saved_answer(relay, done, context);
		return;
	}
	if (again && relay->vf_phase == VF_LOST) {
		/* Somebody knows that it is back. */
		if (wait_for(relay, &relay->add_waiters, on_add_late, source, done, context) < 0)
			return;
		loop_timer_stop(&relay->retry);
		relay_vf_attach(relay);
		return;
	}
	if (again && relay->vf_phase == VF_ATTACHING && !relay->abandoned &&
	    !relay->detach_wanted) {
		wait_for(relay, &relay->add_waiters, on_add_late, source, done, context);
		return;
	}
	if (relay->vf_phase != VF_ABSENT && !gives_way(relay, request)) {
		bool leaving = relay_is_leaving(relay);

		answer_error(done, context, source, CODE_OCCUPIED, "relay %u %s %s; %s", relay->id,
		             leaving ? "is still giving back" : "has", relay->device.name,
		             leaving ? "try again in a moment" : "remove that first");
		return;
	}
	holder = holder_of(control, request);
	if (holder != NULL) {
		answer_held(holder, request, done, context);
		return;
	}
	have_others_give_way(control, request);
	if (wait_for(relay, &relay->add_waiters, on_add_late, source, done, context) < 0)
		return;
	relay->device = request->device;
	relay->bond = request->bond;
	relay->owner = request->owner;
	relay->lost = relay->awaited = false;
	relay->restored = false;
	relay->last_failure[0] = '\0';
	memset(relay->member_past, 0, sizeof(relay->member_past));
	memset(relay->member_backoff, 0, sizeof(relay->member_backoff));
	relay->backoff = (struct backoff){0};
	relay_vf_attach(relay);
}

/* Whether that is the device to remove. A bond is named; its members need not be. */
static bool request_means(const struct control_vf_request *request, const struct relay *relay)
{
	return device_spec_equal(&relay->device, &request->device) &&
	       (request->bond.n_members == 0 ||
	        bond_spec_same_members(&relay->bond, &request->bond));
}

void control_remove_vf(struct control *control, const struct control_vf_request *request,
                       control_done_fn done, void *context)
{
	struct relay *relay;

	if (request->relay_id >= RELAYS_MAX) {
		answer_error(done, context, RELAY_REMOVE_SOURCE, CODE_BAD_ID,
		             "there is no relay %u; ids are 0 to %d", request->relay_id,
		             RELAYS_MAX - 1);
		return;
	}
	relay = &control->relays[request->relay_id];
	if (relay->vf_phase == VF_ABSENT) {
		if (request->conditional)
			saved_answer(relay, done, context);
		else
			answer_error(done, context, RELAY_REMOVE_SOURCE, CODE_NOTHING_ATTACHED,
			             "relay %u has no VF", relay->id);
		return;
	}
	if (answer_foreign(relay, request, done, context, RELAY_REMOVE_SOURCE, VF_ERROR_DETACH))
		return;
	if (request->has_device && !request_means(request, relay)) {
		answer_error(done, context, RELAY_REMOVE_SOURCE, CODE_OTHER_DEVICE,
		             "relay %u has %s, not %s%s", relay->id, relay->device.name,
		             request->device.name,
		             bond_spec_has(&relay->bond, &request->device)
		                     ? ", which is a member of it; a bond is removed by its name"
		                     : "");
		return;
	}
	if (relay->vf_phase == VF_LOST) {
		relay_vf_leave(relay);
		saved_answer(relay, done, context);
		return;
	}
	if (wait_for(relay, &relay->remove_waiters, on_remove_late, RELAY_REMOVE_SOURCE, done,
	             context) < 0)
		return;
	relay_vf_leave(relay);
}
