/* What the control layer knows of its relays. Private to src/control: others ask through
 * control.h. All of it belongs to the control thread, except where a comment says whose it is.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "balancer/balancer.h"
#include "base/limits.h"
#include "base/log.h"
#include "control/control.h"
#include "datapath/lane.h"
#include "datapath/worker.h"
#include "event/backoff.h"
#include "event/job.h"
#include "event/loop.h"
#include "guest/guest.h"
#include "relay/waiter.h"
#include "vf/vf.h"

#define LANE_UNPLACED (-1)

/* The VF end. The arrows: absent → attaching → attached → leaving → detaching → absent; a failed
 * attach goes back to absent. A VF that was lost (its PF reset it, it left the machine) goes by
 * detaching to lost, and is attached again from there until that succeeds or it is removed; so is a
 * static VF, or one of the saved state, whose first attach fails. */
enum vf_phase {
	VF_ABSENT,
	VF_ATTACHING, /* an attach job is under way, or about to be tried again */
	VF_ATTACHED,  /* lanes may poll it */
	VF_LEAVING,   /* its lanes have to leave the plans */
	VF_DETACHING, /* a detach job is under way */
	VF_LOST,      /* waits for its next attach */
};

/* The guest end: its socket. The arrows: closed → opening → open → leaving → closing → closed; a
 * failed opening goes back to closed. */
enum guest_phase {
	GUEST_CLOSED,
	GUEST_OPENING, /* an open job is under way */
	GUEST_OPEN,    /* guests may come and go */
	GUEST_LEAVING, /* guests are refused; its lanes have to leave the plans */
	GUEST_CLOSING, /* a close job is under way */
};

/* A relay that ADD_SOCK has made of a device and a socket. The arrows: none → attaching → opening
 * → made → removing → none; what fails on the way goes by removing too. */
enum pair_phase {
	PAIR_NONE,
	PAIR_ATTACHING, /* the device comes first … */
	PAIR_OPENING,   /* … and the socket when that is there */
	PAIR_MADE,
	PAIR_REMOVING, /* until both ends are gone */
};

/* One attach or detach at a time for each relay. */
struct vf_job {
	struct job job;
	struct relay *relay;
	struct device_spec spec;
	struct vf_params params; /* its bond is the relay's, which does not change meanwhile */
	atomic_bool cancelled;   /* control: wo, device thread: ro; before it has begun */
	struct vf vf;            /* in for a detach, out for an attach */
	struct vf_leftover leftover;
	struct vf_health health; /* the last reading before a detach */
	struct error err;
	int rc;
};

/* Taking members out of a bond that runs, and taking them back. */
struct mend_job {
	struct job job;
	struct relay *relay;
	struct vf_params params;
	struct vf vf;          /* in and out */
	unsigned lost, wanted; /* as vf_mend's */
	struct vf_mended mended;
	struct error err;
	int rc;
};

/* What a lane has its worker do, or what a worker does, from one sample to the next. */
struct load {
	uint64_t busy_cycles; /* at the last sample */
	struct balancer_meter meter;
};

/* One opening or closing at a time for each relay. */
struct guest_job {
	struct job job;
	struct relay *relay;
	struct guest_params params;
	struct error err;
	int rc;
};

/* The guest's MAC address, and what is done about it; relay_mac.c's. */
struct relay_mac {
	struct job job; /* first; the device thread's while busy, as are vf to why */
	struct vf vf;   /* in and out */
	struct rte_ether_addr wanted;
	bool may_program;
	enum vf_mac_outcome outcome;
	struct error why;

	bool busy;
	bool asked;       /* an answer for this VF is there, or under way */
	bool warned;      /* this guest's operator */
	unsigned session; /* the guest's */
	uint64_t guest;   /* as struct lane's heard: the address that it uses, 0 = not known yet */
	uint64_t used_ms; /* when it used the VF's last, 0 = not yet */
	unsigned n_strange; /* how often only others were heard since then */
	uint64_t asked_ms;  /* when the device thread was asked last */
	uint64_t hold_ms;   /* how long from then on another address has to wait */
};

/* Bringing the VF's RSS table in line with the guest's queues; see relay_rss.c. */
struct relay_rss {
	struct job job; /* the device thread's while busy; first */
	struct vf vf;
	unsigned guest_queues; /* that the job sets it up for */
	int rc;
	bool busy;
	unsigned set_up_for; /* guest queues, 0 = as attached: one for each VF queue */
	unsigned vf_queues;  /* by which the VF receives, 0 = all */
};

struct relay {
	unsigned id;
	struct control *control;

	enum vf_phase vf_phase;
	struct device_spec device; /* unless VF_ABSENT */
	struct bond_spec bond;     /* likewise; without members unless device is a bond */
	struct vf vf;              /* VF_ATTACHED to VF_DETACHING */
	struct vf_job vf_job;      /* the device thread's while attaching or detaching */
	struct relay_rss rss;
	enum control_owner owner; /* unless VF_ABSENT: who had it attached */
	bool abandoned;           /* nobody wants the attach under way any more: undo it */
	bool lost;                /* attach it again when it is detached */
	bool lost_early;          /* its PF has reset it before we heard that it is attached */
	/* VF_LOST: the next attach; VF_ATTACHING: the next trial of one; VF_ATTACHED: the next
	 * mending */
	struct loop_timer retry;
	unsigned trials_left;              /* of the attach under way */
	struct backoff backoff;            /* when that attach is */
	bool detach_wanted;                /* somebody asked to remove what is being attached */
	bool awaited;                      /* a static VF that has not been there since the start */
	char last_failure[ERROR_TEXT_MAX]; /* of attaching what is lost, as said in the log */
	bool restored;    /* from the saved state, and nobody has asked for it since */
	uint64_t changed; /* number of its last change that is to be saved, see saved.c */
	bool ask_host;    /* the PF's settings may have changed: relay_host.c */
	bool unheard;     /* … or may have changed twice, while nobody heard of it */
	_Atomic uint32_t lost_members; /* bit i: the bond's member i was lost; any thread sets */
	bool mending;                  /* a mend job is under way: a detach has to wait for it */
	struct mend_job mend_job;      /* the device thread's while mending */
	struct backoff member_backoff[BOND_MEMBERS_MAX];
	uint64_t member_due_ms[BOND_MEMBERS_MAX];       /* the absent: when to look for them */
	struct vf_counts member_past[BOND_MEMBERS_MAX]; /* of members before they were lost */
	struct waiter_list add_waiters, remove_waiters;
	struct vf_health health;       /* of the VF that is attached */
	struct vf_counts vf_past;      /* of all VFs before it */
	struct lane_counters leftover; /* packets that removed VFs still held */

	enum guest_phase guest_phase;
	char socket_path[GUEST_PATH_MAX]; /* unless GUEST_CLOSED and PAIR_NONE */
	struct guest_job guest_job;       /* the guest thread's while opening or closing */
	struct guest_state guest;         /* nobody there unless GUEST_OPEN */
	struct log_limit guest_log;       /* a guest can come and go as fast as it likes */

	struct relay_mac mac;

	enum pair_phase pair_phase;
	bool pair_unwanted;                 /* what is being made is to be removed again */
	struct control_result pair_failure; /* PAIR_REMOVING: what pair_adders are told */
	char pair_error[ERROR_TEXT_MAX];    /* what failed while removing; "" = nothing */
	struct waiter_list pair_adders, pair_removers;

	/* The lanes' contents are their worker's while a plan names them. */
	struct lane vf_to_vm[VF_QUEUES_MAX];    /* [VF queue] */
	struct lane vm_to_vf[GUEST_QUEUES_MAX]; /* [guest queue pair] */
	int16_t vf_to_vm_worker[VF_QUEUES_MAX]; /* worker index, or LANE_UNPLACED */
	int16_t vm_to_vf_worker[GUEST_QUEUES_MAX];
	int16_t vf_to_vm_group[VF_QUEUES_MAX]; /* the queue that the lane sent to when placed */
	int16_t vm_to_vf_group[GUEST_QUEUES_MAX];
	struct load vf_to_vm_load[VF_QUEUES_MAX];
	struct load vm_to_vf_load[GUEST_QUEUES_MAX];
	int16_t vf_to_vm_pin, vm_to_vf_pin; /* worker index, or LANE_UNPLACED: the balancer's */

	struct lane_counters sampled[2]; /* [enum lane_direction], at the last sample */
	struct control_rates rates[2];
};

struct planner;
struct sampler;
struct watchdog;
struct saved;
struct cpu_watch;

struct control {
	const struct config *config;
	struct loop *loop;
	struct workers *workers;
	struct job_thread *device_thread;
	struct job_thread *guest_thread;
	struct planner *planner;
	struct sampler *sampler;
	struct watchdog *watchdog;
	struct saved *saved; /* NULL: nothing is saved */
	struct cpu_watch *cpu_watch;
	struct rte_mempool *discard_pool; /* for guests' packets while there is no VF */
	struct guest_params guest_params; /* what all guests' sockets have in common */
	int link_fd;                      /* link_watch.h's, -1 = none */
	struct log_limit link_log;        /* for what was lost of it */
	int event_fd;                     /* eventfd: there are guest_events or lost_events */
	_Atomic uint64_t guest_events;    /* bit r: relay r's guest has changed; any thread sets */
	_Atomic uint64_t lost_events;     /* bit r: relay r's VF was lost; any thread sets */
	struct loop_timer replan_timer;
	struct loop_timer mac_timer;
	struct loop_timer balance_timer; /* runs if the balancer is on */
	bool quiesced;
	bool guests_closed;                   /* else the vhost library may still call back */
	struct load worker_loads[LCORES_MAX]; /* [workers->count] */
	struct relay relays[RELAYS_MAX];
};

/* --- control.c --- */

/* Brings the plans in line with the relays; call after any change of either end. */
void control_replan(struct control *control);
void control_read_counters(const struct relay *relay, enum lane_direction direction,
                           struct lane_counters *out);

/* --- relay_vf.c --- */

/* The static VFs of the configuration: attaches them, now or when they are there. */
void relay_vf_start_static(struct control *control);
/* Nobody wants the attach under way any more. VF_ATTACHING only. */
void relay_vf_give_up(struct relay *relay);
/* After the plans were published: what is VF_LEAVING is in none of them any more. */
void relay_vf_unplanned(struct control *control);
/* The VF of the relay, or members of its bond, were reset or have gone. */
void relay_vf_lost(struct relay *relay);
/* All of it has: detaches it, and attaches it when it is there again. */
void relay_vf_return(struct relay *relay);
/* Of relay->device. */
void relay_vf_attach(struct relay *relay);
struct vf_params relay_vf_params(struct relay *relay);
/* Detach everything, for the shutdown. */
void relay_vf_detach_all(struct control *control);

/* Begins the end of the relay's VF, in whatever phase it is; relay_pair_vf_gone tells when it is
 * over, unless it is VF_ABSENT at once. */
void relay_vf_leave(struct relay *relay);
/* Attaches what a client once had added, now or when it is there, until it is removed. VF_ABSENT
 * only. */
void relay_vf_restore(struct relay *relay, const struct device_spec *device,
                      const struct bond_spec *bond);
/* Whether a client's VF is there, or is to be there again. */
bool relay_vf_is_kept(const struct relay *relay);
/* --- relay_request.c --- */

#define RELAY_REMOVE_SOURCE "virtio_forwarder_remove_vf2()"
const char *relay_add_source(const struct bond_spec *bond);
/* Whose the device is, NULL = nobody's. */
struct relay *relay_of_device(struct control *control, const struct device_spec *device);
/* Who keeps a relay from having the device and, if it is a bond, its members: it has one of them
 * already. */
struct relay *relay_using(struct control *control, const struct device_spec *device,
                          const struct bond_spec *bond);
/* Whether that is what the relay has. */
bool relay_has_exactly(const struct relay *relay, const struct device_spec *device,
                       const struct bond_spec *bond);

/* --- relay_bond.c --- */

/* The bond has been attached; some of its members may be absent. */
void relay_bond_attached(struct relay *relay);
/* Takes out what is lost, takes back what is there. Of a bond that is VF_ATTACHED. */
void relay_bond_mend(struct relay *relay);
void relay_bond_read(const struct relay *relay, struct control_relay *out);

/* --- relay_rss.c --- */

/* After the plans were published: has the VFs' RSS tables follow the guests' queues. */
void relay_rss_follow(struct control *control);

/* --- relay_guest.c --- */

/* What the sockets have in common; and, unless sockets are dynamic, all of them. 0 or -errno. */
int relay_guest_start(struct control *control, struct error *err);
/* Opens relay->socket_path; relay_pair_opened tells the result. GUEST_CLOSED only. */
void relay_guest_open(struct relay *relay);
/* Begins the end of the relay's guest and its socket; relay_pair_closed tells when it is over.
 * GUEST_OPEN only. */
void relay_guest_leave(struct relay *relay);
/* After the plans were published: what is GUEST_LEAVING is in none of them any more. */
void relay_guest_unplanned(struct control *control);
/* Reads the guest's state again, because something about it has changed. */
void relay_guest_changed(struct relay *relay);
/* For the shutdown: no guest is admitted any more, and the sockets' names are gone. */
void relay_guest_refuse_all(struct control *control);
/* The workers have stopped. False when a peer keeps the vhost library busy: then its thread lives
 * on, and nothing that it may still touch can be freed. */
bool relay_guest_close_all(struct control *control);

/* --- relay_host.c --- */

void relay_host_start(struct control *control);
void relay_host_stop(struct control *control);
/* The relay's VF is attached. */
void relay_host_attached(struct relay *relay);
/* What the PF of the relay's VF has answered, when relay->ask_host was set; unheard as that was.
 * VF_ATTACHED only. */
void relay_host_told(struct relay *relay, const struct vf_host *host, bool unheard);

/* --- relay_mac.c --- */

/* From now on the guests' MAC addresses are learnt, and their VFs programmed. */
void relay_mac_start(struct control *control);
/* The address that the guest uses; false while there is no guest, or nothing was heard of it. */
bool relay_mac_read(const struct relay *relay, uint8_t out[RTE_ETHER_ADDR_LEN]);

/* --- relay_pair.c --- */

/* The ends report; error is NULL, or says what went wrong. No pair needs to be there. */
void relay_pair_opened(struct relay *relay, const char *error);
void relay_pair_closed(struct relay *relay);
void relay_pair_vf_gone(struct relay *relay, const char *error);
/* Makes a pair that there was before. Both ends closed and absent only. */
void relay_pair_restore(struct relay *relay, const struct device_spec *device,
                        const struct bond_spec *bond, const char *path);
/* For the shutdown: nobody is answered any more. */
void relay_pair_forget_all(struct control *control);

/* --- planner.c --- */

struct planner *planner_create(struct control *control); /* NULL + errno */
void planner_destroy(struct planner *planner);
/* Publishes plans that fit the relays. 0 or -ENOMEM: then the workers' plans have not changed
 * (though the relays' placements may say already where their lanes are to be). */
int planner_apply(struct planner *planner);
/* One round of balancing: moves lanes between workers if their loads ask for it. As above. */
int planner_balance(struct planner *planner);
/* What planner_balance would do now. 0 or -EINVAL. */
int planner_explain(struct planner *planner, control_line_fn line, void *context);

/* --- pins.c --- */

/* What the configuration pins. */
void pins_init(struct control *control);
/* Pins as a client once did, where the configuration does not say otherwise. */
void pins_restore(struct control *control, const struct cpu_pin *pin);
/* Whether a client has pinned the relay otherwise than the configuration does, and how. */
bool pins_are_changed(const struct control *control, unsigned relay_id, struct cpu_pin *out);

/* --- restore.c --- */

struct state;

/* Has back what the state holds and the configuration leaves room for; says what it does not. */
void restore_state(struct control *control, const struct state *state);
/* A row of OVSDB's says more than what was saved, unless a client has asked for that since: the
 * row's request takes the relay's VF over, or has it removed and gets what it wants when it is made
 * again. relay may be NULL, or not restored. */
void restore_yield(struct relay *relay, const struct control_vf_request *row);

/* --- saved.c --- */

/* Restores what was saved, and saves from here on. A file that cannot be used, or written, is said
 * and stops nothing. 0 or -ENOMEM. */
int saved_start(struct control *control);
/* Something about the relay that shall outlive the daemon has changed. Written soon, by a helper
 * thread. */
void saved_changed(struct relay *relay);
/* Answers OK, now or when what has changed about the relay is written. */
void saved_answer(struct relay *relay, control_done_fn done, void *context);
void saved_answer_all(struct waiter_list *waiters);
/* Writes what is to be written, and nothing from then on. */
void saved_stop(struct control *control);
void saved_destroy(struct control *control);

/* --- cpu_watch.c --- */

struct cpu_watch *cpu_watch_create(struct control *control); /* NULL + errno */
void cpu_watch_destroy(struct cpu_watch *watch);

/* --- loads.c --- */

/* Once a second: what lanes and workers have cost since the last call, elapsed_s > 0 ago. */
void loads_sample(struct control *control, double elapsed_s);

/* --- sampler.c --- */

struct sampler *sampler_create(struct control *control); /* NULL + errno */
void sampler_destroy(struct sampler *sampler);

/* --- watchdog.c --- */

/* The workers run; idle unless systemd waits for a sign of life. NULL + errno. */
struct watchdog *watchdog_create(struct control *control);
void watchdog_destroy(struct watchdog *watchdog);

#endif
