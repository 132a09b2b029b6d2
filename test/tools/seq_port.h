/* The port of seqguest: a net_virtio_user device on a vhost-user socket, its life from attaching to
 * detaching, and how many queues of it are in use.
 */
#ifndef SEQ_PORT_H
#define SEQ_PORT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "seq_options.h"

#define DEVICE_NAME        "net_virtio_user0"
#define DEFAULT_QUEUE_SIZE 256 /* virtio-user's */

struct port {
	uint16_t id; /* ethdev's */
	bool attached;
	unsigned queues; /* enabled now */
	struct rte_mempool *pool;
	struct rte_ether_addr mac;
};

static int port_start(struct port *port, const struct options *opt, unsigned queues)
{
	struct rte_eth_conf conf = {.rxmode = {.mtu = RTE_ETHER_MTU}};
	struct rte_eth_dev_info info;
	int rc;

	rc = rte_eth_dev_info_get(port->id, &info);
	if (rc < 0)
		return rc;
	if (!opt->no_mrg) {
		conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
		if (opt->size_max > RTE_ETHER_MTU + RTE_ETHER_HDR_LEN)
			conf.rxmode.mtu = opt->size_max - RTE_ETHER_HDR_LEN;
	} else {
		conf.rxmode.mtu = RTE_MIN(conf.rxmode.mtu, opt->mbuf_size - RTE_ETHER_HDR_LEN - 32);
	}
	/* virtio-user notices that its backend has left, or come back, in this interrupt alone. */
	conf.intr_conf.lsc = !!(*info.dev_flags & RTE_ETH_DEV_INTR_LSC);
	conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	rc = rte_eth_dev_configure(port->id, (uint16_t)queues, (uint16_t)queues, &conf);
	for (unsigned q = 0; rc == 0 && q < queues; q++) {
		rc = rte_eth_rx_queue_setup(port->id, (uint16_t)q, (uint16_t)opt->queue_size, 0,
		                            NULL, port->pool);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(port->id, (uint16_t)q,
			                            (uint16_t)opt->queue_size, 0, NULL);
	}
	if (rc == 0)
		rc = rte_eth_dev_start(port->id);
	if (rc == 0)
		port->queues = queues;
	return rc;
}

static int port_attach(struct port *port, const struct options *opt)
{
	char args[512], queues[64] = "";
	int n, rc;

	if (port->attached)
		return -EEXIST;
	n = snprintf(queues, sizeof(queues), opt->queues > 1 ? ",queues=%u" : "", opt->queues);
	if (opt->queue_size != DEFAULT_QUEUE_SIZE)
		snprintf(queues + n, sizeof(queues) - (size_t)n, ",queue_size=%u", opt->queue_size);
	n = snprintf(args, sizeof(args), "path=%s%s,mac=%s%s%s%s%s%s%s", opt->path, queues,
	             opt->mac, opt->server ? ",server=1" : "", opt->packed ? ",packed_vq=1" : "",
	             opt->no_mrg ? ",mrg_rxbuf=0" : "", opt->no_in_order ? ",in_order=0" : "",
	             opt->extra ? "," : "", opt->extra ? opt->extra : "");
	if (n < 0 || (size_t)n >= sizeof(args))
		return -ENAMETOOLONG;
	rc = rte_eal_hotplug_add("vdev", DEVICE_NAME, args);
	if (rc == 0)
		rc = rte_eth_dev_get_port_by_name(DEVICE_NAME, &port->id);
	if (rc == 0)
		rc = rte_eth_macaddr_get(port->id, &port->mac);
	if (rc == 0)
		rc = port_start(port, opt, opt->queues);
	port->attached = rc == 0;
	return rc;
}

static int port_detach(struct port *port)
{
	if (!port->attached)
		return -ENODEV;
	port->attached = false;
	rte_eth_dev_stop(port->id);
	rte_eth_dev_close(port->id);
	return rte_eal_hotplug_remove("vdev", DEVICE_NAME);
}

/* The driver tells the number of pairs by VIRTIO_NET_CTRL_MQ at start, which virtio-user turns
 * into SET_VRING_ENABLE messages. Neither stop nor configure resets the device. */
static int port_set_queues(struct port *port, const struct options *opt, unsigned queues)
{
	int rc;

	if (queues < 1 || queues > opt->queues || !port->attached)
		return -EINVAL;
	rc = rte_eth_dev_stop(port->id);
	return rc < 0 ? rc : port_start(port, opt, queues);
}

#endif
