/* Link bonding: several ports that are one device, by DPDK's bonding PMD. vf.c's and vf_mend's way
 * to the members. Device thread only.
 */
#ifndef VF_BOND_H
#define VF_BOND_H

#include "base/error.h"
#include "vf/vf.h"

/* Probes the members and makes the bond of them: vf->port_id and vf->members. All or nothing, but
 * with params->partial as many as there are, one at least. 0, or, with err and its BOND_ERROR_*,
 * and nothing left behind, -EAGAIN when a member that it needs may be there in a moment, else -1.
 */
int bond_probe(const struct device_spec *spec, const struct vf_params *params, struct vf *vf,
               struct error *err);

/* The bond's and its members' counterpart of vf_unprobe. */
int bond_unprobe(struct vf *vf, struct error *err);

/* What must be there before the start, or else the PMD ends the process when it finds out by
 * itself. 0, or -1 with err. */
int bond_check_memory(const struct vf *vf, const struct vf_params *params, struct error *err);

/* The bond's default address, and so that of its members, as its mode has it. 0 or -errno. */
int bond_set_mac(const struct vf *vf, struct rte_ether_addr *mac);

/* Fills health->members, as vf_health_read. */
void bond_health_read(const struct vf *vf, struct vf_health *health);

/* Gives the members anew what the bond receives: its address, promiscuity and multicast, as its
 * mode has it. */
void bond_renew_reception(const struct vf *vf);

#endif
