/* What ports tell of themselves. Device thread only.
 */
#ifndef VF_HEALTH_H
#define VF_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bond_spec.h"
#include "vf/vf.h"

struct vf_member_health {
	bool link_up;
	bool active; /* the bond uses it */
	uint32_t link_speed_mbps;
	struct vf_counts counts;
};

struct vf_health { /* read once a second */
	bool link_up;
	uint32_t link_speed_mbps; /* 0 = unknown */
	struct vf_counts counts;
	struct vf_member_health members[BOND_MEMBERS_MAX]; /* [n_members], zeros for the absent */
};

/* What the VF does not tell stays as it was read before (zeros at first): a VF that its PF has
 * reset may not answer any more, and what it has counted is not undone. When other members of a
 * bond are active than before, they are given the bond's address and modes once more: what the PMD
 * asked of a VF while its PF was busy with a link that went down or came up, the PF may never have
 * heard. */
void vf_health_read(const struct vf *vf, struct vf_health *health);

/* One port, a bond's member for one. What it does not tell stays as it is. */
void vf_health_read_port(uint16_t port_id, bool *link_up, uint32_t *link_speed_mbps,
                         struct vf_counts *counts);

#endif
