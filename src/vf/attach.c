/* Attaching and detaching VFs. See attach.h; the longer steps are probe.c's, configure.c's and
 * reception.c's.
 */
#include "vf/attach.h"

#include <errno.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/log.h"
#include "dpdk/pool.h"
#include "vf/alarm.h"
#include "vf/bond.h"
#include "vf/configure.h"
#include "vf/events.h"
#include "vf/host.h"
#include "vf/interface.h"
#include "vf/probe.h"
#include "vf/quirks.h"
#include "vf/reception.h"
#include "vf/rss.h"
#include "vf/vlans.h"

#define DRAIN_BURST     32
#define DRAIN_PER_QUEUE 65536 /* a device under fire never runs empty */

static int start(struct vf *vf, const struct ether_addr *pf_mac, const struct vf_params *params,
                 struct error *err)
{
	if (vf->n_members > 0 && bond_check_memory(vf, params, err) < 0)
		return -1;
	int rc = rte_eth_dev_start(vf->port_id);
	if (rc == 0)
		rc = vf_reception_open(vf, pf_mac, params->relay_id);
	if (rc == 0 && vf->filters_vlans)
		rc = vf_vlans_open(vf);
	if (rc != 0) {
		error_set(err, vf->n_members > 0 ? BOND_ERROR_START : VF_ERROR_START,
		          "%s does not start: %s", vf->spec.name, vf_explain(rc));
		return -1;
	}
	vf_alarm_find(vf, params);
	vf_host_read(vf, &vf->host);
	if (vf->has_rss) {
		rc = vf_rss_spread(vf, vf->n_queues);
		if (rc < 0)
			log_info("relay %u: %s keeps the RSS table of its driver: %s",
			         params->relay_id, vf->spec.name, vf_explain(rc));
	}
	(void)rte_eth_stats_reset(vf->port_id); /* a device that cannot starts from what it has */
	return 0;
}

static int probe(struct vf *vf, const struct vf_params *params, struct error *err)
{
	if (params->bond != NULL && params->bond->n_members > 0)
		return bond_probe(&vf->spec, params, vf, err);
	int rc = vf_probe(&vf->spec, params->relay_id, &vf->port_id, err);
	if (rc < 0)
		return rc;
	/* Before the start, after which the PF may reset it at any time. */
	vf_events_listen(vf->port_id, params->relay_id, 0);
	return 0;
}

static int unprobe(struct vf *vf, struct error *err)
{
	if (vf->n_members > 0)
		return bond_unprobe(vf, err);
	vf_events_ignore(vf->port_id);
	return vf_unprobe(vf->port_id, err);
}

static void forget_pool(struct vf *vf)
{
	if (vf->pool != NULL)
		pool_retire(vf->pool);
	vf->pool = NULL;
}

static int set_up(struct vf *vf, const struct ether_addr *pf_mac, const struct vf_params *params,
                  struct error *err)
{
	int rc = vf_configure(vf, params, err);

	vf_interface_settle(vf, params->relay_id);
	if (rc == 0)
		return start(vf, pf_mac, params, err);
	if (vf->n_members > 0)
		err->code = BOND_ERROR_CONFIGURE;
	return -1;
}

int vf_attach(const struct device_spec *spec, const struct vf_params *params, struct vf *vf,
              struct error *err)
{
	const struct ether_addr pf_mac = vf_reception_read_pf_mac(spec);
	struct vf_params fitting = *params;
	struct error ignored;

	*vf = (struct vf){.spec = *spec};
	int rc = probe(vf, params, err);
	if (rc < 0)
		return rc == -EAGAIN ? -EAGAIN : -1;
	vf_interface_find(vf);
	fitting.mtu = vf_interface_mtu(vf, params->mtu);
	rc = set_up(vf, &pf_mac, &fitting, err);
	if (rc < 0 && vf_alarm_wanted(vf, vf_quirks_of(vf->port_id), &fitting)) {
		log_notice("%s: %s; once more without receive interrupts", spec->name, err->text);
		fitting.rx_interrupts = false;
		(void)rte_eth_dev_stop(vf->port_id);
		forget_pool(vf);
		rc = set_up(vf, &pf_mac, &fitting, err);
	}
	if (rc == 0)
		return 0;
	if (unprobe(vf, &ignored) < 0)
		log_warn("relay %u: %s, given up: %s", params->relay_id, spec->name, ignored.text);
	vf_interface_restore(vf);
	forget_pool(vf);
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

	vf_vlans_close(vf);
	vf_reception_restore(vf);
	int rc = unprobe(vf, err);
	if (rc < 0)
		error_prefix(err, "%s: ", vf->spec.name);
	vf_interface_restore(vf);
	pool_retire(vf->pool);
	vf->pool = NULL;
	return rc;
}
