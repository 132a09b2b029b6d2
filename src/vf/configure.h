/* Setting up a probed port: queues, RSS, MTU, offloads, packet memory. attach.c's second step.
 * Device thread only.
 */
#ifndef VF_CONFIGURE_H
#define VF_CONFIGURE_H

#include "base/error.h"
#include "vf/vf.h"

/* Everything up to, but without, the start; vf->spec and vf->port_id are given, the other fields
 * but mac and promiscuous are filled. 0, or -1 with err and its VF_ERROR_*; the pool, if
 * vf->pool is not NULL, is to be retired by the caller once the port is closed, either way. A bond
 * can do what all its members can, each of which is tried by itself first. */
int vf_configure(struct vf *vf, const struct vf_params *params, struct error *err);

/* A member that joins its bond while that runs: the checks of vf_configure, and the bond's MTU.
 * 0, or -1 with err and BOND_ERROR_CONFIGURE. */
int vf_configure_member(const struct vf *vf, unsigned index, const struct vf_params *params,
                        struct error *err);

#endif
