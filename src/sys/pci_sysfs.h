/* What the kernel tells about a PCI function: driver, node, IOMMU group, its PF. All from sysfs,
 * whose root is a parameter; nothing is changed. Pure functions, any thread.
 */
#ifndef SYS_PCI_SYSFS_H
#define SYS_PCI_SYSFS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/device_spec.h"

#define PCI_DRIVER_NAME_MAX 64

struct pci_function {
	struct pci_address address;
	uint16_t vendor_id, device_id;
	uint32_t class_code;              /* 0x020000 = Ethernet controller */
	char driver[PCI_DRIVER_NAME_MAX]; /* bound to; "" = none */
	int numa_node;                    /* >= 0: 0 when the machine does not say */
	int iommu_group;                  /* -1 = none: the IOMMU is off or missing */
	bool is_vf;
	/* of a VF, when its PF is in sight (it is not in a guest that was given the VF alone) */
	bool has_pf;
	struct pci_address pf;
	unsigned vf_index;           /* the PF's number for this VF, as in `ip link set … vf 0` */
	char pf_netdev[IF_NAMESIZE]; /* "" when the PF has no network interface here */
};

/* 0, or -ENODEV when there is no such function. What sysfs does not tell stays at the values
 * that mean unknown. */
int pci_sysfs_read(const char *sysfs, const struct pci_address *address, struct pci_function *out);

bool pci_function_is_network(const struct pci_function *function);

/* Whether vfio may hand out the group: each function in it must be bound to vfio-pci (or a variant
 * of it, or pci-stub), have no driver, or be a bridge. When not, *blocker is a function in the
 * way, with its driver. 0 when viable, -EBUSY when not, or another -errno. */
int pci_sysfs_check_group(const char *sysfs, int iommu_group, struct pci_function *blocker);

/* VF number `index` of a PF, as in `ip link set … vf 0`. 0, -ENODEV (no such VF, or no such PF). */
int pci_sysfs_find_vf(const char *sysfs, const struct pci_address *pf, unsigned index,
                      struct pci_address *out);

/* The PCI function behind a network interface; behind a VF's representor (a switch port of the NIC)
 * it is that VF. 0, -ENODEV (no such interface, not on PCI, or the port of something else). */
int pci_sysfs_find_netdev(const char *sysfs, const char *netdev, struct pci_address *out);

#endif
