/* Which VLANs a VF receives frames of, where its PF filters by their 802.1Q tags: those that it was
 * programmed for. Device thread only.
 */
#ifndef VF_VLANS_H
#define VF_VLANS_H

#include "base/error.h"
#include "base/vlan_set.h"
#include "vf/vf.h"

/* Of a VF that filters by VLAN: what vf->vlans points to. 0 or -ENOMEM. */
int vf_vlans_open(struct vf *vf);
/* No lane uses the VF any more. Before the port is closed; harmless without vf_vlans_open. */
void vf_vlans_close(struct vf *vf);

/* What is to change, and what has become of it. What is in none of the results was not come to. */
struct vf_vlans_change {
	struct vlan_set add, remove; /* in */
	struct vlan_set added, removed, refused;
	bool unsupported; /* the VF has no such filter: whatever there is to receive comes */
	struct error why; /* of refused: the reason, and what helps; empty when nothing is */
};

/* Asks the PF for each, as long as it answers quickly. A VF that the host has put into a VLAN gets
 * none: its PF is not asked then. */
void vf_vlans_change(const struct vf *vf, struct vf_vlans_change *change);

/* Asks the PF once more for all that it has granted. */
void vf_vlans_renew(const struct vf *vf);

#endif
