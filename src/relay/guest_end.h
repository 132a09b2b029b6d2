/* The guest end of a relay: its vhost-user socket, who is behind it, and one function that says
 * what follows from what happens. The function is pure; the data is the control thread's, except
 * where a comment says whose it is.
 */
#ifndef RELAY_GUEST_END_H
#define RELAY_GUEST_END_H

#include "base/error.h"
#include "base/log.h"
#include "event/job.h"
#include "guest/guest.h"
#include "sys/unix_peer.h"

enum guest_phase {
	GUEST_CLOSED,
	GUEST_OPENING, /* an open job is under way */
	GUEST_OPEN,    /* guests may come and go */
	GUEST_LEAVING, /* guests are refused; its lanes have to leave the plans */
	GUEST_CLOSING, /* a close job is under way */
};
#define GUEST_PHASES 5

enum guest_event {
	GUEST_EVENT_OPEN, /* somebody wants the socket */
	GUEST_EVENT_OPENED,
	GUEST_EVENT_OPEN_FAILED,
	GUEST_EVENT_CLOSE,     /* the socket shall go */
	GUEST_EVENT_UNPLANNED, /* no plan names the guest's lanes any more */
	GUEST_EVENT_CLOSED,
};
#define GUEST_EVENTS 6

enum guest_action {
	GUEST_ACTION_NONE,
	GUEST_ACTION_OPEN,     /* begin to open it */
	GUEST_ACTION_ANNOUNCE, /* it is open: tell who wanted that */
	GUEST_ACTION_FAIL,     /* it is not open: tell who wanted that */
	GUEST_ACTION_UNPLAN,   /* refuse guests, and have the lanes leave the plans */
	GUEST_ACTION_CLOSE,    /* begin to close it */
	GUEST_ACTION_END,      /* it is closed: tell who wanted that */
};

struct guest_step {
	enum guest_phase next;
	enum guest_action action;
};

/* What follows from an event. Where an event means nothing, nothing follows. */
struct guest_step guest_end_step(enum guest_phase now, enum guest_event event);

/* One opening or closing at a time. */
struct guest_job {
	struct job job;
	struct guest_params params;
	struct error err;
	int rc;
};

/* What somebody else has done to the socket's file, and what is done about it: relay/sockets.c's.
 */
struct guest_file {
	struct guest_job job;              /* the guest thread's while busy */
	bool busy;                         /* it is opened anew */
	enum socket_name_state state;      /* as was said last */
	char last_failure[ERROR_TEXT_MAX]; /* likewise, of SOCKET_NAME_FAILED */
	struct log_limit log;              /* anybody may take a file away as often as he likes */
};

/* Which guest was warned of what: mtu.c. */
struct guest_mtu {
	unsigned session;   /* 0 = none yet */
	uint16_t guest, vf; /* bytes */
};

struct guest_end {
	enum guest_phase phase;
	char path[GUEST_PATH_MAX]; /* of the socket; "" while there is none to be */
	struct guest_state guest;  /* nobody is there unless GUEST_OPEN */
	enum unix_peer peer, seen; /* at the path, in client mode: found twice, and last */
	struct guest_job job;      /* the guest thread's while opening or closing */
	struct log_limit log;      /* a guest can come and go as fast as it likes */
	struct guest_mtu mtu_warned;
	struct guest_file file; /* GUEST_OPEN and the server's side only */
};

#endif
