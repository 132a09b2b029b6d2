/* The guest end's transitions: closed → opening → open → leaving → closing → closed; a failed
 * opening goes back to closed. See guest_end.h.
 */
#include "relay/guest_end.h"

static const struct {
	enum guest_phase from;
	struct guest_step step;
} transitions[GUEST_EVENTS] = {
        [GUEST_EVENT_OPEN] = {GUEST_CLOSED, {GUEST_OPENING, GUEST_ACTION_OPEN}},
        [GUEST_EVENT_OPENED] = {GUEST_OPENING, {GUEST_OPEN, GUEST_ACTION_ANNOUNCE}},
        [GUEST_EVENT_OPEN_FAILED] = {GUEST_OPENING, {GUEST_CLOSED, GUEST_ACTION_FAIL}},
        [GUEST_EVENT_CLOSE] = {GUEST_OPEN, {GUEST_LEAVING, GUEST_ACTION_UNPLAN}},
        [GUEST_EVENT_UNPLANNED] = {GUEST_LEAVING, {GUEST_CLOSING, GUEST_ACTION_CLOSE}},
        [GUEST_EVENT_CLOSED] = {GUEST_CLOSING, {GUEST_CLOSED, GUEST_ACTION_END}},
};

struct guest_step guest_end_step(enum guest_phase now, enum guest_event event)
{
	return now == transitions[event].from ? transitions[event].step
	                                      : (struct guest_step){now, GUEST_ACTION_NONE};
}
