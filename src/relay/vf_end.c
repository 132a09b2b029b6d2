/* The VF end's transitions. See vf_end.h.
 *
 *   absent ─add─▶ attaching ─attached─▶ attached ─remove, lost─▶ leaving ─unplanned─▶ detaching
 *     ▲              │  ▲                                                                │
 *     │   ◀─failed───┘  └──retry── lost ◀──────detached, and it is wanted still──────────┤
 *     └────────────────────────────────────────detached, and nobody wants it─────────────┘
 *
 * An attach that fails goes back to absent, or to lost when the VF is waited for.
 */
#include "relay/vf_end.h"

static struct vf_step stay(struct vf_state now)
{
	return (struct vf_step){now, VF_ACTION_NONE};
}

static struct vf_step go(enum vf_phase phase, enum vf_wish wish, enum vf_action action)
{
	return (struct vf_step){{phase, wish}, action};
}

static bool comes_back(enum vf_wish wish)
{
	return wish == VF_WISH_KEEP || wish == VF_WISH_AWAIT;
}

static struct vf_step begin(struct vf_state now, enum vf_wish wish)
{
	return now.phase == VF_ABSENT ? go(VF_ATTACHING, wish, VF_ACTION_ATTACH) : stay(now);
}

static struct vf_step on_removal(struct vf_state now)
{
	switch (now.phase) {
	case VF_ATTACHING:
		return go(VF_ATTACHING, VF_WISH_NONE, VF_ACTION_CANCEL);
	case VF_ATTACHED:
		return go(VF_LEAVING, VF_WISH_NONE, VF_ACTION_UNPLAN);
	case VF_LOST:
		return go(VF_ABSENT, VF_WISH_NONE, VF_ACTION_END);
	default: /* it goes already, and does not come back then */
		return go(now.phase, VF_WISH_NONE, VF_ACTION_NONE);
	}
}

/* What somebody has taken back while it was being attached is detached again. */
static struct vf_step on_attached(enum vf_wish wish)
{
	return wish == VF_WISH_NONE ? go(VF_LEAVING, wish, VF_ACTION_UNPLAN)
	                            : go(VF_ATTACHED, VF_WISH_KEEP, VF_ACTION_ANNOUNCE);
}

static struct vf_step gone(enum vf_wish wish)
{
	return comes_back(wish) ? go(VF_LOST, wish, VF_ACTION_WAIT)
	                        : go(VF_ABSENT, VF_WISH_NONE, VF_ACTION_END);
}

struct vf_step vf_end_step(struct vf_state now, enum vf_event event)
{
	switch (event) {
	case VF_EVENT_ADD:
		return begin(now, VF_WISH_ONCE);
	case VF_EVENT_AWAIT:
		return begin(now, VF_WISH_AWAIT);
	case VF_EVENT_RESTORE:
		return begin(now, VF_WISH_KEEP);
	case VF_EVENT_RETRY:
		return now.phase == VF_LOST ? go(VF_ATTACHING, now.wish, VF_ACTION_ATTACH)
		                            : stay(now);
	case VF_EVENT_ATTACHED:
		return now.phase == VF_ATTACHING ? on_attached(now.wish) : stay(now);
	case VF_EVENT_ATTACH_FAILED:
		return now.phase == VF_ATTACHING ? gone(now.wish) : stay(now);
	case VF_EVENT_GIVE_UP:
		return now.phase == VF_ATTACHING && now.wish == VF_WISH_ONCE ? on_removal(now)
		                                                             : stay(now);
	case VF_EVENT_LOST:
		return now.phase == VF_ATTACHED ? go(VF_LEAVING, VF_WISH_KEEP, VF_ACTION_UNPLAN)
		                                : stay(now);
	case VF_EVENT_REMOVE:
		return on_removal(now);
	case VF_EVENT_UNPLANNED:
		return now.phase == VF_LEAVING ? go(VF_DETACHING, now.wish, VF_ACTION_DETACH)
		                               : stay(now);
	case VF_EVENT_DETACHED:
		return now.phase == VF_DETACHING ? gone(now.wish) : stay(now);
	}
	return stay(now);
}
