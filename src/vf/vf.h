/* The VF end of a relay: a DPDK ethdev, from probe to detach. All functions run on the device
 * thread unless said otherwise; a struct vf belongs to the relay that holds it, and while its
 * lanes are in a plan the workers read port_id, n_queues and pool.
 */
#ifndef VF_VF_H
#define VF_VF_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_mempool.h>

#include "base/bond_spec.h"
#include "base/device_spec.h"
#include "base/error.h"
#include "datapath/plan.h"
#include "vf/counts.h"

struct workers;

/* The wire contract's codes of virtio_forwarder_add_vf2(), _remove_vf2() and _bond_add(), as
 * err->code. */
enum {
	VF_ERROR_NO_MEMPOOL = -1,
	VF_ERROR_START = 1,
	VF_ERROR_PROBE = 2,
	VF_ERROR_CONFIGURE = 4,
	VF_ERROR_RX_QUEUE = 5,
	VF_ERROR_TX_QUEUE = 6,
	VF_ERROR_DETACH = 2,
	BOND_ERROR_CREATE = 2,
	BOND_ERROR_MEMBER_IN_USE = 3,
	BOND_ERROR_CONFIGURE = 4, /* queues and packet memory too */
	BOND_ERROR_MEMBER = 5,
	BOND_ERROR_START = 6,
};

struct vf_params {
	unsigned relay_id;
	uint16_t max_queues; /* 1 … VF_QUEUES_MAX, the default rule already applied */
	uint16_t mtu;        /* wanted: 2100 or 9000 */
	uint16_t ring_size;  /* descriptors wanted per queue, adjusted to the device */
	uint16_t backlog;    /* packets a vf_to_vm lane may hold back */
	uint16_t n_workers;  /* for the pool's size: workers that may cache mbufs */
	bool no_huge;
	/* NULL or without members: a single device. Read during the call only. */
	const struct bond_spec *bond;
	bool partial; /* a bond some of whose members are not there is better than none */
};

struct vf_member {
	bool present; /* false: it was lost, and is to be taken back */
	uint16_t port_id;
};

/* What the VF's host has decided about it, as far as its PF is in sight. */
struct vf_host {
	unsigned pf_ifindex; /* 0 = not in sight: then nothing else is known */
	char pf[IF_NAMESIZE];
	bool needs_pf;             /* nothing reaches VFs of this kind while their PF is down */
	bool pf_up;                /* always, unless needs_pf */
	struct rte_ether_addr mac; /* zeros: none, or not told */
	uint32_t carrier_changes;  /* of the PF's, since it is there: goes down and up with it */
	bool incomplete;           /* the kernel could not answer now: ask again */
};

struct vf {
	struct device_spec spec;
	uint16_t port_id;
	uint16_t n_queues; /* rx and tx queues alike, all of them running */
	uint16_t mtu;
	uint16_t max_frame; /* bytes of the longest frame to send, Ethernet header and VLAN tags
	                       counted, CRC not */
	int numa_node;      /* >= 0 */
	struct rte_mempool *pool;
	struct rte_ether_addr mac;       /* its default address now */
	struct rte_ether_addr first_mac; /* … and as it came */
	struct rte_ether_addr extra_mac; /* vf_mac_set's additional one, zeros = none */
	struct vf_host host;             /* as control heard last */
	bool mac_by_host;                /* first_mac is not the VF's own choice, but its PF's */
	bool promiscuous;                /* as far as its driver knows */
	bool has_rss;
	bool one_rx_queue; /* several are set up, but all packets come by one: no RSS, and nothing
	                      like it */
	/* What follows is a bond's. Its members are the bond's alone, except for the device thread.
	 */
	uint8_t n_members;   /* 0 = not a bond */
	bool needs_tx_polls; /* sends by itself, when a worker calls to send: at least each 100 ms
	                      */
	vf_send_fn send;     /* NULL = rte_eth_tx_burst */
	unsigned generation; /* how often members have changed */
	struct vf_member members[BOND_MEMBERS_MAX]; /* [n_members], as in the bond_spec */
};

#define VF_MAC_TEXT_MAX sizeof("xx:xx:xx:xx:xx:xx")

/* What a removed VF still held; the packets are freed. */
struct vf_leftover {
	uint64_t pkts, bytes;
};

struct vf_member_health {
	bool link_up;
	bool active; /* the bond uses it */
	uint32_t link_speed_mbps;
	struct vf_counts counts;
};

struct vf_health { /* read once a second */
	bool link_up;
	uint32_t link_speed_mbps; /* 0 = unknown */
	struct vf_counts counts;
	struct vf_member_health members[BOND_MEMBERS_MAX]; /* [n_members], zeros for the absent */
};

/* The PF has reset the VF, or it has left the machine: in either case what is attached is of no use
 * any more, and has to be detached (and attached anew when it is there). member is its place in a
 * bond, else 0. Called on DPDK's interrupt thread; must not block or call into this header. */
typedef void (*vf_event_fn)(void *context, unsigned relay_id, unsigned member);

/* Once, before the first vf_attach; the arguments outlive the last VF. */
void vf_events_init(vf_event_fn on_lost, void *context);

/* Probe, configure (queues, RSS, MTU, offloads), make the pool, start; spec names the bond if
 * params tells of one. On failure everything is undone, err->code is one of the VF_ERROR_* or
 * BOND_ERROR_* codes (which may be negative) and err->text says why and what to do; returns -EAGAIN
 * when another trial in a moment may succeed, else -1. Refuses a device that DPDK has already. */
int vf_attach(const struct device_spec *spec, const struct vf_params *params, struct vf *vf,
              struct error *err);

/* No lane may use the VF any more. Empties the rx queues, stops, closes and detaches the device.
 * Goes on to the end whatever fails; returns -1 with err->code VF_ERROR_DETACH if something did.
 * The pool is freed when all its mbufs are back, else by a later vf_pools_reclaim. */
int vf_detach(struct vf *vf, struct vf_leftover *leftover, struct error *err);

enum vf_mac_outcome {
	VF_MAC_PROGRAMMED,  /* the VF receives for that address, and sends under it */
	VF_MAC_UNCONFIRMED, /* so says its driver, which may be wrong; why->text says why */
	VF_MAC_NOT_NEEDED,  /* it receives for any address */
	VF_MAC_DECLINED, /* it receives for other addresses only; why->text: why, and what helps */
};

/* The guest uses this unicast address: has the VF receive for it, unless it does already. Without
 * may_program nothing is changed, and the outcome says what the guest has to expect. The address
 * is added to the VF's (the next call replaces it); its default address is replaced where its
 * driver knows no additional ones. May ask the PF's kernel driver. */
enum vf_mac_outcome vf_mac_set(struct vf *vf, const struct rte_ether_addr *mac, bool may_program,
                               struct error *why);

/* "02:00:00:00:00:01", in text, which is returned. Any thread. */
const char *vf_mac_format(const struct rte_ether_addr *mac, char text[VF_MAC_TEXT_MAX]);

/* Not rte_is_same_ether_addr: that reads 16-bit words, which compilers take for something else than
 * the bytes that were written. */
static inline bool vf_mac_equal(const struct rte_ether_addr *a, const struct rte_ether_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Any thread that owns vf. */
static inline bool vf_has_mac(const struct vf *vf, const struct rte_ether_addr *mac)
{
	return vf_mac_equal(&vf->mac, mac) || vf_mac_equal(&vf->extra_mac, mac);
}

/* Has the VF's RSS table spread flows evenly over so many guest queues, at least 1, of which VF
 * queue i serves those that are i modulo n_queues. May be called while traffic flows. Returns by
 * how many of its queues the VF receives then, or -errno: it goes on as it did. */
int vf_rss_spread(const struct vf *vf, unsigned guest_queues);

/* What the VF does not tell stays as it was read before (zeros at first): a VF that its PF has
 * reset may not answer any more, and what it has counted is not undone. When other members of a
 * bond are active than before, they are given the bond's address and modes once more: what the PMD
 * asked of a VF while its PF was busy with a link that went down or came up, the PF may never have
 * heard. */
void vf_health_read(const struct vf *vf, struct vf_health *health);

/* Asks the PF, which may take it a while. */
void vf_host_read(const struct vf *vf, struct vf_host *out);

/* What a vf_mend has done, beside changing vf. */
struct vf_mended {
	struct vf_counts gone[BOND_MEMBERS_MAX]; /* by members that were given up */
	unsigned returned;                       /* bit i: member i is there again */
	struct vf_health health;                 /* with the members that there are now */
};

/* Takes the members `lost` (bit i: member i) out of a running bond, and takes back those of
 * `wanted` that are absent and there again. The lanes go on meanwhile; workers are those that may
 * run them. Returns how many members are absent afterwards, with err about one that was wanted, if
 * any; or -1 when the bond would have been left without any: then nothing has changed, and the
 * whole bond has to be detached. */
int vf_mend(struct vf *vf, const struct vf_params *params, unsigned lost, unsigned wanted,
            struct workers *workers, struct vf_mended *mended, struct error *err);

/* Frees pools of detached VFs whose mbufs have come back since; returns how many still wait. */
unsigned vf_pools_reclaim(void);

/* How many more VFs this DPDK build can hold at all (RTE_MAX_ETHPORTS). */
unsigned vf_ports_total(void);

#endif
