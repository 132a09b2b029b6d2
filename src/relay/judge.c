/* Verdicts on requests. See judge.h. */
#include "relay/judge.h"

#include <stddef.h>

#include "config/config.h"
#include "sys/socket_path.h"

/* --- additions of VFs ------------------------------------------------------------------------ */

static bool has_vf(const struct relay *relay)
{
	return relay->vf_end.phase != VF_ABSENT;
}

static bool has_exactly(const struct relay *relay, const struct vf_request *request)
{
	return vf_end_has_exactly(&relay->vf_end, &request->device, &request->bond,
	                          request->far.kind);
}

static enum vf_origin asker_of(enum vf_origin origin)
{
	return origin == VF_ORIGIN_RESTORED ? VF_ORIGIN_CLIENT : origin;
}

/* A static VF that has not been there since the start keeps neither its relay nor its device from
 * others who ask for them. */
static bool gives_up(const struct relay *relay, const struct vf_request *request)
{
	bool same = request->origin == VF_ORIGIN_CLIENT && relay->id == request->relay_id &&
	            has_exactly(relay, request);

	return relay->vf_end.phase == VF_LOST && relay->vf_end.wish == VF_WISH_AWAIT && !same;
}

static bool overlaps(const struct relay *relay, const struct device_spec *device,
                     const struct bond_spec *bond)
{
	return has_vf(relay) &&
	       bond_spec_overlap(&relay->vf_end.device, &relay->vf_end.bond, device, bond);
}

bool judge_makes_room(const struct relay *relay, const struct vf_request *request)
{
	return gives_up(relay, request) && (relay->id == request->relay_id ||
	                                    overlaps(relay, &request->device, &request->bond));
}

/* A client may take a static VF away; the configuration has it back after a restart. */
static bool is_foreign(const struct relay *relay, const struct vf_request *request)
{
	enum vf_origin owner = asker_of(relay->vf_end.origin);

	return has_vf(relay) && owner != request->origin &&
	       !(owner == VF_ORIGIN_CONFIG && request->origin == VF_ORIGIN_CLIENT);
}

/* Whether adding it is no more than what there is already, or is being waited for. */
static bool is_repetition(const struct relay *relay, const struct vf_request *request)
{
	const struct vf_end *end = &relay->vf_end;
	bool missing = end->wish == VF_WISH_AWAIT && end->last_failure[0] != '\0';

	return has_exactly(relay, request) &&
	       (request->conditional || end->origin == VF_ORIGIN_RESTORED || missing);
}

static const struct relay *holder_of(const struct relays *relays, const struct vf_request *request)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		const struct relay *relay = &relays->relay[i];

		if (overlaps(relay, &request->device, &request->bond) && !gives_up(relay, request))
			return relay;
	}
	return NULL;
}

static enum vf_add_verdict judge_again(const struct vf_end *end)
{
	switch (end->phase) {
	case VF_ATTACHED:
		return VF_ADD_THERE;
	case VF_LOST:
		return VF_ADD_RETRY;
	case VF_ATTACHING:
		return end->wish != VF_WISH_NONE ? VF_ADD_JOIN : VF_ADD_OCCUPIED;
	default:
		return VF_ADD_OCCUPIED;
	}
}

enum vf_add_verdict judge_vf_add(const struct relays *relays, const struct vf_request *request,
                                 const struct relay **holder)
{
	const struct relay *relay;

	if (request->relay_id >= RELAYS_MAX)
		return VF_ADD_BAD_RELAY;
	relay = &relays->relay[request->relay_id];
	if (has_vf(relay) && !gives_up(relay, request)) {
		if (is_foreign(relay, request))
			return VF_ADD_FOREIGN;
		return is_repetition(relay, request) ? judge_again(&relay->vf_end)
		                                     : VF_ADD_OCCUPIED;
	}
	*holder = holder_of(relays, request);
	return *holder != NULL ? VF_ADD_HELD : VF_ADD_BEGIN;
}

/* --- removals of VFs ------------------------------------------------------------------------- */

/* Whether that is the device to remove. A bond is named; its members need not be. */
static bool is_meant(const struct relay *relay, const struct vf_request *request)
{
	return device_spec_equal(&relay->vf_end.device, &request->device) &&
	       (request->bond.n_members == 0 ||
	        bond_spec_same_members(&relay->vf_end.bond, &request->bond));
}

enum vf_remove_verdict judge_vf_remove(const struct relays *relays,
                                       const struct vf_request *request)
{
	const struct relay *relay;

	if (request->relay_id >= RELAYS_MAX)
		return VF_REMOVE_BAD_RELAY;
	relay = &relays->relay[request->relay_id];
	if (!has_vf(relay))
		return request->conditional ? VF_REMOVE_NOTHING : VF_REMOVE_NOTHING_THERE;
	if (is_foreign(relay, request))
		return VF_REMOVE_FOREIGN;
	if (request->has_device && !is_meant(relay, request))
		return VF_REMOVE_OTHER_DEVICE;
	return relay->vf_end.phase == VF_LOST ? VF_REMOVE_AT_ONCE : VF_REMOVE_BEGIN;
}

/* --- pairs ----------------------------------------------------------------------------------- */

static bool has_pair(const struct relay *relay)
{
	return relay->pair.state.phase != PAIR_NONE;
}

static struct relay *pair_at(struct relays *relays, const char *path)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		if (has_pair(&relays->relay[i]) &&
		    socket_path_same(path, relays->relay[i].guest_end.path))
			return &relays->relay[i];
	return NULL;
}

static struct relay *pair_with(struct relays *relays, const struct device_spec *device)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &relays->relay[i];

		if (has_vf(relay) && device_spec_equal(&relay->vf_end.device, device))
			return has_pair(relay) ? relay : NULL;
	}
	return NULL;
}

static struct relay *relay_using(struct relays *relays, const struct sock_request *request)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		if (overlaps(&relays->relay[i], &request->device, &request->bond))
			return &relays->relay[i];
	return NULL;
}

static struct relay *lowest_idle(struct relays *relays)
{
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		struct relay *relay = &relays->relay[i];

		if (!has_pair(relay) && !has_vf(relay) && relay->guest_end.phase == GUEST_CLOSED)
			return relay;
	}
	return NULL;
}

static enum sock_add_verdict judge_pair_again(const struct pair_state *state)
{
	if (state->phase == PAIR_MADE)
		return SOCK_ADD_THERE;
	return state->phase != PAIR_REMOVING && state->wanted ? SOCK_ADD_JOIN : SOCK_ADD_GOING;
}

/* What the relay has is on its way out: whoever wants it has to wait, not to remove it. */
static bool gives_back(const struct relay *relay)
{
	if (has_pair(relay))
		return relay->pair.state.phase == PAIR_REMOVING || !relay->pair.state.wanted;
	return relay->vf_end.wish == VF_WISH_NONE;
}

enum sock_add_verdict judge_sock_add(struct relays *relays, const struct sock_request *request,
                                     struct relay **relay)
{
	struct relay *there, *holder;

	if (request->path == NULL)
		return SOCK_ADD_NO_PATH;
	if (!relays->config->dynamic_sockets)
		return SOCK_ADD_NOT_DYNAMIC;
	there = *relay = pair_at(relays, request->path);
	if (there != NULL && (request->conditional || there->vf_end.origin == VF_ORIGIN_RESTORED) &&
	    vf_end_has_exactly(&there->vf_end, &request->device, &request->bond, FAR_GUEST))
		return judge_pair_again(&there->pair.state);
	holder = relay_using(relays, request);
	if (holder != NULL) {
		*relay = holder;
		return gives_back(holder) ? SOCK_ADD_DEVICE_GOING : SOCK_ADD_DEVICE_HELD;
	}
	if (there != NULL)
		return gives_back(there) ? SOCK_ADD_GOING : SOCK_ADD_SOCKET_TAKEN;
	*relay = lowest_idle(relays);
	return *relay != NULL ? SOCK_ADD_BEGIN : SOCK_ADD_NO_RELAY;
}

enum sock_remove_verdict judge_sock_remove(struct relays *relays,
                                           const struct sock_request *request, struct relay **relay)
{
	struct relay *there, *holder;

	if (request->path == NULL && !request->has_device)
		return SOCK_REMOVE_NOT_GIVEN;
	if (!relays->config->dynamic_sockets)
		return SOCK_REMOVE_NOT_DYNAMIC;
	there = request->path != NULL ? pair_at(relays, request->path) : NULL;
	holder = request->has_device ? pair_with(relays, &request->device) : NULL;
	if (there == NULL && holder == NULL)
		return request->conditional ? SOCK_REMOVE_NOTHING : SOCK_REMOVE_NO_RELAY;
	if (holder != NULL && request->bond.n_members > 0 &&
	    !bond_spec_same_members(&holder->vf_end.bond, &request->bond))
		return SOCK_REMOVE_OTHER_MEMBERS;
	if (request->path != NULL && request->has_device && there != holder)
		return SOCK_REMOVE_MISMATCH;
	*relay = there != NULL ? there : holder;
	return SOCK_REMOVE_BEGIN;
}
