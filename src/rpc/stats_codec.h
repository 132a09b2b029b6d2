/* Relays' readings as the StatsResponse message. Pure: a reading goes in, a message comes out.
 */
#ifndef RPC_STATS_CODEC_H
#define RPC_STATS_CODEC_H

#include "control/control.h"
#include "rpc/stats_counters.h"
#include "virtioforwarder.pb-c.h"

#define STATS_CODEC_MAC_MAX sizeof("xx:xx:xx:xx:xx:xx")

/* So many lanes and queues that relays may have stand in a message at once. */
#define STATS_LANES_MAX  (RELAYS_MAX * CONTROL_LANES_MAX)
#define STATS_QUEUES_MAX (RELAYS_MAX * CONTROL_QUEUES_MAX)

/* One relay's part of the message with all that it points to. It points into itself, so it must
 * not be moved; all of it is overwritten by the next use. */
struct stats_codec_relay {
	Virtioforwarder__RelayState state;
	Virtioforwarder__RelayState__CPU cpu;
	Virtioforwarder__RelayState__VHOST vhost;
	Virtioforwarder__RelayState__Kernel kernel;
	Virtioforwarder__RelayState__VF vf;
	Virtioforwarder__RelayState__VFtoVM vf_to_vm;
	Virtioforwarder__RelayState__VMtoVF vm_to_vf;
	Virtioforwarder__RelayState__Member members[BOND_MEMBERS_MAX];
	Virtioforwarder__RelayState__Member *member_list[BOND_MEMBERS_MAX];
	uint32_t vlans[VLANS_MAX], vlans_refused[VLANS_MAX];
	struct control_relay reading;
	char mac[STATS_CODEC_MAC_MAX], guest_mac[STATS_CODEC_MAC_MAX];
};

/* A whole answer. Lives as long as its service: 64 relays with all their
 * lanes, queues and members need some 1.2 MB. */
struct stats_codec {
	struct stats_counters counters; /* where the messages have them */
	Virtioforwarder__StatsResponse message;
	Virtioforwarder__RelayState *states[RELAYS_MAX];
	struct stats_codec_relay relays[RELAYS_MAX];
	unsigned n_lanes;
	Virtioforwarder__RelayState__Lane lanes[STATS_LANES_MAX];
	Virtioforwarder__RelayState__Lane *lane_list[STATS_LANES_MAX];
	unsigned n_queues;
	Virtioforwarder__RelayState__GuestQueue queues[STATS_QUEUES_MAX];
	Virtioforwarder__RelayState__GuestQueue *queue_list[STATS_QUEUES_MAX];
	Virtioforwarder__StatsResponse__Worker workers[LCORES_MAX];
	Virtioforwarder__StatsResponse__Worker *worker_list[LCORES_MAX];
};

/* Once, before all else. 0, or -ENOENT when the messages lack a counter. */
int stats_codec_init(struct stats_codec *codec);
/* An OK without relays. */
void stats_codec_begin(struct stats_codec *codec);
/* Adds a worker; at most LCORES_MAX of them. */
void stats_codec_add_worker(struct stats_codec *codec, const struct control_worker *worker);
/* Adds lanes to the relay added last; n <= CONTROL_LANES_MAX, and once a relay. */
void stats_codec_add_lanes(struct stats_codec *codec, const struct control_lane *lanes, unsigned n);
/* Likewise queues of the guest's; n <= CONTROL_QUEUES_MAX, and once a relay. */
void stats_codec_add_queues(struct stats_codec *codec, const struct control_queue *queues,
                            unsigned n);
/* Adds a relay; at most RELAYS_MAX of them. reading->vhost_socket must stay valid until the
 * message has been packed; the rest is copied. */
void stats_codec_add(struct stats_codec *codec, const struct control_relay *reading,
                     const struct control_rates *vf_to_vm, const struct control_rates *vm_to_vf);

#endif
