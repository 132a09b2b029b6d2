/* Which VLANs a VF receives frames of. See vlans.h.
 *
 * Some PFs that pass tagged frames to a VF take the tags off on the way, unasked: Linux's igb and
 * i40e do from the first VLAN on that the VF asks for. The driver then has the tag beside the
 * frame, and a callback of DPDK's puts it back before a lane sees the frame. Only tags that the VF
 * was programmed for since it was attached are put back: those of the VLAN that the host has put
 * the VF into are the host's, and not for the guest to see.
 */
#include "vf/vlans.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "base/clock.h"
#include "base/limits.h"
#include "vf/consent.h"

/* How long a PF may be asked at a time: others have work for the thread too. */
#define CHANGE_MS 300

struct vf_vlans {
	struct vlan_set granted; /* device thread */
	struct vlan_set ours;    /* granted or asked for, ever; device thread: adds, workers: ro */
	bool puts_back;
	const struct rte_eth_rxtx_callback *callbacks[VF_QUEUES_MAX];
};

int vf_vlans_open(struct vf *vf)
{
	vf->vlans = calloc(1, sizeof(*vf->vlans));
	return vf->vlans != NULL ? 0 : -ENOMEM;
}

/* --- tags that were taken off ---------------------------------------------------------------- */

static bool is_ours(const struct vf_vlans *vlans, uint16_t tag)
{
	unsigned id = tag & VLAN_ID_MASK;

	return id < VLAN_ID_MIN || vlan_set_heard(&vlans->ours, id);
}

/* Workers. A frame without room for its tag, which no buffer of a relay's pool is, may not arrive
 * as if it had none. */
static uint16_t put_back(uint16_t port_id __rte_unused, uint16_t queue __rte_unused,
                         struct rte_mbuf **pkts, uint16_t n, uint16_t max __rte_unused,
                         void *context)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *pkt = pkts[i];

		if ((pkt->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) == 0 ||
		    !is_ours(context, pkt->vlan_tci) || rte_vlan_insert(&pkt) == 0)
			pkts[kept++] = pkt;
		else
			rte_pktmbuf_free(pkt);
	}
	return kept;
}

/* Lanes may poll the VF meanwhile. 0 or -errno. */
static int begin_putting_back(const struct vf *vf)
{
	struct vf_vlans *vlans = vf->vlans;

	for (uint16_t q = 0; q < vf->n_queues && !vlans->puts_back; q++) {
		if (vlans->callbacks[q] == NULL)
			vlans->callbacks[q] =
			        rte_eth_add_rx_callback(vf->port_id, q, put_back, vlans);
		if (vlans->callbacks[q] == NULL)
			return rte_errno != 0 ? -rte_errno : -ENOMEM;
	}
	vlans->puts_back = true;
	return 0;
}

void vf_vlans_close(struct vf *vf)
{
	if (vf->vlans == NULL)
		return;
	for (uint16_t q = 0; q < VF_QUEUES_MAX; q++) {
		const struct rte_eth_rxtx_callback *callback = vf->vlans->callbacks[q];

		if (callback == NULL)
			continue;
		(void)rte_eth_remove_rx_callback(vf->port_id, q, callback);
		rte_free((void *)(uintptr_t)callback); /* nobody is in it any more */
	}
	free(vf->vlans);
	vf->vlans = NULL;
}

/* --- asking the PF --------------------------------------------------------------------------- */

/* A bond remembers it for members that are yet to come, and tells those that it has; what they
 * answer it does not tell. 0, or the driver's value, which may be any other. */
static int ask(const struct vf *vf, unsigned id, bool on)
{
	int rc = rte_eth_dev_vlan_filter(vf->port_id, (uint16_t)id, on);

	for (unsigned i = 0; i < vf->n_members && rc == 0; i++)
		if (vf->members[i].present)
			rc = rte_eth_dev_vlan_filter(vf->members[i].port_id, (uint16_t)id, on);
	return rc;
}

static int add(const struct vf *vf, unsigned id)
{
	struct vf_vlans *vlans = vf->vlans;
	int rc = begin_putting_back(vf);

	if (rc < 0)
		return rc;
	bool was_ours = vlan_set_has(&vlans->ours, id);
	vlan_set_hear(&vlans->ours, id); /* before the first frame may come */
	rc = ask(vf, id, true);
	if (rc == 0)
		vlan_set_add(&vlans->granted, id);
	else if (!was_ours)
		vlan_set_unhear(&vlans->ours, id);
	return rc;
}

/* Where the PF does not want to, the VF goes on receiving them. */
static void remove_all(const struct vf *vf, struct vf_vlans_change *change, uint64_t until_ms)
{
	for (int id = vlan_set_next(&change->remove, -1); id >= 0;
	     id = vlan_set_next(&change->remove, id)) {
		if (clock_now_ms() > until_ms)
			return;
		(void)ask(vf, (unsigned)id, false);
		vlan_set_remove(&vf->vlans->granted, (unsigned)id);
		vlan_set_add(&change->removed, (unsigned)id);
	}
}

static void explain_refusal(const struct vf *vf, const struct vf_consent *consent,
                            struct error *why)
{
	if (!consent->seen)
		error_set(why, EACCES,
		          "the PF of %s refuses; it can put up with so many VLANs only, all VFs "
		          "together, or its host may have to allow them (%s)",
		          vf->spec.name, consent->unseen_why);
	else if (!consent->vf.trusted)
		error_set(why, EACCES,
		          "%s, the PF, refuses; it can put up with so many VLANs only, all VFs "
		          "together, or 'ip link set %s vf %u trust on' lets this one have more",
		          consent->pf, consent->pf, consent->index);
	else
		error_set(why, EACCES,
		          "%s, the PF, refuses, though VF %u is trusted; it can put up with so "
		          "many VLANs only, all VFs together: have other guests, or "
		          "VIRTIOFWD_VLANS, use fewer",
		          consent->pf, consent->index);
}

static void refuse_all(struct vf_vlans_change *change)
{
	change->refused = change->add;
	vlan_set_leave(&change->refused, &change->added);
}

static void add_all(const struct vf *vf, struct vf_vlans_change *change, uint64_t until_ms)
{
	const struct vf_consent consent = vf_consent_read(&vf->spec);

	if (consent.seen && consent.vf.vlan != 0) {
		refuse_all(change);
		error_set(&change->why, EACCES,
		          "the host has put VF %u of %s into VLAN %u, and its guest may use no "
		          "tags; 'ip link set %s vf %u vlan 0' takes it out",
		          consent.index, consent.pf, consent.vf.vlan, consent.pf, consent.index);
		return;
	}
	for (int id = vlan_set_next(&change->add, -1); id >= 0;
	     id = vlan_set_next(&change->add, id)) {
		if (clock_now_ms() > until_ms)
			return;
		int rc = add(vf, (unsigned)id);
		change->unsupported = rc == -ENOTSUP;
		if (change->unsupported)
			return;
		if (rc == 0) {
			vlan_set_add(&change->added, (unsigned)id);
			continue;
		}
		vlan_set_add(&change->refused, (unsigned)id);
		if (rc == -ENOMEM)
			error_set(&change->why, ENOMEM, "%s", strerror(ENOMEM));
		else
			explain_refusal(vf, &consent, &change->why);
	}
}

void vf_vlans_change(const struct vf *vf, struct vf_vlans_change *change)
{
	uint64_t until_ms = clock_now_ms() + CHANGE_MS;

	remove_all(vf, change, until_ms);
	if (!vlan_set_is_empty(&change->add))
		add_all(vf, change, until_ms);
}

void vf_vlans_renew(const struct vf *vf)
{
	if (vf->vlans == NULL)
		return;
	for (int id = vlan_set_next(&vf->vlans->granted, -1); id >= 0;
	     id = vlan_set_next(&vf->vlans->granted, id))
		(void)ask(vf, (unsigned)id, true);
}
