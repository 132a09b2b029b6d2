/* The VF end of a relay: attach, detach, health. See vf.h; the longer steps are vf_probe.c's,
 * vf_configure.c's and vf_reception.c's.
 */
#include "port/vf.h"

#include <errno.h>
#include <sched.h>

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/log.h"
#include "port/pool.h"
#include "port/vf_configure.h"
#include "port/vf_probe.h"
#include "port/vf_reception.h"

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

/* The kernel asks for the device: somebody unbinds it from vfio-pci, or makes its PF take its VFs
 * away, and waits until we let go of it. */
static void on_device_event(const char *name __rte_unused, enum rte_dev_event_type type,
                            void *relay_id)
{
	if (type == RTE_DEV_EVENT_REMOVE && events.on_lost != NULL)
		events.on_lost(events.context, (unsigned)(uintptr_t)relay_id);
}

static void listen_to(const struct vf *vf, unsigned relay_id)
{
	void *argument = (void *)(uintptr_t)relay_id;
	int rc = rte_dev_event_callback_register(vf->spec.name, on_device_event, argument);

	for (size_t i = 0; i < RTE_DIM(lost_events) && rc == 0; i++)
		rc = rte_eth_dev_callback_register(vf->port_id, lost_events[i], on_port_event,
		                                   argument);
	if (rc != 0)
		log_warn("relay %u: no memory to hear of the VF's resets", relay_id);
}

static void stop_listening(const struct vf *vf)
{
	while (rte_dev_event_callback_unregister(vf->spec.name, on_device_event, (void *)-1) ==
	       -EAGAIN)
		sched_yield(); /* it is running */
	for (size_t i = 0; i < RTE_DIM(lost_events); i++)
		while (rte_eth_dev_callback_unregister(vf->port_id, lost_events[i], on_port_event,
		                                       (void *)-1) == -EAGAIN)
			sched_yield();
}

static int start(struct vf *vf, const struct rte_ether_addr *pf_mac, unsigned relay_id,
                 struct error *err)
{
	int rc = rte_eth_dev_start(vf->port_id);

	if (rc == 0)
		rc = vf_reception_open(vf, pf_mac, relay_id);
	if (rc != 0) {
		error_set(err, VF_ERROR_START, "%s does not start: %s", vf->spec.name,
		          vf_reason(rc));
		return -1;
	}
	vf_host_read(vf, &vf->host);
	if (vf->has_rss) {
		rc = vf_rss_spread(vf, vf->n_queues);
		if (rc < 0)
			log_info("relay %u: %s keeps the RSS table of its driver: %s", relay_id,
			         vf->spec.name, vf_reason(rc));
	}
	(void)rte_eth_stats_reset(vf->port_id); /* those that cannot start from zero anyway */
	return 0;
}

int vf_attach(const struct device_spec *spec, const struct vf_params *params, struct vf *vf,
              struct error *err)
{
	const struct rte_ether_addr pf_mac = vf_reception_pf_mac(spec);
	struct error ignored;

	*vf = (struct vf){.spec = *spec};
	if (vf_probe(spec, params->relay_id, &vf->port_id, err) < 0)
		return -1;
	/* Before the start, after which the PF may reset it at any time. */
	listen_to(vf, params->relay_id);
	if (vf_configure(vf, params, err) == 0 && start(vf, &pf_mac, params->relay_id, err) == 0)
		return 0;

	stop_listening(vf);
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

	vf_reception_restore(vf);
	stop_listening(vf);
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
