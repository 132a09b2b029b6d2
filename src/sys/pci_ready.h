/* Whether DPDK could take a PCI function as it stands, and what to do if not. All from sysfs, whose
 * root is a parameter; nothing is changed. Pure functions, any thread.
 */
#ifndef SYS_PCI_READY_H
#define SYS_PCI_READY_H

#include <stdbool.h>

#include "sys/pci_sysfs.h"

enum pci_state {
	PCI_READY,
	PCI_ABSENT,        /* there is no such function */
	PCI_NO_NIC,        /* its class is no network controller's */
	PCI_UNBOUND,       /* no driver has it */
	PCI_KERNEL_DRIVER, /* a driver of the kernel's has it */
	PCI_NO_GROUP,      /* vfio has it, without an IOMMU */
	PCI_GROUP_BLOCKED, /* another function of its IOMMU group is in the way */
};

struct pci_verdict {
	enum pci_state state;
	char what[256];   /* what is wrong, a clause; "" when ready */
	char remedy[256]; /* what to do about it, a clause */
};

/* Fills both. */
enum pci_state pci_ready_check(const char *sysfs, const struct pci_address *address,
                               struct pci_function *function, struct pci_verdict *out);

/* The drivers beside which DPDK's own work, on the same function (mlx5_core …). */
bool pci_driver_is_bifurcated(const char *driver);
/* The drivers that hand a function to DPDK without vfio (igb_uio …). */
bool pci_driver_is_uio(const char *driver);
/* Whether vfio was told to do without an IOMMU (enable_unsafe_noiommu_mode). */
bool pci_noiommu_is_on(const char *sysfs);

#endif
