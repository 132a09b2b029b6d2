/* What a VF's PF says of it. Some VF drivers report success where the PF has refused, so its kernel
 * driver is asked; only reads. Device thread.
 */
#ifndef VF_CONSENT_H
#define VF_CONSENT_H

#include <net/if.h>
#include <stdbool.h>

#include "base/device_spec.h"
#include "sys/pf_netlink.h"

struct vf_consent {
	bool is_vf; /* else the rest says nothing, and there is nobody to ask */
	bool seen;  /* the PF is in sight, and answers with all that is needed */
	char pf[IF_NAMESIZE];
	unsigned index;
	struct pf_vf vf;
	const char *unseen_why; /* unless seen; string literal, or strerror's */
};

/* May block for PF_NETLINK_TIMEOUT_MS. */
struct vf_consent vf_consent_read(const struct device_spec *spec);

#endif
