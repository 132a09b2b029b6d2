/* Which addresses a VF receives unicast for: its MAC address, and what the PF lets pass beyond
 * that. See reception.h.
 *
 * That is the PF's decision, and some VF drivers report success where the PF has refused. So the
 * PF's kernel driver is asked, before (is the VF trusted, has the host set its address?) and after
 * (which address does it hold now?). Where the PF is not in sight, as in a guest that was given a
 * VF, that cannot be had, and is said.
 */
#include "vf/reception.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_ethdev.h>

#include "base/log.h"
#include "vf/bond.h"
#include "vf/consent.h"
#include "vf/dpdk_mac.h"
#include "vf/quirks.h"

static bool pf_holds(const struct vf_consent *consent, const struct ether_addr *mac)
{
	return consent->seen && memcmp(consent->vf.mac, mac, sizeof(*mac)) == 0;
}

struct ether_addr vf_reception_read_pf_mac(const struct device_spec *spec)
{
	struct vf_consent consent = vf_consent_read(spec);
	struct ether_addr mac = {{0}};

	if (consent.seen)
		memcpy(&mac, consent.vf.mac, sizeof(mac));
	return mac;
}

/* --- at the attach ---------------------------------------------------------------------------- */

static bool promiscuity_wanted(const struct vf *vf, const struct vf_consent *consent,
                               unsigned relay_id)
{
	if (!consent->is_vf)
		return true;
	if (vf_quirks_of(vf->port_id)->never_promiscuous) {
		log_info("relay %u: %s receives unicast for its own MAC address only: the PFs of "
		         "such VFs let none be promiscuous, trusted or not; the guest must use "
		         "that address, or --sync-mac program the guest's",
		         relay_id, vf->spec.name);
		return false;
	}
	if (!consent->seen) {
		log_info("relay %u: whether %s may receive for other MAC addresses than its own "
		         "cannot be known (%s)",
		         relay_id, vf->spec.name, consent->unseen_why);
		return true;
	}
	if (!consent->vf.trusted)
		log_info("relay %u: VF %u of %s (%s) is not trusted and receives unicast for its "
		         "own MAC address only: the guest must use that, or 'ip link set %s vf %u "
		         "trust on' before the VF is added",
		         relay_id, consent->index, consent->pf, vf->spec.name, consent->pf,
		         consent->index);
	return consent->vf.trusted;
}

int vf_reception_open(struct vf *vf, const struct ether_addr *pf_mac, unsigned relay_id)
{
	struct rte_ether_addr mac;
	int rc = rte_eth_macaddr_get(vf->port_id, &mac);

	if (rc != 0)
		return rc;
	vf->mac = vf->first_mac = mac_of_dpdk(&mac);
	/* The PF may have held an address that an earlier driver of the VF chose, and forgets that
	 * one when the VF is reset: then the VF comes with another. */
	vf->mac_by_host = !vf_mac_is_zero(pf_mac) && vf_mac_equal(pf_mac, &vf->mac);

	struct vf_consent consent = vf_consent_read(&vf->spec);
	if (consent.seen && consent.vf.has_link && consent.vf.link == PF_VF_LINK_DOWN)
		log_notice("relay %u: %s keeps the link of VF %u (%s) down: 'ip link set %s vf %u "
		           "state auto' changes that",
		           relay_id, consent.pf, consent.index, vf->spec.name, consent.pf,
		           consent.index);
	if (promiscuity_wanted(vf, &consent, relay_id)) {
		rc = rte_eth_promiscuous_enable(vf->port_id);
		vf->promiscuous = rc == 0;
		if (rc != 0)
			log_info("relay %u: %s does not become promiscuous: %s", relay_id,
			         vf->spec.name, vf_explain(rc));
	}
	/* The guest's multicast groups (IPv6 lives by them) are not known to the VF. */
	rc = rte_eth_allmulticast_enable(vf->port_id);
	if (rc != 0 && !vf->promiscuous)
		log_info("relay %u: %s does not receive all multicast: %s", relay_id, vf->spec.name,
		         vf_explain(rc));
	return 0;
}

/* --- the guest's address ---------------------------------------------------------------------- */

/* Whether the VF is known to receive whatever is on the wire; software devices filter nothing. */
static bool receives_any(const struct vf *vf, const struct vf_consent *consent)
{
	if (consent->is_vf)
		return vf->promiscuous && consent->seen && consent->vf.trusted;
	return !vf_quirks_of(vf->port_id)->many_pfs && (vf->promiscuous || !vf->spec.is_pci);
}

/* Sets the default address. 0 when the VF has it, and *known when there is no doubt about that. */
static int set_default_mac(const struct vf *vf, const struct ether_addr *mac,
                           const struct vf_quirks *quirks, bool *known)
{
	struct rte_ether_addr wanted = mac_to_dpdk(mac), before;
	int rc = rte_eth_macaddr_get(vf->port_id, &before);

	if (rc == 0)
		rc = vf->n_members > 0 ? bond_set_mac(vf, mac)
		                       : rte_eth_dev_default_mac_addr_set(vf->port_id, &wanted);
	if (rc != 0 || !quirks->hides_refusals)
		return rc;
	struct vf_consent consent = vf_consent_read(&vf->spec);
	*known = consent.seen;
	if (!consent.seen || pf_holds(&consent, mac))
		return 0;
	/* ethdev believes its driver: put that right. */
	(void)rte_eth_dev_default_mac_addr_set(vf->port_id, &before);
	return -EACCES;
}

/* Adds the address, or, with a driver that has no additional ones, replaces the default address:
 * a driver may take the old one away before it learns that its PF does not want the new one. */
static int program_mac(struct vf *vf, const struct ether_addr *mac, const struct vf_quirks *quirks,
                       bool *known)
{
	struct rte_ether_addr extra = mac_to_dpdk(&vf->extra_mac);

	if (!vf_mac_is_zero(&vf->extra_mac))
		(void)rte_eth_dev_mac_addr_remove(vf->port_id, &extra);
	vf->extra_mac = (struct ether_addr){{0}};
	extra = mac_to_dpdk(mac);
	int rc = rte_eth_dev_mac_addr_add(vf->port_id, &extra, 0);
	*known = !quirks->many_pfs;
	if (rc == 0)
		vf->extra_mac = *mac;
	if (rc != -ENOTSUP)
		return rc;
	rc = set_default_mac(vf, mac, quirks, known);
	if (rc == 0)
		vf->mac = *mac;
	return rc;
}

/* What the operator can do, for the end of a sentence. */
static void describe_remedies(const struct ether_addr *mac, bool may_program, bool trust_helps,
                              const struct vf_consent *consent, char *text, size_t size)
{
	char host[96] = "", sync[96] = "", mac_text[VF_MAC_TEXT_MAX];

	if (consent->seen)
		snprintf(host, sizeof(host), ", or 'ip link set %s vf %u mac %s'", consent->pf,
		         consent->index, vf_mac_format(mac, mac_text));
	else if (consent->is_vf)
		snprintf(host, sizeof(host), ", or have the VF's host set it");
	if (trust_helps)
		snprintf(sync, sizeof(sync), ", or 'ip link set %s vf %u trust on'%s", consent->pf,
		         consent->index, may_program ? "" : " and --sync-mac");
	else if (!may_program)
		snprintf(sync, sizeof(sync), ", or --sync-mac");
	snprintf(text, size, "give the guest that address%s%s", host, sync);
}

/* why is what keeps us from programming the guest's address. */
static enum vf_mac_outcome decline(const struct vf *vf, const struct ether_addr *mac,
                                   const char *why, const char *remedies, struct error *out)
{
	char guests[VF_MAC_TEXT_MAX], vfs[VF_MAC_TEXT_MAX];

	error_set(out, EACCES,
	          "the guest uses the MAC address %s, but %s receives unicast for %s only: %s; %s",
	          vf_mac_format(mac, guests), vf->spec.name, vf_mac_format(&vf->mac, vfs), why,
	          remedies);
	return VF_MAC_DECLINED;
}

enum vf_mac_outcome vf_mac_set(struct vf *vf, const struct ether_addr *mac, bool may_program,
                               struct error *why)
{
	const struct vf_consent consent = vf_consent_read(&vf->spec);
	const struct vf_quirks *quirks = vf_quirks_of(vf->port_id);
	bool untrusted = consent.seen && !consent.vf.trusted;
	bool refused = quirks->hides_refusals && untrusted && vf->mac_by_host, known;
	char remedies[256];
	int rc;

	*why = (struct error){0};
	if (vf_has_mac(vf, mac))
		return VF_MAC_PROGRAMMED;
	if (pf_holds(&consent, mac)) { /* the host was quicker */
		vf->mac = *mac;
		return VF_MAC_PROGRAMMED;
	}
	/* A trusted VF too sends under its own address only, if the PF checks that. */
	if (receives_any(vf, &consent) && !(may_program && consent.is_vf))
		return VF_MAC_NOT_NEEDED;
	describe_remedies(mac, may_program, may_program ? untrusted : refused, &consent, remedies,
	                  sizeof(remedies));
	if (!may_program)
		return decline(vf, mac, "--sync-mac is not on", remedies, why);
	if (refused)
		return decline(vf, mac,
		               "the host has set that, and the PF lets no VF change it that is not "
		               "trusted",
		               remedies, why);
	rc = program_mac(vf, mac, quirks, &known);
	if (rc != 0) {
		char failure[128];

		snprintf(failure, sizeof(failure), "it cannot be programmed (%s)",
		         rc == -EACCES ? "its PF refuses that" : vf_explain(rc));
		return decline(vf, mac, failure, remedies, why);
	}
	if (known)
		return VF_MAC_PROGRAMMED;
	error_set(why, ENODATA, "whether its PF agreed cannot be known (%s)", consent.unseen_why);
	return VF_MAC_UNCONFIRMED;
}

void vf_reception_restore(const struct vf *vf)
{
	struct rte_ether_addr first = mac_to_dpdk(&vf->first_mac), now;

	if (rte_eth_macaddr_get(vf->port_id, &now) == 0 && memcmp(&now, &first, sizeof(now)) != 0)
		(void)rte_eth_dev_default_mac_addr_set(vf->port_id, &first);
}
