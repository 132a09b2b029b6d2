/* Mending a bond while its lanes go on: members that were lost leave it, and return. Device thread
 * only.
 */
#ifndef VF_MEND_H
#define VF_MEND_H

#include "base/bond_spec.h"
#include "base/error.h"
#include "vf/health.h"
#include "vf/vf.h"

struct workers;

/* What a vf_mend has done, beside changing vf. */
struct vf_mended {
	struct vf_counts gone[BOND_MEMBERS_MAX]; /* by members that were given up */
	unsigned returned;                       /* bit i: member i is there again */
	struct vf_health health;                 /* with the members that there are now */
};

/* Takes the members `lost` (bit i: member i) out of a running bond, and takes back those of
 * `wanted` that are absent and there again. The lanes go on meanwhile; workers are those that may
 * run them. Returns how many members are absent afterwards, with err about one that was wanted, if
 * any; or -1 when the bond would have been left without any: then nothing has changed, and the
 * whole bond has to be detached. */
int vf_mend(struct vf *vf, const struct vf_params *params, unsigned lost, unsigned wanted,
            struct workers *workers, struct vf_mended *mended, struct error *err);

#endif
