/* Setting up a probed port. See configure.h. */
#include "vf/configure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_kvargs.h>

#include "base/log.h"
#include "dpdk/pool.h"
#include "vf/alarm.h"
#include "vf/quirks.h"

#define VLAN_TAGS_LEN 8 /* two of them */
#define RSS_WANTED    (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP)

/* What the steps of vf_configure hand on to each other. */
struct setup {
	struct rte_eth_dev_info info;
	struct vf_quirks quirks; /* a bond's: what holds for any of its members */
	struct rte_eth_conf conf;
	uint16_t rxd, txd;
	uint16_t frame_mbufs; /* of the longest frame */
};

/* Fills err with an enum vf_error. Evaluates to -1. */
#define refuse(err, code, ...) (error_set((err), (code), __VA_ARGS__), -1)

static int size_argument_check(const char *key __rte_unused, const char *value, void *too_large)
{
	/* Read as the PMD reads it. */
	if (value != NULL && strtoul(value, NULL, 0) > SIZES_MBUF_DATA)
		*(bool *)too_large = true;
	return 0;
}

/* Refuses a device that was asked to write more into a buffer than that holds. */
static int check_size_argument(const struct vf *vf, const struct setup *setup, struct error *err)
{
	const char *args = strchr(vf->spec.devargs, ',');
	bool too_large = false;

	if (!setup->quirks.makes_any_size || args == NULL)
		return 0;
	struct rte_kvargs *pairs = rte_kvargs_parse(args + 1, NULL);
	if (pairs == NULL)
		return refuse(err, VF_ERROR_CONFIGURE, "cannot read the arguments of %s",
		              vf->spec.devargs);
	(void)rte_kvargs_process(pairs, "size", size_argument_check, &too_large);
	rte_kvargs_free(pairs);
	if (too_large)
		return refuse(err, VF_ERROR_CONFIGURE, "%s: size may be %d at most",
		              vf->spec.devargs, SIZES_MBUF_DATA);
	return 0;
}

static void choose_queues(struct vf *vf, const struct vf_params *params, struct setup *setup)
{
	const struct rte_eth_dev_info *info = &setup->info;
	uint64_t rss = setup->quirks.no_rss ? 0 : RSS_WANTED & info->flow_type_rss_offloads;

	vf->n_queues = RTE_MIN(info->max_rx_queues, info->max_tx_queues);
	vf->n_queues = RTE_MIN(vf->n_queues, params->max_queues);
	vf->n_queues = RTE_MAX(vf->n_queues, 1);
	vf->has_rss = vf->n_queues > 1 && rss != 0;
	vf->one_rx_queue = vf->n_queues > 1 && rss == 0 && !setup->quirks.spreads_by_itself;
	if (vf->has_rss) {
		setup->conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		setup->conf.rx_adv_conf.rss_conf.rss_hf = rss;
	}
}

/* A filter that nobody needs is not switched on: it would keep out what comes without. */
static void choose_vlans(struct vf *vf, struct setup *setup)
{
	vf->filters_vlans = setup->quirks.filters_vlans &&
	                    (setup->info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_FILTER) != 0;
	if (vf->filters_vlans)
		setup->conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
}

/* The longest MTU that the device says it can do, and that we know it can. */
static uint32_t device_mtu(const struct setup *setup)
{
	const struct rte_eth_dev_info *info = &setup->info;
	uint32_t overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
	uint32_t mtu = info->max_mtu;

	if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu)
		overhead = info->max_rx_pktlen - info->max_mtu;
	if (info->max_rx_pktlen > overhead)
		mtu = RTE_MIN(mtu, info->max_rx_pktlen - overhead);
	if (setup->quirks.max_mtu != 0)
		mtu = RTE_MIN(mtu, setup->quirks.max_mtu);
	return mtu;
}

/* MTU, and whether frames of that length take one mbuf or several. */
static void choose_mtu(struct vf *vf, const struct vf_params *params, struct setup *setup)
{
	const uint32_t overhead = RTE_ETHER_HDR_LEN + VLAN_TAGS_LEN + RTE_ETHER_CRC_LEN;
	uint32_t room = setup->quirks.counts_whole_kb ? RTE_ALIGN_FLOOR(SIZES_MBUF_DATA, 1024)
	                                              : SIZES_MBUF_DATA;
	uint32_t mtu = RTE_MIN(params->mtu, device_mtu(setup));

	if (mtu + overhead > room) {
		if (setup->info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER)
			setup->conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
		else
			mtu = room - overhead;
	}
	vf->mtu = (uint16_t)mtu;
	setup->conf.rxmode.mtu = mtu;
	setup->frame_mbufs = (uint16_t)((mtu + overhead + room - 1) / room);
}

/* The longest frame to send. Guests' frames come in mbufs of the pool, filled one after another. */
static void choose_max_frame(struct vf *vf, struct setup *setup)
{
	const uint64_t can = setup->info.tx_offload_capa;
	uint32_t frame = vf->mtu + RTE_ETHER_HDR_LEN + VLAN_TAGS_LEN;

	if (setup->quirks.max_frame != 0)
		frame = RTE_MIN(frame, setup->quirks.max_frame);
	if (frame > SIZES_MBUF_DATA && (can & RTE_ETH_TX_OFFLOAD_MULTI_SEGS))
		setup->conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	else
		frame = RTE_MIN(frame, (uint32_t)SIZES_MBUF_DATA);
	/* Safe as long as a relay sends nothing but plain, unshared mbufs of its own pool. Bonds
	 * send packets of their own, or share one between members. */
	if (vf->n_members == 0 && !(setup->conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) &&
	    (can & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE))
		setup->conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	vf->max_frame = (uint16_t)frame;
}

/* Checksums that the NIC checks, so that guests need not. Not those of bonds and of stand-ins, for
 * the reasons below: what is checked in software here, the guest checks as well there. */
static void choose_rx_offloads(const struct vf *vf, struct setup *setup)
{
	const uint64_t wanted = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |
	                        RTE_ETH_RX_OFFLOAD_TCP_CKSUM;

	if (vf->n_members > 0 || !vf->spec.is_pci || setup->quirks.leaves_checksums)
		return;
	setup->conf.rxmode.offloads |= wanted & setup->info.rx_offload_capa;
}

/* Checksums and segmentation that the NIC does for guests who ask for it. Not those of bonds, whose
 * members may differ, nor of stand-ins, whose drivers do them in software too, and not all of them
 * rightly. */
static void choose_tx_offloads(struct vf *vf, const struct vf_params *params, struct setup *setup)
{
	const uint64_t can = setup->info.tx_offload_capa;
	uint64_t wanted = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
	                  RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_SCTP_CKSUM;

	vf->tx_offloads = 0;
	if (vf->n_members > 0 || !vf->spec.is_pci)
		return;
	if (params->tso && (can & RTE_ETH_TX_OFFLOAD_MULTI_SEGS))
		wanted |= RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_UDP_TSO |
		          RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	vf->tx_offloads = wanted & can;
	setup->conf.txmode.offloads |= vf->tx_offloads;
	if (vf->tx_offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS)
		setup->conf.txmode.offloads &= ~RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
}

static int configure_device(const struct vf *vf, const struct setup *setup, struct error *err)
{
	int rc = rte_eth_dev_configure(vf->port_id, vf->n_queues, vf->n_queues, &setup->conf);

	if (rc == 0)
		return 0;
	return refuse(err, VF_ERROR_CONFIGURE, "%s cannot be set up with %u queues and MTU %u: %s",
	              vf->spec.name, vf->n_queues, vf->mtu, vf_explain(rc));
}

/* Tells the MTU to devices that want to be told in this way too. Many a PF refuses its VFs more
 * than its own MTU, which shows here only: then with the ordinary MTU once more. */
static int configure_mtu(struct vf *vf, struct setup *setup, struct error *err)
{
	if (configure_device(vf, setup, err) < 0)
		return -1;
	int rc = rte_eth_dev_set_mtu(vf->port_id, vf->mtu);
	if (rc == 0 || rc == -ENOTSUP)
		return 0;
	if (vf->mtu <= RTE_ETHER_MTU)
		return refuse(err, VF_ERROR_CONFIGURE, "%s refuses the MTU %u: %s", vf->spec.name,
		              vf->mtu, vf_explain(rc));

	const struct vf_params ordinary = {.mtu = RTE_ETHER_MTU};
	log_notice("%s refuses the MTU %u (%s); its PF may have to be set to it first",
	           vf->spec.name, vf->mtu, vf_explain(rc));
	setup->conf.rxmode.offloads = 0;
	setup->conf.txmode.offloads = 0;
	choose_vlans(vf, setup);
	choose_rx_offloads(vf, setup);
	choose_mtu(vf, &ordinary, setup);
	choose_max_frame(vf, setup);
	setup->conf.txmode.offloads |= vf->tx_offloads;
	return configure_mtu(vf, setup, err);
}

/* Bytes of a frame in one mbuf. Short ones will do where no frame is longer, and nobody counts on
 * more, as stand-ins' drivers do: hardware that counts whole KB would have 1024 bytes left of them,
 * and a frame that the NIC is to cut takes no more than VF_TSO_MBUFS_MAX. */
static uint16_t choose_data_room(const struct vf *vf, const struct setup *setup)
{
	const uint64_t tso = RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_UDP_TSO;
	bool only_long = !vf->spec.is_pci || vf->n_members > 0 || setup->quirks.counts_whole_kb ||
	                 (vf->tx_offloads & tso) != 0;

	return (uint16_t)sizes_mbuf_data(vf->mtu, only_long);
}

static int make_pool(struct vf *vf, const struct vf_params *params, struct setup *setup,
                     struct error *err)
{
	const struct pool_params pool = {
	        .relay_id = params->relay_id,
	        /* Without hugepages all of DPDK's memory counts as node 0's. */
	        .node = params->no_huge ? SOCKET_ID_ANY : vf->numa_node,
	        .queues = vf->n_queues,
	        .ports = RTE_MAX(vf->n_members, 1),
	        .rxd = setup->rxd,
	        .txd = setup->txd,
	        .backlog = params->backlog,
	        .frame_mbufs = setup->frame_mbufs,
	        .data_room = choose_data_room(vf, setup),
	        .n_workers = params->n_workers,
	        .huge_dir = params->huge_dir,
	};

	vf->pool = pool_create(&pool, params->no_huge, err);
	if (vf->pool != NULL)
		return 0;
	error_prefix(err, "%s: ", vf->spec.name);
	err->code = VF_ERROR_NO_MEMPOOL;
	return -1;
}

/* A queue that could not be set up, for err. Rings are some 100 KB, which may take a page. */
static int refuse_queue(const struct vf *vf, const struct vf_params *params, const char *direction,
                        uint16_t queue, uint16_t descriptors, int rc, struct error *err)
{
	struct error why;

	error_set(&why, -rc, "%s", vf_explain(rc));
	if (rc == -ENOMEM)
		pool_explain(params->no_huge, params->huge_dir, vf->numa_node, SIZES_QUEUE_BYTES,
		             &why);
	return refuse(err, direction[0] == 'r' ? VF_ERROR_RX_QUEUE : VF_ERROR_TX_QUEUE,
	              "%s: %s queue %u with %u descriptors cannot be set up: %s%s", vf->spec.name,
	              direction, queue, descriptors, rc == -ENOMEM ? "no memory left: " : "",
	              why.text);
}

static int setup_queues(const struct vf *vf, const struct vf_params *params,
                        const struct setup *setup, struct error *err)
{
	const unsigned node = params->no_huge ? (unsigned)SOCKET_ID_ANY : (unsigned)vf->numa_node;
	struct rte_eth_rxconf rx = setup->info.default_rxconf;
	struct rte_eth_txconf tx = setup->info.default_txconf;

	rx.offloads = setup->conf.rxmode.offloads;
	tx.offloads = setup->conf.txmode.offloads;
	/* One full queue must not hold up the others. */
	if (vf->n_queues > 1)
		rx.rx_drop_en = 1;
	for (uint16_t q = 0; q < vf->n_queues; q++) {
		int rc = rte_eth_rx_queue_setup(vf->port_id, q, setup->rxd, node, &rx, vf->pool);

		if (rc != 0)
			return refuse_queue(vf, params, "rx", q, setup->rxd, rc, err);
	}
	for (uint16_t q = 0; q < vf->n_queues; q++) {
		int rc = rte_eth_tx_queue_setup(vf->port_id, q, setup->txd, node, &tx);

		if (rc != 0)
			return refuse_queue(vf, params, "tx", q, setup->txd, rc, err);
	}
	return 0;
}

static int read_info(const struct vf *vf, struct setup *setup, struct error *err)
{
	int rc = rte_eth_dev_info_get(vf->port_id, &setup->info);

	if (rc != 0)
		return refuse(err, VF_ERROR_CONFIGURE, "%s does not tell what it can do: %s",
		              vf->spec.name, vf_explain(rc));
	setup->quirks = *vf_quirks_of_driver(setup->info.driver_name);
	return check_size_argument(vf, setup, err);
}

/* Sets a member up as if it were a VF of its own, with one queue: *member then says what it can do.
 * The bond sets it up once more when it starts. */
static int try_member(const struct vf *vf, unsigned index, const struct vf_params *params,
                      struct vf *member, struct setup *setup, struct error *err)
{
	struct vf_params one_queue = *params;

	one_queue.max_queues = 1;
	*member = (struct vf){.spec = params->bond->members[index],
	                      .port_id = vf->members[index].port_id};
	*setup = (struct setup){0};
	if (read_info(member, setup, err) < 0)
		return -1;
	choose_queues(member, &one_queue, setup);
	choose_vlans(member, setup);
	choose_mtu(member, &one_queue, setup);
	choose_max_frame(member, setup);
	return configure_mtu(member, setup, err);
}

/* A bond's driver says of itself what all its members' say, but not what we know of those. */
static int merge_members(const struct vf *vf, const struct vf_params *params, struct setup *setup,
                         struct error *err)
{
	struct vf_quirks merged = {.max_mtu = UINT16_MAX, .max_frame = UINT16_MAX};

	for (unsigned i = 0; i < vf->n_members; i++) {
		struct setup single;
		struct vf member;

		if (!vf->members[i].present)
			continue;
		if (try_member(vf, i, params, &member, &single, err) < 0)
			return -1;
		merged.max_mtu = RTE_MIN(merged.max_mtu, member.mtu);
		merged.max_frame = RTE_MIN(merged.max_frame, member.max_frame);
		merged.counts_whole_kb |= single.quirks.counts_whole_kb;
		merged.no_rss |= single.quirks.no_rss;
		merged.filters_vlans |= single.quirks.filters_vlans;
	}
	setup->quirks = merged;
	return 0;
}

int vf_configure_member(const struct vf *vf, unsigned index, const struct vf_params *params,
                        struct error *err)
{
	struct vf_params as_bond = *params;
	struct setup setup;
	struct vf member;

	as_bond.mtu = vf->mtu;
	if (try_member(vf, index, &as_bond, &member, &setup, err) < 0)
		return -1;
	if (member.mtu < vf->mtu || member.max_frame < vf->max_frame)
		return refuse(err, BOND_ERROR_CONFIGURE,
		              "%s has MTU %u, less than its bond %s (%u), which was made without "
		              "it",
		              member.spec.name, member.mtu, vf->spec.name, vf->mtu);
	return 0;
}

int vf_configure(struct vf *vf, const struct vf_params *params, struct error *err)
{
	struct setup setup = {.rxd = params->ring_size, .txd = params->ring_size};
	int rc;

	if (read_info(vf, &setup, err) < 0 ||
	    (vf->n_members > 0 && merge_members(vf, params, &setup, err) < 0))
		return -1;
	int node = rte_eth_dev_socket_id(vf->port_id);
	vf->numa_node = node < 0 ? 0 : node;

	choose_queues(vf, params, &setup);
	choose_vlans(vf, &setup);
	choose_mtu(vf, params, &setup);
	choose_max_frame(vf, &setup);
	choose_rx_offloads(vf, &setup);
	choose_tx_offloads(vf, params, &setup);
	setup.conf.intr_conf.rxq = vf_alarm_wanted(vf, &setup.quirks, params);
	if (configure_mtu(vf, &setup, err) < 0)
		return -1;
	if (vf->mtu < params->mtu)
		log_notice("relay %u: the MTU of %s is %u: its driver (%s) does no more of the "
		           "%u wanted",
		           params->relay_id, vf->spec.name, vf->mtu, setup.info.driver_name,
		           params->mtu);
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(vf->port_id, &setup.rxd, &setup.txd);
	if (rc != 0)
		return refuse(err, VF_ERROR_CONFIGURE, "%s: no ring size near %u will do: %s",
		              vf->spec.name, params->ring_size, vf_explain(rc));
	if (make_pool(vf, params, &setup, err) < 0)
		return -1;
	return setup_queues(vf, params, &setup, err);
}
