/* The control layer as rpc, ovsdb and main see it: 64 relays, what can be asked of them and what
 * they tell. Every function here is called on the control thread (the main lcore) only, and none
 * of them blocks: what takes long runs on other threads and answers through a callback.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cpu_set.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/vlan_set.h"
#include "datapath/counters.h"
#include "event/loop.h"
#include "relay/judge.h"
#include "relay/outcome.h"
#include "vf/counts.h"

struct config;
struct control;

/* --- requests ---------------------------------------------------------------------------- */

/* Every request is answered through its outcome_fn, within CONTROL_ANSWER_MS. What a request holds
 * and what it may come to stand in relay/judge.h and relay/outcome.h. */
#define CONTROL_ANSWER_MS WAITER_MS

void control_add_vf(struct control *control, const struct vf_request *request, outcome_fn done,
                    void *context);
void control_remove_vf(struct control *control, const struct vf_request *request, outcome_fn done,
                       void *context);
/* Whether relays are made of a device and a socket at a time: then the two functions above have
 * nothing to do, and the next two all. */
bool control_dynamic_sockets(const struct control *control);
/* Whether the relay's VF, there or wanted there, is this origin's; *device says which it is.
 * relay_id < RELAYS_MAX. */
bool control_vf_of_origin(const struct control *control, unsigned relay_id, enum vf_origin origin,
                          struct device_spec *device);

/* Makes a relay, the lowest idle one, of a device and the vhost-user socket at path: both, or
 * nothing. */
void control_add_sock(struct control *control, const struct sock_request *request, outcome_fn done,
                      void *context);
/* Ends the relay that has the socket, the device, or both. */
void control_remove_sock(struct control *control, const struct sock_request *request,
                         outcome_fn done, void *context);

/* --- workers and pins -------------------------------------------------------------------- */

struct control_worker {
	unsigned cpu; /* its lcore */
	int numa_node;
	unsigned host_cpu; /* that it runs on */
	bool shares_cpu;   /* with another worker or the main lcore */
	unsigned n_lanes;  /* that it polls */
	float busy;        /* share of its time spent on packets, 0 to 1, over the last second */
	uint64_t busy_cycles;
	float asleep; /* likewise: share of its time */
	uint64_t sleeps;
	/* Of these: ended since guests, or VFs, told of packets; and when there were none */
	uint64_t woken_by_guest, woken_by_vf, woken_in_vain;
	uint64_t late_finds; /* packets that nobody told of */
};

unsigned control_worker_count(const struct control *control);
/* What busy cycles are measured in. */
uint64_t control_cycles_per_s(const struct control *control);
/* index < control_worker_count; by ascending CPU. */
void control_worker_read(const struct control *control, unsigned index, struct control_worker *out);

/* Whether one direction of the relay at least is pinned; -1 in *out for the one that is not.
 * relay_id < RELAYS_MAX. */
bool control_pin_read(const struct control *control, unsigned relay_id, struct cpu_pin *out);
/* Whether a client has pinned it otherwise than the configuration does. */
bool control_pin_is_of_client(const struct control *control, unsigned relay_id);
/* Pins each direction of the relays named, with all its queues, to the worker of its CPU; -1 gives
 * a direction back to the balancer, and its lanes stay where they are until that moves them. All
 * or nothing: one relay or CPU that does not exist refuses the whole. A relay that is named twice
 * gets its last entry. The lanes move, without loss, before the loop sleeps again; answered when
 * the pins are saved. pins is valid during the call only. */
void control_pins_update(struct control *control, const struct cpu_pin *pins, size_t count,
                         outcome_fn done, void *context);

/* A dry run of the balancer on the loads as they are, whether it is switched on or not: how busy
 * each worker is, whose memory is remote and what that costs, which lanes it would move and why.
 * Changes nothing. 0, or -EINVAL if it refuses its input. */
int control_balance_explain(struct control *control, line_fn line, void *context);

/* --- settings ---------------------------------------------------------------------------- */

/* Gives the configuration that control_start got what wanted has of the rows that can be changed
 * while the daemon runs, has it take effect, and logs each change with who made it ("a client").
 * Returns how many there were. */
unsigned control_settings_change(struct control *control, struct config *config,
                                 const struct config *wanted, const char *who);

/* --- what relays tell -------------------------------------------------------------------- */

struct control_rates { /* per second, of one direction */
	float rx_pkts, rx_bytes, tx_pkts, tx_bytes;
};

struct control_lane {   /* that is polled */
	bool to_vm;     /* from the VF to the guest */
	unsigned queue; /* that it receives from: the VF's, or the guest's pair */
	int cpu;        /* its worker's lcore */
	float load;     /* share of a CPU's time spent on its packets, 0 to 1, smoothed */
	uint64_t pkts;  /* received */
	uint64_t busy_cycles;
	uint32_t targets; /* bit q: it sends to queue q of the other end */
};

/* Of both directions, at most. */
#define CONTROL_LANES_MAX (VF_QUEUES_MAX + GUEST_QUEUES_MAX)

struct control_queue { /* a ring of the guest's; see guest/kind.h */
	bool to_vm;
	unsigned queue; /* the guest's pair */
	unsigned size;  /* entries */
	bool is_packed, enabled, started;
	const char *stopped; /* why we have stopped it, NULL = we have not; static */
	uint64_t starts, calls, refused, shortages, discarded;
};

#define CONTROL_QUEUES_MAX (2 * GUEST_QUEUES_MAX)

struct control_member { /* of a bond */
	char label[DEVICE_NAME_MAX];
	bool present; /* false: it was lost, and is taken back when it is there again */
	bool active;  /* the bond uses it: as its mode and the link allow */
	bool link_up;
	uint32_t link_speed_mbps; /* 0 = unknown */
	struct vf_counts counts;  /* since the bond was added */
};

/* Of the end that a direction receives from. */
enum control_state {
	CONTROL_NONE,    /* it is not there */
	CONTROL_ALONE,   /* a VF without a guest, or one that takes no packets now */
	CONTROL_READY,   /* a VF with a guest, or a guest */
	CONTROL_LEAVING, /* until its lanes are in no plan any more */
	CONTROL_ENDING,  /* until it is freed */
};

struct control_direction {
	bool active;
	enum control_state state;
	bool has_cpu;
	int cpu; /* where queue 0's lane is */
	struct lane_counters counters;
	unsigned n_lanes;
	int lane_cpu[GUEST_QUEUES_MAX]; /* [0, n_lanes): each lane's, -1 = on no worker */
};

struct control_relay {
	unsigned id;
	bool active;
	const char *vhost_socket; /* full path, or "NONE"; valid until the loop's next turn */
	const char *kernel_interface, *kernel_driver; /* at the far end, valid as above; NULL: it
	                                               * is a guest's, or not there */
	bool has_device;
	char device_label[DEVICE_NAME_MAX]; /* the upper-case PCI address, or the vdev's name */
	struct control_direction vf_to_vm, vm_to_vf;
	unsigned socket_id; /* NUMA node of the relay's packet memory, 0 without any */
	/* more than the reference tells */
	bool link_up;
	uint32_t link_speed_mbps;         /* 0 = unknown */
	unsigned mtu;                     /* 0 without a device */
	unsigned vf_queues, guest_queues; /* set up; enabled now */
	bool has_rss;
	bool wakes;              /* the VF tells of packets while its workers sleep */
	unsigned rss_queues;     /* VF queues that RSS spreads flows over; with has_rss */
	uint8_t mac[6];          /* of the VF, zeros without one */
	struct vf_counts counts; /* since the daemon's start, by all VFs that the relay had */
	/* Of a VF that filters by VLAN: those whose frames it receives, and those that its PF
	 * refused; VLANS_MAX at most each. */
	struct vlan_set vlans, vlans_refused;
	const char *guest_trouble; /* why no guest comes by the socket, in client mode; NULL:
	                            * nothing known of */
	bool has_guest_mac;        /* the guest has sent something */
	uint8_t guest_mac[6];      /* that it uses; of several the VF's, or the one heard last */
	unsigned bond_mode;
	unsigned n_members; /* 0 = the device is no bond */
	struct control_member members[BOND_MEMBERS_MAX];
};

/* relay_id < RELAYS_MAX. */
void control_relay_read(const struct control *control, unsigned relay_id,
                        struct control_relay *out);
/* The relay's lanes that are polled; returns how many. relay_id < RELAYS_MAX. */
unsigned control_lanes_read(const struct control *control, unsigned relay_id,
                            struct control_lane out[CONTROL_LANES_MAX]);
/* The rings of the relay's guest, as far as they are known; returns how many. relay_id <
 * RELAYS_MAX. */
unsigned control_queues_read(const struct control *control, unsigned relay_id,
                             struct control_queue out[CONTROL_QUEUES_MAX]);
/* Rates over the last second, from the daemon's own sampler. */
void control_relay_rates(const struct control *control, unsigned relay_id,
                         struct control_rates *vf_to_vm, struct control_rates *vm_to_vf);
/* Rates between two readings taken `elapsed_s` > 0 apart. */
void control_rates_between(const struct lane_counters *before, const struct lane_counters *after,
                           double elapsed_s, struct control_rates *out);

/* --- what the daemon is ------------------------------------------------------------------ */

const char *control_dpdk_version(void); /* "DPDK 22.11.3" */

/* --- life -------------------------------------------------------------------------------- */

/* Needs an initialised EAL. Opens the guests' sockets, starts workers and helper threads, queues
 * the static VFs. loop and config outlive it. NULL with err filled on failure. */
struct control *control_start(const struct config *config, struct loop *loop, struct error *err);
/* Stops traffic and removes the sockets; at most a few hundred ms. */
void control_quiesce(struct control *control);
/* Releases devices and frees everything; may take long, see the file's head. */
void control_destroy(struct control *control);

#endif
