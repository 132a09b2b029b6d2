/* The pair's transitions: none → attaching → opening → made → removing → none; what fails on the
 * way, or is not wanted any more, goes by removing too. See pair.h.
 */
#include "relay/pair.h"

static struct pair_step stay(struct pair_state now)
{
	return (struct pair_step){now, PAIR_ACTION_NONE};
}

static struct pair_step go(enum pair_phase phase, bool wanted, enum pair_action action)
{
	return (struct pair_step){{phase, wanted}, action};
}

static struct pair_step roll_back(void)
{
	return go(PAIR_REMOVING, false, PAIR_ACTION_ROLL_BACK);
}

static bool is_under_way(enum pair_phase phase)
{
	return phase == PAIR_ATTACHING || phase == PAIR_OPENING;
}

/* A restored pair is made from the start on, and its socket opens when it does. One whose VF has
 * gone for good meanwhile has to be closed again. */
static struct pair_step on_opened(struct pair_state now)
{
	if (now.phase == PAIR_REMOVING)
		return go(PAIR_REMOVING, false, PAIR_ACTION_END);
	if (now.phase != PAIR_OPENING && now.phase != PAIR_MADE)
		return stay(now);
	return now.wanted ? go(PAIR_MADE, true, PAIR_ACTION_ANNOUNCE) : roll_back();
}

static struct pair_step on_open_failure(struct pair_state now)
{
	if (now.phase == PAIR_REMOVING)
		return go(PAIR_REMOVING, false, PAIR_ACTION_LOOK);
	return now.phase == PAIR_OPENING || now.phase == PAIR_MADE ? roll_back() : stay(now);
}

static struct pair_step on_attached(struct pair_state now)
{
	if (now.phase != PAIR_ATTACHING)
		return stay(now);
	return now.wanted ? go(PAIR_OPENING, true, PAIR_ACTION_OPEN) : roll_back();
}

static struct pair_step on_removal(struct pair_state now)
{
	switch (now.phase) {
	case PAIR_ATTACHING:
		return go(PAIR_ATTACHING, false, PAIR_ACTION_REMOVE_VF);
	case PAIR_OPENING: /* its end is heard, and what is there is taken back then */
		return go(PAIR_OPENING, false, PAIR_ACTION_NONE);
	case PAIR_MADE:
		return go(PAIR_REMOVING, false, PAIR_ACTION_END);
	default:
		return stay(now);
	}
}

/* A socket alone is no relay. */
static struct pair_step on_vf_gone(struct pair_state now)
{
	if (now.phase == PAIR_MADE)
		return go(PAIR_REMOVING, false, PAIR_ACTION_END);
	return now.phase == PAIR_REMOVING ? go(PAIR_REMOVING, false, PAIR_ACTION_LOOK) : stay(now);
}

struct pair_step pair_step(struct pair_state now, enum pair_event event)
{
	switch (event) {
	case PAIR_EVENT_ADD:
		return now.phase == PAIR_NONE ? go(PAIR_ATTACHING, true, PAIR_ACTION_ATTACH)
		                              : stay(now);
	case PAIR_EVENT_RESTORE:
		return now.phase == PAIR_NONE ? go(PAIR_MADE, true, PAIR_ACTION_RESTORE)
		                              : stay(now);
	case PAIR_EVENT_ATTACHED:
		return on_attached(now);
	case PAIR_EVENT_ATTACH_FAILED:
		return now.phase == PAIR_ATTACHING ? roll_back() : stay(now);
	case PAIR_EVENT_OPENED:
		return on_opened(now);
	case PAIR_EVENT_OPEN_FAILED:
		return on_open_failure(now);
	case PAIR_EVENT_GIVE_UP:
		return is_under_way(now.phase) ? go(now.phase, false, PAIR_ACTION_NONE) : stay(now);
	case PAIR_EVENT_REMOVE:
		return on_removal(now);
	case PAIR_EVENT_VF_GONE:
		return on_vf_gone(now);
	case PAIR_EVENT_CLOSED:
		return now.phase == PAIR_REMOVING ? go(PAIR_REMOVING, false, PAIR_ACTION_LOOK)
		                                  : stay(now);
	case PAIR_EVENT_ENDED:
		return now.phase == PAIR_REMOVING ? go(PAIR_NONE, false, PAIR_ACTION_FORGET)
		                                  : stay(now);
	}
	return stay(now);
}
