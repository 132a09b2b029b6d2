/* The VF end of a relay: attach, detach, health. See vf.h; the longer steps are vf_probe.c's and
 * vf_configure.c's.
 */
#include "port/vf.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/log.h"
#include "port/pool.h"
#include "port/vf_configure.h"
#include "port/vf_probe.h"
#include "sys/pci_sysfs.h"
#include "sys/pf_netlink.h"
#include "sys/sysfs.h"

#define DRAIN_BURST     32
#define DRAIN_PER_QUEUE 65536 /* a device under fire never runs empty */

/* Who hears of VFs that were lost: set once, before there are any, hence static. */
static struct {
	vf_event_fn on_lost;
	void *context;
} events;

void vf_events_init(vf_event_fn on_lost, void *context)
{
	events.on_lost = on_lost;
	events.context = context;
}

static const enum rte_eth_event_type lost_events[] = {RTE_ETH_EVENT_INTR_RESET,
                                                      RTE_ETH_EVENT_INTR_RMV};

/* The relay's id travels as the callback's argument. */
static int on_port_event(uint16_t port_id __rte_unused, enum rte_eth_event_type type __rte_unused,
                         void *relay_id, void *unused __rte_unused)
{
	if (events.on_lost != NULL)
		events.on_lost(events.context, (unsigned)(uintptr_t)relay_id);
	return 0;
}

static void listen_to_port(uint16_t port_id, unsigned relay_id)
{
	for (size_t i = 0; i < RTE_DIM(lost_events); i++)
		if (rte_eth_dev_callback_register(port_id, lost_events[i], on_port_event,
		                                  (void *)(uintptr_t)relay_id) != 0)
			log_warn("relay %u: no memory to hear of the VF's resets", relay_id);
}

static void stop_listening(uint16_t port_id)
{
	for (size_t i = 0; i < RTE_DIM(lost_events); i++)
		while (rte_eth_dev_callback_unregister(port_id, lost_events[i], on_port_event,
		                                       (void *)-1) == -EAGAIN)
			sched_yield(); /* it is running */
}

/* What keeps a VF from receiving for other MAC addresses than its own is its PF's decision, and
 * the VF's driver may report success where the PF refused: so the PF is asked first. */
static bool promiscuous_wanted(const struct vf *vf, unsigned relay_id)
{
	struct pci_function function;
	struct pf_vf pf_vf;
	int rc;

	if (!vf->spec.is_pci || pci_sysfs_read(SYSFS_ROOT, &vf->spec.pci, &function) < 0 ||
	    !function.is_vf)
		return true;
	if (!function.has_pf || function.pf_netdev[0] == '\0') {
		log_info("relay %u: the PF of %s is not in sight: whether the VF may receive for "
		         "other MAC addresses than its own cannot be known",
		         relay_id, vf->spec.name);
		return true;
	}
	rc = pf_netlink_read_vf(function.pf_netdev, function.vf_index, &pf_vf);
	if (rc < 0 || !pf_vf.has_trust) {
		log_info(
		        "relay %u: %s does not tell whether VF %u (%s) is trusted (%s): whether it "
		        "may receive for other MAC addresses than its own cannot be known",
		        relay_id, function.pf_netdev, function.vf_index, vf->spec.name,
		        rc < 0 ? strerror(-rc) : "not in its answer");
		return true;
	}
	if (pf_vf.has_link && pf_vf.link == PF_VF_LINK_DOWN)
		log_notice("relay %u: %s keeps the link of VF %u (%s) down: 'ip link set %s vf %u "
		           "state auto' changes that",
		           relay_id, function.pf_netdev, function.vf_index, vf->spec.name,
		           function.pf_netdev, function.vf_index);
	if (!pf_vf.trusted)
		log_info(
		        "relay %u: VF %u of %s (%s) is not trusted and receives unicast for its "
		        "own "
		        "MAC address only: the guest must use that, or 'ip link set %s vf %u trust "
		        "on' before the VF is added",
		        relay_id, function.vf_index, function.pf_netdev, vf->spec.name,
		        function.pf_netdev, function.vf_index);
	return pf_vf.trusted;
}

/* What the VF lets in. A device that cannot do it works all the same. */
static void open_reception(struct vf *vf, unsigned relay_id)
{
	if (promiscuous_wanted(vf, relay_id)) {
		int rc = rte_eth_promiscuous_enable(vf->port_id);

		vf->promiscuous = rc == 0;
		if (rc != 0)
			log_info("relay %u: %s does not become promiscuous: %s", relay_id,
			         vf->spec.name, vf_reason(rc));
	}
	/* The guest's multicast groups (IPv6 lives by them) are not known to the VF. */
	int rc = rte_eth_allmulticast_enable(vf->port_id);
	if (rc != 0 && !vf->promiscuous)
		log_info("relay %u: %s does not receive all multicast: %s", relay_id, vf->spec.name,
		         vf_reason(rc));
}

static int start(struct vf *vf, unsigned relay_id, struct error *err)
{
	int rc = rte_eth_dev_start(vf->port_id);

	if (rc == 0)
		rc = rte_eth_macaddr_get(vf->port_id, &vf->mac);
	if (rc != 0) {
		error_set(err, VF_ERROR_START, "%s does not start: %s", vf->spec.name,
		          vf_reason(rc));
		return -1;
	}
	vf_spread_evenly(vf);
	open_reception(vf, relay_id);
	(void)rte_eth_stats_reset(vf->port_id); /* those that cannot start from zero anyway */
	return 0;
}

int vf_attach(const struct device_spec *spec, const struct vf_params *params, struct vf *vf,
              struct error *err)
{
	struct error ignored;

	*vf = (struct vf){.spec = *spec};
	if (vf_probe(spec, params->relay_id, &vf->port_id, err) < 0)
		return -1;
	/* Before the start, after which the PF may reset it at any time. */
	listen_to_port(vf->port_id, params->relay_id);
	if (vf_configure(vf, params, err) == 0 && start(vf, params->relay_id, err) == 0)
		return 0;

	stop_listening(vf->port_id);
	if (vf_unprobe(vf->port_id, &ignored) < 0)
		log_warn("relay %u: %s, given up: %s", params->relay_id, spec->name, ignored.text);
	if (vf->pool != NULL)
		pool_retire(vf->pool);
	vf->pool = NULL;
	return -1;
}

static void drain_queue(const struct vf *vf, uint16_t queue, struct vf_leftover *leftover)
{
	struct rte_mbuf *pkts[DRAIN_BURST];
	uint16_t n;

	for (unsigned total = 0; total < DRAIN_PER_QUEUE; total += n) {
		n = rte_eth_rx_burst(vf->port_id, queue, pkts, DRAIN_BURST);
		if (n == 0)
			break;
		leftover->pkts += n;
		for (uint16_t i = 0; i < n; i++)
			leftover->bytes += rte_pktmbuf_pkt_len(pkts[i]);
		rte_pktmbuf_free_bulk(pkts, n);
	}
}

int vf_detach(struct vf *vf, struct vf_leftover *leftover, struct error *err)
{
	*leftover = (struct vf_leftover){0};
	for (uint16_t q = 0; q < vf->n_queues; q++)
		drain_queue(vf, q, leftover);

	stop_listening(vf->port_id);
	int rc = vf_unprobe(vf->port_id, err);
	if (rc < 0)
		error_prefix(err, "%s: ", vf->spec.name);
	pool_retire(vf->pool);
	vf->pool = NULL;
	return rc;
}

void vf_health_read(const struct vf *vf, struct vf_health *out)
{
	struct rte_eth_stats stats;
	struct rte_eth_link link;

	*out = (struct vf_health){0};
	if (rte_eth_stats_get(vf->port_id, &stats) == 0) {
		out->missed = stats.imissed;
		out->no_mbuf = stats.rx_nombuf;
		out->rx_errors = stats.ierrors;
		out->tx_errors = stats.oerrors;
	}
	if (rte_eth_link_get_nowait(vf->port_id, &link) == 0) {
		out->link_up = link.link_status == RTE_ETH_LINK_UP;
		if (link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
			out->link_speed_mbps = link.link_speed;
	}
}

unsigned vf_pools_reclaim(void)
{
	return pool_reclaim();
}

unsigned vf_ports_total(void)
{
	return RTE_MAX_ETHPORTS;
}
