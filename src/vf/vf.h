/* The VF end of a relay: a DPDK ethdev. This is what all files of src/vf share and stands below
 * them; vf/attach.h makes a VF and ends it, and a header for each subject does what is done to it
 * in between (health, host, reception, rss, events, mend). All functions of theirs run on the
 * device thread unless said otherwise. A struct vf belongs to the relay that holds it, and while
 * its lanes are in a plan the workers read port_id, n_queues and pool.
 */
#ifndef VF_VF_H
#define VF_VF_H

#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/bond_spec.h"
#include "base/device_spec.h"
#include "datapath/plan.h"
#include "vf/counts.h"

/* The step that has failed, as err->code. */
enum vf_error {
	VF_ERROR_NO_MEMPOOL = 1,
	VF_ERROR_START,
	VF_ERROR_PROBE,
	VF_ERROR_CONFIGURE,
	VF_ERROR_RX_QUEUE,
	VF_ERROR_TX_QUEUE,
	VF_ERROR_DETACH,
	BOND_ERROR_CREATE,
	BOND_ERROR_MEMBER_IN_USE,
	BOND_ERROR_CONFIGURE, /* queues and packet memory too */
	BOND_ERROR_MEMBER,
	BOND_ERROR_START,
};

/* Of a frame that the NIC is to cut: what all drivers of VFs take, and 64 KB fit into. */
#define VF_TSO_MBUFS_MAX 32

struct vf_params {
	unsigned relay_id;
	uint16_t max_queues; /* 1 … VF_QUEUES_MAX, the default rule already applied */
	uint16_t mtu;        /* wanted: 2100 or 9000 */
	uint16_t ring_size;  /* descriptors wanted per queue, adjusted to the device */
	uint16_t backlog;    /* packets a vf_to_vm lane may hold back */
	uint16_t n_workers;  /* for the pool's size: workers that may cache mbufs */
	bool tso; /* guests may send frames that are to be cut: the NIC shall, if it can */
	bool rx_interrupts; /* workers that sleep shall be woken by it, if it can */
	bool no_huge;
	const char *huge_dir; /* of the hugepages, as config's eal_args_huge_dir has it */
	/* NULL or without members: a single device. Read during the call only. */
	const struct bond_spec *bond;
	bool partial; /* a bond some of whose members are not there is better than none */
};

struct vf_member {
	bool present; /* false: it was lost, and is to be taken back */
	uint16_t port_id;
};

struct vf_vlans; /* vf/vlans.c's */

/* What the VF's host has decided about it, as far as its PF is in sight. */
struct vf_host {
	unsigned pf_ifindex; /* 0 = not in sight: then nothing else is known */
	char pf[IF_NAMESIZE];
	bool needs_pf;            /* nothing reaches VFs of this kind while their PF is down */
	bool pf_up;               /* always, unless needs_pf */
	struct ether_addr mac;    /* zeros: none, or not told */
	uint32_t carrier_changes; /* of the PF's, since it is there: goes down and up with it */
	bool incomplete;          /* the kernel could not answer now: ask again */
};

/* The host's network interface behind a stand-in for a VF; see vf/interface.h. */
struct vf_interface {
	unsigned index; /* 0 = there is none, or it is out of sight: then nothing else is known */
	char name[IF_NAMESIZE];
	bool is_made;         /* by the VF's driver, with which it goes */
	bool is_up;           /* by its administrator's will: nothing passes else */
	uint32_t mtu;         /* since the VF has it … */
	uint32_t first_mtu;   /* … and as it came */
	unsigned first_flags; /* likewise */
};

struct vf {
	struct device_spec spec;
	uint16_t port_id;
	uint16_t n_queues; /* rx and tx queues alike, all of them running */
	uint16_t mtu;
	uint16_t max_frame;   /* bytes of the longest frame to send, Ethernet header and VLAN tags
	                         counted, CRC not */
	int numa_node;        /* >= 0 */
	uint64_t tx_offloads; /* RTE_ETH_TX_OFFLOAD_*: what of checksums and segmentation it does */
	struct rte_mempool *pool;
	struct vf_alarm alarms[VF_QUEUES_MAX]; /* [n_queues] */
	struct ether_addr mac;                 /* its default address now */
	struct ether_addr first_mac;           /* … and as it came */
	struct ether_addr extra_mac;           /* beside it, zeros = none; see reception.h */
	struct vf_host host;                   /* as control heard last */
	struct vf_interface interface;         /* likewise */
	bool mac_by_host;       /* first_mac is not the VF's own choice, but its PF's */
	bool promiscuous;       /* as far as its driver knows */
	bool filters_vlans;     /* tagged frames come only of VLANs that it was programmed for */
	struct vf_vlans *vlans; /* those; NULL unless filters_vlans. The device thread's */
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

/* "02:00:00:00:00:01", in text, which is returned. Any thread. */
const char *vf_mac_format(const struct ether_addr *mac, char text[VF_MAC_TEXT_MAX]);

static inline bool vf_mac_equal(const struct ether_addr *a, const struct ether_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool vf_mac_is_zero(const struct ether_addr *mac)
{
	return vf_mac_equal(mac, &(struct ether_addr){{0}});
}

/* Any thread that owns vf. */
static inline bool vf_has_mac(const struct vf *vf, const struct ether_addr *mac)
{
	return vf_mac_equal(&vf->mac, mac) || vf_mac_equal(&vf->extra_mac, mac);
}

/* What a DPDK function's negative result means, in words. Any thread. */
const char *vf_explain(int rc);

#endif
