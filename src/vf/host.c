/* What a VF's host decides about it. See host.h. */
#include "vf/host.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "sys/pci_sysfs.h"
#include "sys/pf_netlink.h"
#include "sys/sysfs.h"
#include "vf/quirks.h"

/* Failures that are the kernel's of the moment, not the PF's. */
static bool is_worth_asking_again(int rc)
{
	return rc == -ETIMEDOUT || rc == -ENOBUFS || rc == -ENOMEM || rc == -EBUSY || rc == -EAGAIN;
}

void vf_host_read(const struct vf *vf, struct vf_host *out)
{
	struct pci_function function;
	struct pf_vf pf_vf;
	int64_t number;
	int rc;

	*out = (struct vf_host){.pf_up = true};
	if (!vf->spec.is_pci || pci_sysfs_read(SYSFS_ROOT, &vf->spec.pci, &function) < 0 ||
	    !function.is_vf || !function.has_pf || function.pf_netdev[0] == '\0')
		return;
	out->pf_ifindex = if_nametoindex(function.pf_netdev);
	memcpy(out->pf, function.pf_netdev, sizeof(out->pf));
	out->needs_pf = vf_quirks_of(vf->port_id)->needs_pf_up;
	if (out->needs_pf &&
	    sysfs_read_number(&number, SYSFS_ROOT, "class/net/%s/flags", function.pf_netdev) == 0)
		out->pf_up = number & IFF_UP;
	if (sysfs_read_number(&number, SYSFS_ROOT, "class/net/%s/carrier_changes",
	                      function.pf_netdev) == 0)
		out->carrier_changes = (uint32_t)number;
	rc = pf_netlink_read_vf(function.pf_netdev, function.vf_index, &pf_vf);
	out->incomplete = is_worth_asking_again(rc);
	if (rc == 0 && pf_vf.has_mac)
		memcpy(&out->mac, pf_vf.mac, sizeof(out->mac));
}
