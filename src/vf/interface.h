/* The host's network interface behind a stand-in for a VF (net_af_packet, net_tap): what it is
 * like, and giving it back as it came. Device thread only, but for the pure function.
 */
#ifndef VF_INTERFACE_H
#define VF_INTERFACE_H

#include "sys/interface.h"
#include "vf/vf.h"

/* After the probe: fills vf->interface with what the driver found. */
void vf_interface_find(struct vf *vf);
/* The MTU for the relay, of the one that is wanted: no more than the interface has. */
uint16_t vf_interface_mtu(const struct vf *vf, uint16_t wanted);
/* After the set-up, whether that failed or not: what the driver has changed is said, and
 * vf->interface as it is now. */
void vf_interface_settle(struct vf *vf, unsigned relay_id);
/* After the end: what the driver had changed, and nobody else since, is as it was. */
void vf_interface_restore(const struct vf *vf);

enum vf_interface_change {
	VF_INTERFACE_SAME,
	VF_INTERFACE_GONE,
	VF_INTERFACE_MOVED, /* to another namespace, which its kind survives */
	VF_INTERFACE_DOWN,
	VF_INTERFACE_UP, /* again */
	VF_INTERFACE_OTHER_MTU,
};

/* What the kernel has told of it. */
enum vf_interface_news {
	VF_INTERFACE_NEWS,         /* something about it has changed */
	VF_INTERFACE_NEWS_DELETED, /* it is not here any more … */
	VF_INTERFACE_NEWS_MOVED,   /* … but in another network namespace */
};

/* What has happened to it. now is NULL when it is not there: of one that was made by its driver the
 * next news tells why. Any thread. */
enum vf_interface_change vf_interface_judge(const struct vf_interface *known,
                                            const struct interface *now,
                                            enum vf_interface_news news);

#endif
