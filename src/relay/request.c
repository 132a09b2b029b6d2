/* Carries out what judge.c says of requests for VFs. See request.h. */
#include "relay/request.h"

#include "base/log.h"
#include "relay/vf_life.h"

/* --- answers ------------------------------------------------------------------------------- */

static void on_add_late(void *context)
{
	struct waiter *waiter = context;
	struct relay *relay = waiter->relay;
	struct vf_end *end = &relay->vf_end;
	bool given_up = end->origin == VF_ORIGIN_CLIENT && end->wish == VF_WISH_ONCE;

	outcome_fail(waiter->done, waiter->context, OUTCOME_LATE,
	             "relay %u: %s is not ready after %u ms%s; see the log, and try again",
	             relay->id, end->device.name, WAITER_MS,
	             given_up ? ", so the attach is given up" : "");
	waiter_free(waiter);
	if (given_up && TAILQ_EMPTY(&end->adders))
		vf_life_give_up(relay);
}

static void on_remove_late(void *context)
{
	struct waiter *waiter = context;

	outcome_fail(waiter->done, waiter->context, OUTCOME_LATE,
	             "relay %u: the removal takes longer than %u ms; it goes on", waiter->relay->id,
	             WAITER_MS);
	waiter_free(waiter);
}

/* The time of one who only waits for the file is the file's: see the hook answer_kept. */
static void on_kept_late(void *context)
{
	struct waiter *waiter = context;

	outcome_ok(waiter->done, waiter->context);
	waiter_free(waiter);
}

void request_answer_kept(struct relay *relay, outcome_fn done, void *context)
{
	const struct relay_hooks *hooks = &relay->relays->hooks;
	struct waiter_list one = TAILQ_HEAD_INITIALIZER(one);

	if (hooks->is_kept(hooks->context, relay) ||
	    waiter_add(&one, relay, relay->relays->loop, on_kept_late, done, context) < 0)
		outcome_ok(done, context); /* it is done, whether it is kept or not */
	else
		relay_answer_kept(relay, &one);
}

static const char *owner_text(enum vf_origin owner)
{
	switch (owner) {
	case VF_ORIGIN_OVSDB:
		return "OVSDB (an Interface row's external_ids)";
	case VF_ORIGIN_CONFIG:
		return "the configuration (a static VF)";
	default:
		return "a client of the control endpoint";
	}
}

static void refuse_relay(unsigned relay_id, outcome_fn done, void *context)
{
	outcome_fail(done, context, OUTCOME_BAD_RELAY, "there is no relay %u; ids are 0 to %d",
	             relay_id, RELAYS_MAX - 1);
}

static void refuse_foreign(const struct relay *relay, enum outcome_reason reason, outcome_fn done,
                           void *context)
{
	outcome_fail(done, context, reason, "relay %u has %s from %s; remove it there first",
	             relay->id, relay->vf_end.device.name, owner_text(relay->vf_end.origin));
}

static void refuse_occupied(const struct relay *relay, outcome_fn done, void *context)
{
	bool leaving = vf_end_is_leaving(&relay->vf_end);

	outcome_fail(done, context, OUTCOME_OCCUPIED, "relay %u %s %s; %s", relay->id,
	             leaving ? "is still giving back" : "has", relay->vf_end.device.name,
	             leaving ? "try again in a moment" : "remove that first");
}

/* A device that is wanted is another relay's. */
static void refuse_held(const struct relay *holder, const struct vf_request *request,
                        outcome_fn done, void *context)
{
	bool member = request->bond.n_members > 0 &&
	              !device_spec_equal(&holder->vf_end.device, &request->device);
	const char *whose = member ? " (a member of the bond)" : "";
	enum outcome_reason reason = member ? OUTCOME_MEMBER_HELD : OUTCOME_DEVICE_HELD;

	if (vf_end_is_leaving(&holder->vf_end))
		outcome_fail(done, context, reason,
		             "relay %u is still giving back %s%s; try again in a moment",
		             holder->id, holder->vf_end.device.name, whose);
	else
		outcome_fail(done, context, reason,
		             "relay %u has %s%s from %s; remove it there first", holder->id,
		             holder->vf_end.device.name, whose, owner_text(holder->vf_end.origin));
}

/* --- additions ------------------------------------------------------------------------------- */

/* A row of OVSDB's says more than what was restored, unless a client has asked for that since: the
 * row takes the relay's VF over, or has it removed and gets what it wants when it asks again. */
static void take_over(struct relay *relay, const struct vf_request *row)
{
	struct vf_end *end = &relay->vf_end;

	if (end->phase == VF_ABSENT || end->origin != VF_ORIGIN_RESTORED)
		return;
	end->origin = VF_ORIGIN_OVSDB;
	if (relay->id == row->relay_id && device_spec_equal(&end->device, &row->device) &&
	    end->far.kind == row->far.kind) {
		log_notice("relay %u: %s, which a client had added before the restart, is OVSDB's "
		           "from now on",
		           relay->id, end->device.name);
		relay_keep(relay);
		return;
	}
	log_warn("relay %u: %s, which a client had added before the restart, is removed: OVSDB "
	         "wants %s for relay %u",
	         relay->id, end->device.name, row->device.name, row->relay_id);
	vf_life_remove(relay);
}

static void take_over_for_row(struct relays *relays, const struct vf_request *row)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &relays->relay[i];

		if (i == row->relay_id ||
		    bond_spec_overlap(&relay->vf_end.device, &relay->vf_end.bond, &row->device,
		                      &row->bond))
			take_over(relay, row);
	}
}

static void make_room(struct relays *relays, const struct vf_request *request)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &relays->relay[i];

		if (!judge_makes_room(relay, request))
			continue;
		log_notice("relay %u: %s, a static VF that is not there, is not waited for any "
		           "longer: %s is asked for, for relay %u",
		           relay->id, relay->vf_end.device.name, request->device.name,
		           request->relay_id);
		vf_life_remove(relay);
	}
}

static void begin(struct relay *relay, const struct vf_request *request, outcome_fn done,
                  void *context)
{
	make_room(relay->relays, request);
	if (waiter_join(&relay->vf_end.adders, relay, relay->relays->loop, on_add_late, done,
	                context) == 0)
		vf_life_begin(relay, &request->device, &request->bond, &request->far,
		              request->origin, VF_EVENT_ADD);
}

void request_vf_add(struct relays *relays, const struct vf_request *request, outcome_fn done,
                    void *context)
{
	const struct relay *holder = NULL;
	struct relay *relay = &relays->relay[request->relay_id % RELAYS_MAX];

	if (request->origin == VF_ORIGIN_OVSDB && request->relay_id < RELAYS_MAX)
		take_over_for_row(relays, request);
	switch (judge_vf_add(relays, request, &holder)) {
	case VF_ADD_BEGIN:
		begin(relay, request, done, context);
		break;
	case VF_ADD_THERE:
		vf_end_claim(&relay->vf_end);
		request_answer_kept(relay, done, context);
		break;
	case VF_ADD_JOIN:
		vf_end_claim(&relay->vf_end);
		waiter_join(&relay->vf_end.adders, relay, relay->relays->loop, on_add_late, done,
		            context);
		break;
	case VF_ADD_RETRY:
		vf_end_claim(&relay->vf_end);
		if (waiter_join(&relay->vf_end.adders, relay, relay->relays->loop, on_add_late,
		                done, context) == 0)
			vf_life_retry(relay);
		break;
	case VF_ADD_BAD_RELAY:
		refuse_relay(request->relay_id, done, context);
		break;
	case VF_ADD_FOREIGN:
		refuse_foreign(relay, OUTCOME_OCCUPIED, done, context);
		break;
	case VF_ADD_OCCUPIED:
		refuse_occupied(relay, done, context);
		break;
	case VF_ADD_HELD:
		refuse_held(holder, request, done, context);
		break;
	}
}

/* --- removals -------------------------------------------------------------------------------- */

static void refuse_other_device(const struct relay *relay, const struct vf_request *request,
                                outcome_fn done, void *context)
{
	const struct vf_end *end = &relay->vf_end;

	outcome_fail(done, context, OUTCOME_OTHER_DEVICE, "relay %u has %s, not %s%s", relay->id,
	             end->device.name, request->device.name,
	             bond_spec_has(&end->bond, &request->device)
	                     ? ", which is a member of it; a bond is removed by its name"
	                     : "");
}

void request_vf_remove(struct relays *relays, const struct vf_request *request, outcome_fn done,
                       void *context)
{
	struct relay *relay = &relays->relay[request->relay_id % RELAYS_MAX];

	switch (judge_vf_remove(relays, request)) {
	case VF_REMOVE_BEGIN:
		if (waiter_join(&relay->vf_end.removers, relay, relay->relays->loop, on_remove_late,
		                done, context) == 0)
			vf_life_remove(relay);
		break;
	case VF_REMOVE_AT_ONCE:
		vf_life_remove(relay);
		request_answer_kept(relay, done, context);
		break;
	case VF_REMOVE_NOTHING:
		request_answer_kept(relay, done, context);
		break;
	case VF_REMOVE_BAD_RELAY:
		refuse_relay(request->relay_id, done, context);
		break;
	case VF_REMOVE_FOREIGN:
		refuse_foreign(relay, OUTCOME_FOREIGN, done, context);
		break;
	case VF_REMOVE_OTHER_DEVICE:
		refuse_other_device(relay, request, done, context);
		break;
	case VF_REMOVE_NOTHING_THERE:
		outcome_fail(done, context, OUTCOME_NOTHING_THERE, "relay %u has no VF", relay->id);
		break;
	}
}
