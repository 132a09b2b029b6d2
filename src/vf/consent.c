/* What a VF's PF says of it. See consent.h. */
#include "vf/consent.h"

#include <string.h>

#include "sys/pci_sysfs.h"
#include "sys/sysfs.h"

struct vf_consent vf_consent_read(const struct device_spec *spec)
{
	struct vf_consent consent = {.unseen_why = "its members' PFs are not asked"};
	struct pci_function function;

	if (!spec->is_pci || pci_sysfs_read(SYSFS_ROOT, &spec->pci, &function) < 0 ||
	    !function.is_vf)
		return consent;
	consent.is_vf = true;
	consent.unseen_why = "its PF is not in sight";
	if (!function.has_pf || function.pf_netdev[0] == '\0')
		return consent;
	memcpy(consent.pf, function.pf_netdev, sizeof(consent.pf));
	consent.index = function.vf_index;
	int rc = pf_netlink_read_vf(consent.pf, consent.index, &consent.vf);
	consent.seen = rc == 0 && consent.vf.has_trust && consent.vf.has_mac;
	consent.unseen_why = rc < 0 ? strerror(-rc) : "its PF's driver does not tell";
	return consent;
}
