/* A relay that ADD_SOCK has made of a device and a socket: what there is of it, whether it is
 * wanted, and one function that says what follows from what happens. The function is pure; the data
 * is the control thread's.
 */
#ifndef RELAY_PAIR_H
#define RELAY_PAIR_H

#include <stdbool.h>

#include "base/error.h"
#include "relay/outcome.h"
#include "relay/waiter.h"

enum pair_phase {
	PAIR_NONE,
	PAIR_ATTACHING, /* the device comes first … */
	PAIR_OPENING,   /* … and the socket when that is there */
	PAIR_MADE,
	PAIR_REMOVING, /* until both ends are gone */
};
#define PAIR_PHASES 5

struct pair_state {
	enum pair_phase phase;
	bool wanted; /* false: what is being made is to be removed again */
};

enum pair_event {
	PAIR_EVENT_ADD,
	PAIR_EVENT_RESTORE, /* it was there before the restart */
	PAIR_EVENT_ATTACHED,
	PAIR_EVENT_ATTACH_FAILED,
	PAIR_EVENT_OPENED,
	PAIR_EVENT_OPEN_FAILED,
	PAIR_EVENT_GIVE_UP, /* nobody waits for it any more */
	PAIR_EVENT_REMOVE,
	PAIR_EVENT_VF_GONE, /* for good */
	PAIR_EVENT_CLOSED,
	PAIR_EVENT_ENDED, /* both ends are gone */
};
#define PAIR_EVENTS 11

enum pair_action {
	PAIR_ACTION_NONE,
	PAIR_ACTION_ATTACH,    /* begin with the device */
	PAIR_ACTION_OPEN,      /* go on with the socket */
	PAIR_ACTION_RESTORE,   /* both ends, each in its time */
	PAIR_ACTION_ANNOUNCE,  /* it is made: tell who wanted that */
	PAIR_ACTION_ROLL_BACK, /* it cannot be made: take back what there is, and tell */
	PAIR_ACTION_REMOVE_VF, /* the device, whose attach is under way; its end will be heard */
	PAIR_ACTION_END,       /* have both ends go */
	PAIR_ACTION_LOOK,      /* whether both ends are gone */
	PAIR_ACTION_FORGET,    /* the relay is idle again: tell who wanted that */
};

struct pair_step {
	struct pair_state next;
	enum pair_action action;
};

/* What follows from an event. Where an event means nothing, nothing follows. */
struct pair_step pair_step(struct pair_state now, enum pair_event event);

struct pair {
	struct pair_state state;
	struct outcome failure;         /* PAIR_REMOVING: what adders are told */
	char end_error[ERROR_TEXT_MAX]; /* what failed while removing; "" = nothing */
	struct waiter_list adders, removers;
};

#endif
