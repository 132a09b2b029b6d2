/* Whose unicast a VF receives: at the attach, and when its guest uses an address. Device thread
 * only.
 */
#ifndef VF_RECEPTION_H
#define VF_RECEPTION_H

#include <net/ethernet.h>

#include "base/device_spec.h"
#include "base/error.h"
#include "vf/vf.h"

/* The address that the PF holds for the device, zeros when it holds none or is not in sight: for
 * vf_reception_open, to be read before the device is probed. */
struct ether_addr vf_reception_read_pf_mac(const struct device_spec *spec);

/* Of a started VF: its MAC address, whether the host has set that, and as much promiscuity as the
 * PF grants. 0, or the driver's -errno when it does not tell the address. */
int vf_reception_open(struct vf *vf, const struct ether_addr *pf_mac, unsigned relay_id);

/* Gives the VF back the address that it came with. Before the port is stopped. */
void vf_reception_restore(const struct vf *vf);

enum vf_mac_outcome {
	VF_MAC_PROGRAMMED,  /* the VF receives for that address, and sends under it */
	VF_MAC_UNCONFIRMED, /* so says its driver, which may be wrong; why->text says why */
	VF_MAC_NOT_NEEDED,  /* it receives for any address */
	VF_MAC_DECLINED, /* it receives for other addresses only; why->text: why, and what helps */
};

/* The guest uses this unicast address: has the VF receive for it, unless it does already. Without
 * may_program nothing is changed, and the outcome says what the guest has to expect. The address
 * is added to the VF's (the next call replaces it); its default address is replaced where its
 * driver knows no additional ones. May ask the PF's kernel driver. */
enum vf_mac_outcome vf_mac_set(struct vf *vf, const struct ether_addr *mac, bool may_program,
                               struct error *why);

#endif
