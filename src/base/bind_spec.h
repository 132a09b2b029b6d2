/* Entries of VIRTIOFWD_BIND_VFIO_PCI: what --bind hands over to vfio-pci. Pure text: whether any of
 * it exists is sysfs's to say (sys/pci_bind.h).
 */
#ifndef BASE_BIND_SPEC_H
#define BASE_BIND_SPEC_H

#include <stdbool.h>

#include "base/device_spec.h"
#include "base/error.h"

#define BIND_NETDEV_MAX 16  /* the kernel's IFNAMSIZ, NUL included */
#define BIND_COUNT_MAX  256 /* VFs of one PF */

struct bind_spec {
	bool is_pci;
	struct pci_address pci;       /* when is_pci */
	char netdev[BIND_NETDEV_MAX]; /* else: the PF's network interface */
	unsigned count;               /* its first so many VFs; 0: all */
};

/* Reads the next entry of a comma list ("0000:05:08.1,ens1f0,ens1f1:4") and moves *text behind it;
 * empty entries are skipped. 1 when there was one, 0 at the end, -EINVAL with err. */
int bind_spec_next(const char **text, struct bind_spec *out, struct error *err);

#endif
