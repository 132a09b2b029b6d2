/* The VF end of a relay: what is there, what is wanted, who wants it, and one function that says
 * what follows from what happens. The function is pure; the data is the control thread's, except
 * where a comment says whose it is.
 */
#ifndef RELAY_VF_END_H
#define RELAY_VF_END_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bond_spec.h"
#include "base/device_spec.h"
#include "base/error.h"
#include "base/far_spec.h"
#include "datapath/lane.h"
#include "event/backoff.h"
#include "event/job.h"
#include "event/loop.h"
#include "relay/waiter.h"
#include "vf/attach.h"
#include "vf/health.h"
#include "vf/mend.h"
#include "vf/reception.h"
#include "vf/vlans.h"

/* --- its states ---------------------------------------------------------------------------- */

enum vf_phase {
	VF_ABSENT,
	VF_ATTACHING, /* an attach job is under way, or about to be tried again */
	VF_ATTACHED,  /* lanes may poll it */
	VF_LEAVING,   /* its lanes have to leave the plans */
	VF_DETACHING, /* a detach job is under way */
	VF_LOST,      /* it has gone by itself, or never come: waits for its next attach */
};
#define VF_PHASES 6

enum vf_wish {
	VF_WISH_NONE,  /* nobody wants it, or wants it any more */
	VF_WISH_ONCE,  /* a request's first attach: one that fails ends it */
	VF_WISH_AWAIT, /* a static VF that has not been there since the start: it is waited for, but
	                  gives its relay and its device up to whoever asks for them */
	VF_WISH_KEEP,  /* it has been there: when it goes by itself, it is attached anew */
};
#define VF_WISHES 4

/* Who wants it. */
enum vf_origin {
	VF_ORIGIN_CLIENT,   /* of the ZeroMQ endpoint */
	VF_ORIGIN_RESTORED, /* a client, before the restart; nobody has asked for it since */
	VF_ORIGIN_OVSDB,
	VF_ORIGIN_CONFIG, /* a static VF */
};

struct vf_state {
	enum vf_phase phase;
	enum vf_wish wish;
};

enum vf_event {
	VF_EVENT_ADD,     /* a request wants it */
	VF_EVENT_AWAIT,   /* the configuration wants it */
	VF_EVENT_RESTORE, /* it was there before the restart */
	VF_EVENT_RETRY,   /* it is time for the next attach */
	VF_EVENT_ATTACHED,
	VF_EVENT_ATTACH_FAILED,
	VF_EVENT_GIVE_UP,   /* nobody waits for its first attach any more */
	VF_EVENT_LOST,      /* it was reset, or has left the machine */
	VF_EVENT_REMOVE,    /* it shall go, for good */
	VF_EVENT_UNPLANNED, /* no plan names its lanes any more */
	VF_EVENT_DETACHED,
};
#define VF_EVENTS 11

/* What is to be done about it. */
enum vf_action {
	VF_ACTION_NONE,
	VF_ACTION_ATTACH,   /* begin an attach */
	VF_ACTION_CANCEL,   /* what waits for its next trial ends, what has begun is undone */
	VF_ACTION_ANNOUNCE, /* it is there: lanes may poll it */
	VF_ACTION_UNPLAN,   /* have its lanes leave the plans */
	VF_ACTION_DETACH,   /* begin a detach */
	VF_ACTION_WAIT,     /* for the next attach */
	VF_ACTION_END,      /* it is gone for good: tell those who wait for that */
};

struct vf_step {
	struct vf_state next;
	enum vf_action action;
};

/* What follows from an event. Where an event means nothing, nothing follows. */
struct vf_step vf_end_step(struct vf_state now, enum vf_event event);

/* --- its data ------------------------------------------------------------------------------ */

/* One attach or detach at a time. */
struct vf_job {
	struct job job;
	struct device_spec spec;
	struct far_spec far; /* of an attach: with whom the VF is paired … */
	bool far_is_there;   /* … and whether that interface of the kernel's is there already */
	struct vf_params params; /* its bond is the relay's, which does not change meanwhile */
	atomic_bool cancelled;   /* control: wo, device thread: ro; before it has begun */
	struct vf vf;            /* in for a detach, out for an attach */
	struct vf_leftover leftover;
	struct vf_health health; /* the last reading before a detach */
	struct error err;
	int rc;
};

/* Taking members out of a bond that runs, and taking them back: relay/members.c's. */
struct vf_mend_job {
	struct job job;
	struct workers *workers;
	struct vf_params params;
	struct vf vf;          /* in and out */
	unsigned lost, wanted; /* as vf_mend's */
	struct vf_mended mended;
	struct error err;
	int rc;
};

struct vf_mending {
	struct vf_mend_job job; /* the device thread's while busy */
	bool busy;              /* a detach has to wait for its end */
	struct backoff backoff[BOND_MEMBERS_MAX];
	uint64_t due_ms[BOND_MEMBERS_MAX];       /* the absent: when to look for them */
	struct vf_counts past[BOND_MEMBERS_MAX]; /* of members before they were lost */
};

/* The guest's MAC address, and what is done about it: relay/mac.c's. */
struct vf_mac {
	struct job job; /* the device thread's while busy, as are vf to why */
	struct vf vf;   /* in and out */
	struct ether_addr wanted;
	bool may_program;
	enum vf_mac_outcome outcome;
	struct error why;

	bool busy;
	bool asked;         /* an answer for this VF is there, or under way */
	bool warned;        /* this guest's operator */
	unsigned session;   /* the guest's */
	uint64_t guest;     /* as struct lane's heard: the address that it uses, 0 = not known */
	uint64_t used_ms;   /* when it used the VF's last, 0 = not yet */
	unsigned n_strange; /* how often only others were heard since then */
	uint64_t asked_ms;  /* when the device thread was asked last */
	uint64_t hold_ms;   /* how long from then on another address has to wait */
};

/* Bringing the VF's RSS table in line with the guest's queues: relay/rss.c's. */
struct vf_rss {
	struct job job; /* the device thread's while busy, as are vf to rc */
	struct vf vf;
	unsigned guest_queues; /* that the job sets it up for */
	int rc;

	bool busy;
	unsigned set_up_for; /* guest queues, 0 = as attached: one for each VF queue */
	unsigned vf_queues;  /* by which the VF receives, 0 = all */
};

/* The guest's VLANs, and what is done about them: relay/trunk.c's. */
struct vf_trunk {
	struct job job; /* the device thread's while busy, as are vf and change */
	struct vf vf;
	struct vf_vlans_change change; /* in and out */

	bool busy;
	bool warned;              /* this guest's operator, of what is refused … */
	bool warned_of_number;    /* … and of how many there are */
	bool ask_again;           /* for what was refused */
	unsigned session;         /* the guest's, 0 = nobody is there */
	struct vlan_set guest;    /* that it uses, less those that were too many */
	struct vlan_set received; /* that the VF is programmed for … */
	struct vlan_set refused;  /* … and those that it shall, but its PF does not want */
	uint64_t refused_ms;      /* when the last was */
	uint64_t held_ms;         /* when the last guest with VLANs left */
	uint64_t hold_ms;         /* how long from then on changes wait */
};

/* What the PF is to be asked with the VF's next health: relay/host.c's. */
enum vf_host_question {
	VF_HOST_NO_QUESTION,
	VF_HOST_CHANGED,       /* its settings may have changed … */
	VF_HOST_CHANGED_TWICE, /* … or changed and changed back, while nobody heard of it */
};

struct vf_end {
	enum vf_phase phase;
	enum vf_wish wish;
	enum vf_origin origin;     /* unless VF_ABSENT */
	struct device_spec device; /* unless VF_ABSENT */
	struct bond_spec bond;     /* likewise; without members unless device is a bond */
	struct far_spec far;       /* likewise: with whom it is paired */
	struct vf vf;              /* VF_ATTACHED to VF_DETACHING */
	struct vf_health health;   /* of the VF that is attached */

	struct vf_job job;       /* the device thread's while attaching or detaching */
	struct loop_timer retry; /* the next attach, trial of one, or mending, by the phase */
	unsigned trials_left;    /* of the attach under way */
	struct backoff backoff;  /* when the next attach is */
	char last_failure[ERROR_TEXT_MAX]; /* of attaching what is lost, as the log has it */
	_Atomic uint32_t lost_members;     /* bit i: the bond's member i was lost, bit 0 also: a
	                                      single device; any thread sets */
	struct vf_mending mending;
	struct vf_mac mac;
	struct vf_trunk trunk;
	struct vf_rss rss;
	enum vf_host_question host_question;

	struct waiter_list adders, removers;
	struct vf_counts past;         /* of all VFs before it */
	struct lane_counters leftover; /* packets that removed VFs still held */
};

/* Whether it takes packets: not while the interface of a stand-in is down. */
static inline bool vf_end_takes(const struct vf_end *end)
{
	return end->phase == VF_ATTACHED &&
	       (end->vf.interface.index == 0 || end->vf.interface.is_up);
}

/* Whether it is on its way out, or will be undone as soon as it is there. */
static inline bool vf_end_is_leaving(const struct vf_end *end)
{
	return end->phase == VF_LEAVING || end->phase == VF_DETACHING ||
	       (end->phase != VF_ABSENT && end->wish == VF_WISH_NONE);
}

/* Whether that is what is there, or is to be there. What an interface of the kernel's is called is
 * another matter. */
static inline bool vf_end_has_exactly(const struct vf_end *end, const struct device_spec *device,
                                      const struct bond_spec *bond, enum far_kind far)
{
	return end->phase != VF_ABSENT && device_spec_equal(&end->device, device) &&
	       bond_spec_equal(&end->bond, bond) && end->far.kind == far;
}

/* A client has asked for what was restored: it is that client's like any other from now on. */
static inline void vf_end_claim(struct vf_end *end)
{
	if (end->origin == VF_ORIGIN_RESTORED)
		end->origin = VF_ORIGIN_CLIENT;
}

#endif
