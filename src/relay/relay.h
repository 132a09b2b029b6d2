/* The 64 relays as the control thread knows them: of each the VF end, the guest end, the pair that
 * dynamic sockets make of them, and the lanes. For src/relay, and for what stands above it and
 * reads or places; rpc and ovsdb ask through control/control.h. All of it belongs to the control
 * thread, except where a comment says whose it is.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/log.h"
#include "datapath/worker.h"
#include "event/job.h"
#include "event/loop.h"
#include "guest/guest.h"
#include "guest/guest_kernel.h"
#include "relay/guest_end.h"
#include "relay/kernel_end.h"
#include "relay/lanes.h"
#include "relay/pair.h"
#include "relay/vf_end.h"
#include "sys/unix_peer.h"

struct config;
struct relays;

struct relay {
	unsigned id;
	struct relays *relays; /* that it is one of */
	struct vf_end vf_end;
	struct guest_end guest_end;
	struct kernel_end kernel_end; /* in the guest end's place, where that is wanted */
	struct pair pair;
	struct lanes lanes;
};

/* What relays tell upwards, to those who are above them. */
struct relay_hooks {
	void *context;
	/* An end has changed: the plans have to follow, before the loop sleeps again. */
	void (*changed)(void *context);
	/* Something about the relay that shall outlive the daemon has changed. */
	void (*keep)(void *context, const struct relay *relay);
	/* Whether all that has changed about the relay is kept, or cannot be. */
	bool (*is_kept)(void *context, const struct relay *relay);
	/* The waiters are one relay's, and are to be answered OK when what has changed about it is
	 * kept. Takes them all off the list. */
	void (*answer_kept)(void *context, struct waiter_list *waiters);
};

/* What the ends of a relay tell those in this folder who are above them; relays.c connects them. */
struct relay_reports {
	void (*vf_attached)(struct relay *relay);
	/* It was reset, or has left the machine, while it was being attached. */
	void (*vf_lost)(struct relay *relay);
	/* For good. error is NULL, or says what went wrong. */
	void (*vf_gone)(struct relay *relay, const char *error);
	void (*socket_opened)(struct relay *relay, const char *error);
	void (*socket_closed)(struct relay *relay);
};

/* Looks at the sockets that QEMU serves; see guest_watch.h. */
struct guest_watch {
	struct loop_timer timer;
	struct job job; /* the guest thread's while a look is under way, with `looks` */
	struct {
		char path[GUEST_PATH_MAX]; /* "": not looked at */
		enum unix_peer peer;
	} looks[RELAYS_MAX];
	struct guest_state guest; /* a reading */
	bool told;                /* how many wait for QEMU */
};

struct relays {
	/* These outlive the relays. */
	const struct config *config;
	struct loop *loop;
	struct workers *workers;
	struct job_thread *device_thread;
	struct job_thread *guest_thread;

	struct relay_hooks hooks;
	struct relay_reports reports;
	struct guest_params guest_params; /* what all guests' sockets have in common */
	struct job close_all;             /* the guest thread's, at the end */
	bool quiesced;                    /* the end has begun: nothing is attached any more */
	bool guests_closed;               /* else the vhost library may still call back */
	int link_fd;                      /* link_watch.h's, -1 = none */
	struct log_limit link_log;        /* for what was lost of it */
	struct loop_timer mac_timer, trunk_timer, socket_timer;
	struct guest_watch guest_watch;

	int event_fd;                  /* eventfd: there are guest_events or lost_events */
	_Atomic uint64_t guest_events; /* bit r: relay r's guest has changed; any thread sets */
	_Atomic uint64_t lost_events;  /* bit r: relay r's VF was lost; any thread sets */
	struct relay relay[RELAYS_MAX];
};
static_assert(RELAYS_MAX <= 64, "a relay has its bit in a 64-bit word of events");
static_assert(BOND_MEMBERS_MAX <= 32, "a member of a bond has its bit in lost_members");

/* Who is at the far end, for a plan. */
static inline struct guest *relay_far(const struct relay *relay)
{
	return relay->kernel_end.phase == KERNEL_UP ? guest_kernel_get(relay->id)
	                                            : guest_get(relay->id);
}

static inline void relay_changed(struct relay *relay)
{
	relay->relays->hooks.changed(relay->relays->hooks.context);
}

static inline void relay_keep(const struct relay *relay)
{
	relay->relays->hooks.keep(relay->relays->hooks.context, relay);
}

static inline void relay_answer_kept(const struct relay *relay, struct waiter_list *waiters)
{
	if (!TAILQ_EMPTY(waiters))
		relay->relays->hooks.answer_kept(relay->relays->hooks.context, waiters);
}

#endif
