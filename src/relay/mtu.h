/* The MTU that a guest was told, against what its relay's VF carries: an operator gives the one
 * (QEMU's host_mtu), and the VF's driver has the last word on the other.
 */
#ifndef RELAY_MTU_H
#define RELAY_MTU_H

struct relay;

/* Either end may have changed: warns once for each guest and each MTU of its VF, when the guest may
 * send what the VF does not carry. Control thread. */
void mtu_compare(struct relay *relay);

#endif
