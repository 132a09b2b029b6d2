/* Whose unicast a VF receives. vf.c's third step, and vf_mac_set of vf.h. Device thread only.
 */
#ifndef VF_RECEPTION_H
#define VF_RECEPTION_H

#include <rte_ether.h>

#include "vf/vf.h"

/* The address that the PF holds for the device, zeros when it holds none or is not in sight: for
 * vf_reception_open, to be read before the device is probed. */
struct rte_ether_addr vf_reception_pf_mac(const struct device_spec *spec);

/* Of a started VF: its MAC address, whether the host has set that, and as much promiscuity as the
 * PF grants. 0, or the driver's -errno when it does not tell the address. */
int vf_reception_open(struct vf *vf, const struct rte_ether_addr *pf_mac, unsigned relay_id);

/* Gives the VF back the address that it came with. Before the port is stopped. */
void vf_reception_restore(const struct vf *vf);

#endif
