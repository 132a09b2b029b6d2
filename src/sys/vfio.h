/* Asking vfio whether it would hand out a PCI function now: for those who were told no more than
 * that a driver failed. The root of the device nodes is a parameter, so that tests can have their
 * own. No state, any thread.
 */
#ifndef SYS_VFIO_H
#define SYS_VFIO_H

#include "sys/pci_sysfs.h"

#define DEV_ROOT "/dev"

enum vfio_answer {
	VFIO_FREE, /* yes */
	VFIO_BUSY, /* not now: the kernel is just binding or resetting it; a moment later it may */
	VFIO_IN_USE,  /* no: another process has its IOMMU group open */
	VFIO_UNKNOWN, /* no answer: vfio-pci does not have it, or does not let us ask */
};

/* Opens the function and closes it again, which resets it twice and takes some 200 ms. So it must
 * be nobody's (DPDK has not got it), though other functions of its group may be this process's. */
enum vfio_answer vfio_ask(const char *dev, const struct pci_function *function);

#endif
