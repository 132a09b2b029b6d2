/* What a VF's host decides about it. Device thread only.
 */
#ifndef VF_HOST_H
#define VF_HOST_H

#include "vf/vf.h"

/* Asks the PF, which may take it a while. */
void vf_host_read(const struct vf *vf, struct vf_host *out);

#endif
