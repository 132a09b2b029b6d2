/* Handing PCI functions over to vfio-pci and back, by sysfs's driver_override, and the VFs that an
 * entry of VIRTIOFWD_BIND_VFIO_PCI means. The kernel's answers may take some 100 ms. No state; one
 * process at a time (bind_record.h locks).
 */
#ifndef SYS_PCI_BIND_H
#define SYS_PCI_BIND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bind_spec.h"
#include "base/error.h"
#include "sys/pci_sysfs.h"

#define PCI_BIND_DRIVER "vfio-pci"

/* The functions of an entry, in the PF's order of its VFs, written to out[0 … *n - 1]. 0, or -errno
 * with err: -ENODEV no such interface, or one without SR-IOV; -ENOENT it has fewer VFs than the
 * entry names (those that there are, are in out). Looks only. */
int pci_bind_select(const char *sysfs, const struct bind_spec *spec,
                    struct pci_address out[BIND_COUNT_MAX], size_t *n, struct error *err);

/* Makes the VFs of an entry DEVICE:COUNT if its PF has none at all; a PF that has some is left as
 * it is, since their number can only be changed by taking them all away. Returns how many were
 * made, or -errno with err. */
int pci_bind_make_vfs(const char *sysfs, const struct bind_spec *spec, struct error *err);

enum pci_bind_need {
	PCI_BIND_NEEDED,
	PCI_BIND_DONE,  /* vfio-pci has it */
	PCI_BIND_OTHER, /* it is usable as it is: igb_uio, or a driver beside which DPDK's works */
};

/* Whether the function may and must be bound. An enum pci_bind_need, or -errno with err: no such
 * function, no NIC, a whole device that the host uses, no IOMMU. */
int pci_bind_judge(const char *sysfs, const struct pci_address *address,
                   struct pci_function *function, struct error *err);

/* Whether vfio-pci's module is loaded. */
bool pci_bind_driver_is_there(const char *sysfs);

/* From its driver, if it has one, to vfio-pci, whose module must be there. When that fails the
 * function is given back. 0 or -errno with err. */
int pci_bind_take(const char *sysfs, const struct pci_function *function, struct error *err);

/* Back to driver ("" = none). 0; -ESTALE with err when it is not bound to vfio-pci by an override
 * any more: somebody else has decided about it; -EBUSY when a process uses it (dev is where vfio/
 * is found: "/dev"); or another -errno. */
int pci_bind_give_back(const char *sysfs, const char *dev, const struct pci_address *address,
                       const char *driver, struct error *err);

#endif
