/* Link bonding: several ports that are one device, by DPDK's bonding PMD. How attach.c makes a bond
 * and ends it, and how mend.c and health.c get at its members. Device thread only.
 */
#ifndef VF_BOND_H
#define VF_BOND_H

#include <net/ethernet.h>
#include <stdint.h>

#include "base/bond_spec.h"
#include "base/device_spec.h"
#include "base/error.h"
#include "vf/vf.h"

/* --- the bond --- */

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
int bond_set_mac(const struct vf *vf, const struct ether_addr *mac);

/* Gives the members anew what the bond receives: its address, promiscuity and multicast, as its
 * mode has it, and its VLANs. */
void bond_renew_reception(const struct vf *vf);

/* The ports of the members that the bond uses now. Returns how many, or a negative value. */
int bond_active_members(const struct vf *vf, uint16_t ports[BOND_MEMBERS_MAX]);

/* --- one member, by its place in the bond_spec --- */

const char *bond_member_name(const struct vf_params *params, unsigned index);

/* Probes the member: it is present then, but not the bond's yet. As bond_probe otherwise. */
int bond_member_probe(struct vf *vf, unsigned index, const struct vf_params *params,
                      struct error *err);

/* The member is absent afterwards; as vf_unprobe otherwise. It has left the bond before. */
int bond_member_unprobe(struct vf *vf, unsigned index, struct error *err);

/* A present member becomes the bond's, or is the bond's no more. 0, or the PMD's negative value. */
int bond_member_join(const struct vf *vf, unsigned index);
int bond_member_leave(const struct vf *vf, unsigned index);

#endif
