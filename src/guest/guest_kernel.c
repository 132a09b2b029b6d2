/* Interfaces of the host's kernel in guests' places. See guest_kernel.h.
 *
 * What is sent to a port is the port's, and what it receives comes from a pool of its own, since a
 * port is given its memory when its queues are made. VFs hold some of that pool while they send.
 */
#include "guest/guest_kernel.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/container_of.h"
#include "base/log.h"
#include "base/sizes.h"
#include "datapath/lane.h"
#include "dpdk/pool.h"
#include "sys/interface.h"

#define VHOST_NET "/dev/vhost-net"
#define TUN       "/dev/net/tun"

#define VIRTIO_USER_QUEUES_MAX 8 /* pairs that DPDK's driver has */
#define TAP_QUEUES_MAX         16
#define VIRTIO_USER_RING       512
/* net_tap reads one frame at a time into as many buffers as its ring has. */
#define TAP_RING 16

#define MAC_ARGUMENT_MAX sizeof(",mac=xx:xx:xx:xx:xx:xx")

struct kernel_guest {
	struct guest guest; /* what plans have; the rest is the device thread's … */
	bool is_open;
	bool is_tap;         /* … but control reads this and those below while it is open */
	uint16_t port_id;    /* workers: ro, while a plan has the guest */
	uint16_t n_queues;   /* each way */
	uint16_t mtu;        /* bytes */
	int node;            /* of the pool's memory */
	unsigned generation; /* how often it was opened */
	struct rte_mempool *pool;
	unsigned ifindex; /* 0 = not known, or out of sight */
	bool has_link;    /* as it was told */
};

static struct kernel_guest kernel_guests[RELAYS_MAX];

/* --- for workers ----------------------------------------------------------------------------- */

static struct kernel_guest *kernel_of(struct guest *guest)
{
	return CONTAINER_OF(guest, struct kernel_guest, guest);
}

/* The pool is the port's own. */
static int kernel_receive(struct guest *guest, uint16_t queue, struct rte_mempool *pool,
                          struct rte_mbuf **pkts, uint16_t n)
{
	(void)pool;
	return rte_eth_rx_burst(kernel_of(guest)->port_id, queue, pkts, n);
}

static int kernel_send(struct guest *guest, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	return rte_eth_tx_burst(kernel_of(guest)->port_id, queue, pkts, n);
}

/* A tap has no ring that could be full: what it refuses (the interface is down, or the frame too
 * long for it) it would refuse again. */
static bool tap_offers(struct guest *guest, uint16_t queue)
{
	(void)guest;
	(void)queue;
	return true;
}

/* Frames of any length fit into the ring, when there is room again. */
static bool virtio_offers(struct guest *guest, uint16_t queue)
{
	(void)guest;
	(void)queue;
	return false;
}

static const struct guest_ops tap_ops = {
        .receive = kernel_receive, .send = kernel_send, .offers = tap_offers};
static const struct guest_ops virtio_ops = {
        .receive = kernel_receive, .send = kernel_send, .offers = virtio_offers};

/* --- making the port ------------------------------------------------------------------------- */

static int refuse(const struct guest_kernel_params *params, const char *step, int rc,
                  struct error *err)
{
	error_set(err, EIO,
	          "the kernel's interface %s cannot be made: %s: %s; the lines of the log "
	          "before this (dpdk:) say more",
	          params->interface, step, rte_strerror(-rc));
	return -1;
}

int guest_kernel_check(unsigned relay_id, const char *interface, struct error *err)
{
	if (kernel_guests[relay_id].is_open) {
		error_set(err, EAGAIN,
		          "the relay's interface before this one is still going; try "
		          "again in a moment");
		return -EAGAIN;
	}
	if (if_nametoindex(interface) != 0) {
		error_set(err, EEXIST,
		          "this host has an interface %s already: remove or rename that one (ip "
		          "link), or give this relay's another name (--kernel-vf "
		          "DEVICE=RELAY,INTERFACE)",
		          interface);
		return -1;
	}
	if (access(VHOST_NET, R_OK | W_OK) < 0 && access(TUN, R_OK | W_OK) < 0) {
		error_set(err, ENODEV,
		          "the kernel's interface %s cannot be made: neither " VHOST_NET " nor " TUN
		          " can be opened (%s); load vhost_net or tun (modprobe), and let the "
		          "daemon use it",
		          interface, strerror(errno));
		return -1;
	}
	return 0;
}

/* ",mac=…" of a device; "" for what is none, as some stand-ins for VFs have it: the kernel would
 * refuse it, and the driver not say so. Then the driver makes one up. */
static void format_mac(const struct ether_addr *mac, char text[MAC_ARGUMENT_MAX])
{
	const uint8_t *m = mac->ether_addr_octet;
	bool none = (m[0] | m[1] | m[2] | m[3] | m[4] | m[5]) == 0 || (m[0] & 1) != 0;

	text[0] = '\0';
	if (!none)
		snprintf(text, MAC_ARGUMENT_MAX, ",mac=%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1],
		         m[2], m[3], m[4], m[5]);
}

/* Probes the device. Sets port_id. */
static int make_port(struct kernel_guest *kernel, const struct guest_kernel_params *params,
                     struct error *err)
{
	char devargs[256], name[RTE_DEV_NAME_MAX_LEN], mac[MAC_ARGUMENT_MAX];

	format_mac(&params->mac, mac);
	snprintf(name, sizeof(name), "%s%u", kernel->is_tap ? "net_tap_far" : "virtio_user_far",
	         params->relay_id);
	if (kernel->is_tap)
		snprintf(devargs, sizeof(devargs), "%s,iface=%s%s", name, params->interface, mac);
	else
		snprintf(devargs, sizeof(devargs),
		         "%s,path=" VHOST_NET ",iface=%s%s,queues=%u,queue_size=%d", name,
		         params->interface, mac, RTE_MIN(params->queues, VIRTIO_USER_QUEUES_MAX),
		         VIRTIO_USER_RING);
	if (rte_eth_dev_count_total() >= RTE_MAX_ETHPORTS) {
		error_set(
		        err, ENOSPC,
		        "no room for the kernel's interface %s: this DPDK build holds %d ports, and "
		        "all are in use; such an interface takes one, as a VF does",
		        params->interface, RTE_MAX_ETHPORTS);
		return -1;
	}
	int rc = rte_dev_probe(devargs);
	if (rc == 0)
		rc = rte_eth_dev_get_port_by_name(name, &kernel->port_id);
	return rc == 0 ? 0 : refuse(params, "DPDK has no such device", rc, err);
}

static void unmake_port(const struct kernel_guest *kernel, unsigned relay_id)
{
	struct rte_eth_dev_info info = {0};
	int rc = rte_eth_dev_info_get(kernel->port_id, &info);

	(void)rte_eth_dev_stop(kernel->port_id);
	if (rc == 0)
		rc = rte_eth_dev_close(kernel->port_id);
	if (rc == 0)
		rc = rte_dev_remove(info.device);
	if (rc != 0)
		log_warn("relay %u: the port of the kernel's interface does not end as it should: "
		         "%s",
		         relay_id, rte_strerror(-rc));
}

static int make_pool(struct kernel_guest *kernel, const struct guest_kernel_params *params,
                     uint16_t ring, struct error *err)
{
	uint16_t data_room = (uint16_t)sizes_mbuf_data(params->mtu, true);
	const struct pool_params pool = {
	        .relay_id = params->relay_id,
	        .node = params->node,
	        .queues = kernel->n_queues,
	        .ports = 1,
	        .rxd = ring,
	        .txd = params->vf_ring,
	        .backlog = LANE_BACKLOG_VM_TO_VF,
	        .frame_mbufs = (uint16_t)sizes_frame_mbufs(params->mtu, data_room),
	        .data_room = data_room,
	        .n_workers = params->n_workers,
	        .huge_dir = params->huge_dir,
	};

	kernel->pool = pool_create(&pool, params->no_huge, err);
	return kernel->pool != NULL ? 0 : -1;
}

static int set_up_queues(const struct kernel_guest *kernel, uint16_t rxd, uint16_t txd)
{
	int rc = 0;

	for (uint16_t q = 0; q < kernel->n_queues && rc == 0; q++) {
		rc = rte_eth_rx_queue_setup(kernel->port_id, q, rxd, (unsigned)kernel->node, NULL,
		                            kernel->pool);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(kernel->port_id, q, txd, (unsigned)kernel->node,
			                            NULL);
	}
	return rc;
}

static uint16_t choose_queues(uint16_t wanted, bool is_tap, const struct rte_eth_dev_info *info)
{
	uint16_t most = RTE_MIN(info->max_rx_queues, info->max_tx_queues);

	most = RTE_MIN(most, is_tap ? TAP_QUEUES_MAX : VIRTIO_USER_QUEUES_MAX);
	return most > 0 ? RTE_MIN(wanted, most) : 1;
}

/* A driver that does not know of MTUs has a longest frame, a tag and the CRC counted. */
static uint16_t choose_mtu(uint16_t wanted, const struct rte_eth_dev_info *info)
{
	const uint32_t overhead = RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN;
	uint32_t most = info->max_mtu;

	if (most == UINT16_MAX && info->max_rx_pktlen > overhead)
		most = info->max_rx_pktlen - overhead;
	return most < wanted ? (uint16_t)most : wanted;
}

/* No offloads either way: what the kernel gives is whole, and so is what it gets. */
static int set_up_port(struct kernel_guest *kernel, const struct guest_kernel_params *params,
                       struct error *err)
{
	uint16_t rxd = kernel->is_tap ? TAP_RING : VIRTIO_USER_RING, txd = VIRTIO_USER_RING;
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;

	int rc = rte_eth_dev_info_get(kernel->port_id, &info);
	if (rc != 0)
		return refuse(params, "asking its driver", rc, err);
	kernel->n_queues = choose_queues(params->queues, kernel->is_tap, &info);
	kernel->mtu = choose_mtu(params->mtu, &info);
	conf.rxmode.mtu = kernel->mtu;
	if (kernel->mtu < params->mtu)
		log_notice("relay %u: the MTU of the kernel's interface %s is %u, and its VF's is "
		           "%u: its driver (%s) does no more; longer frames are lost",
		           params->relay_id, params->interface, kernel->mtu, params->mtu,
		           info.driver_name);
	if (sizes_frame_mbufs(kernel->mtu, sizes_mbuf_data(kernel->mtu, true)) > 1) {
		conf.rxmode.offloads = RTE_ETH_RX_OFFLOAD_SCATTER & info.rx_offload_capa;
		conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS & info.tx_offload_capa;
	}
	rc = rte_eth_dev_configure(kernel->port_id, kernel->n_queues, kernel->n_queues, &conf);
	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(kernel->port_id, &rxd, &txd);
	if (rc != 0)
		return refuse(params, "setting it up", rc, err);
	if (make_pool(kernel, params, rxd, err) < 0)
		return -1;
	rc = set_up_queues(kernel, rxd, txd);
	if (rc != 0)
		return refuse(params, "making its queues", rc, err);
	rc = rte_eth_dev_start(kernel->port_id);
	if (rc != 0)
		return refuse(params, "starting it", rc, err);
	/* That of the port is not always the interface's. */
	rc = interface_set_mtu(params->interface, kernel->mtu);
	return rc == 0 ? 0 : refuse(params, "setting its MTU", rc, err);
}

static void end(struct kernel_guest *kernel, unsigned relay_id)
{
	unmake_port(kernel, relay_id);
	if (kernel->pool != NULL)
		pool_retire(kernel->pool);
	kernel->pool = NULL;
	kernel->is_open = false;
}

int guest_kernel_open(const struct guest_kernel_params *params, struct error *err)
{
	struct kernel_guest *kernel = &kernel_guests[params->relay_id];

	kernel->is_tap = access(VHOST_NET, R_OK | W_OK) < 0;
	kernel->guest.ops = kernel->is_tap ? &tap_ops : &virtio_ops;
	kernel->node = params->node;
	if (make_port(kernel, params, err) < 0)
		return -1;
	kernel->is_open = true;
	kernel->generation++;
	if (set_up_port(kernel, params, err) == 0) {
		kernel->ifindex = if_nametoindex(params->interface);
		kernel->has_link = true;
		return 0;
	}
	end(kernel, params->relay_id);
	return -1;
}

void guest_kernel_set_link(unsigned relay_id, bool up)
{
	struct kernel_guest *kernel = &kernel_guests[relay_id];

	if (!kernel->is_open || kernel->ifindex == 0 || kernel->has_link == up)
		return;
	int rc = interface_set_carrier(kernel->ifindex, up);
	if (rc < 0) {
		kernel->ifindex = 0;
		log_info("relay %u: the kernel's interface does not follow the link of its VF any "
		         "more: %s",
		         relay_id,
		         rc == -ENODEV ? "it is in another network namespace" : strerror(-rc));
	}
	kernel->has_link = up;
}

void guest_kernel_close(unsigned relay_id)
{
	if (kernel_guests[relay_id].is_open)
		end(&kernel_guests[relay_id], relay_id);
}

/* --- for control ----------------------------------------------------------------------------- */

struct guest *guest_kernel_get(unsigned relay_id)
{
	return &kernel_guests[relay_id].guest;
}

void guest_kernel_read(unsigned relay_id, struct guest_state *out)
{
	const struct kernel_guest *kernel = &kernel_guests[relay_id];
	uint32_t queues = (uint32_t)(UINT64_C(1) << kernel->n_queues) - 1;

	*out = (struct guest_state){
	        .front_end = true,
	        .connected = true,
	        .rx_queues = queues,
	        .tx_queues = queues,
	        .numa_node = kernel->node,
	        .mtu = kernel->mtu,
	        .sessions = kernel->generation,
	};
}

const char *guest_kernel_driver(unsigned relay_id)
{
	return kernel_guests[relay_id].is_tap ? "net_tap" : "virtio_user";
}
