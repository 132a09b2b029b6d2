/* Whether DPDK could take a PCI function. See pci_ready.h. */
#include "sys/pci_ready.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sys/sysfs.h"

static bool driver_in(const char *driver, const char *const list[])
{
	for (; *list != NULL; list++) {
		if (strcmp(driver, *list) == 0)
			return true;
	}
	return false;
}

bool pci_driver_is_bifurcated(const char *driver)
{
	static const char *const bifurcated[] = {"mlx4_core", "mlx5_core", "mana", NULL};

	return driver_in(driver, bifurcated);
}

bool pci_driver_is_uio(const char *driver)
{
	static const char *const uio[] = {"igb_uio", "uio_pci_generic", NULL};

	return driver_in(driver, uio);
}

bool pci_noiommu_is_on(const char *sysfs)
{
	char text[8];

	return sysfs_read_text(text, sizeof(text), sysfs,
	                       "module/vfio/parameters/enable_unsafe_noiommu_mode") == 0 &&
	       (text[0] == 'Y' || text[0] == '1');
}

static enum pci_state __attribute__((format(printf, 3, 4)))
verdict(struct pci_verdict *out, enum pci_state state, const char *what, ...)
{
	va_list args;

	out->state = state;
	va_start(args, what);
	vsnprintf(out->what, sizeof(out->what), what, args);
	va_end(args);
	return state;
}

#define remedy(out, ...) snprintf((out)->remedy, sizeof((out)->remedy), __VA_ARGS__)

/* vfio hands out whole groups. */
static enum pci_state check_group(const char *sysfs, const struct pci_function *function,
                                  const char *name, struct pci_verdict *out)
{
	char other[PCI_ADDRESS_TEXT_MAX];
	struct pci_function blocker;

	if (function->iommu_group < 0) {
		remedy(out, "switch the IOMMU on (firmware set-up, kernel option intel_iommu=on or "
		            "amd_iommu=on), or accept to run without by vfio's "
		            "enable_unsafe_noiommu_mode");
		return verdict(out, PCI_NO_GROUP, "%s has no IOMMU group", name);
	}
	if (pci_sysfs_check_group(sysfs, function->iommu_group, &blocker) != -EBUSY)
		return PCI_READY; /* where the group cannot be read, vfio has the last word */
	pci_address_format_sysfs(&blocker.address, other);
	remedy(out,
	       "take that away from it too (driverctl set-override %s vfio-pci), or use another "
	       "slot",
	       other);
	return verdict(out, PCI_GROUP_BLOCKED,
	               "%s shares IOMMU group %d with %s, which is bound to the kernel driver %s",
	               name, function->iommu_group, other, blocker.driver);
}

enum pci_state pci_ready_check(const char *sysfs, const struct pci_address *address,
                               struct pci_function *function, struct pci_verdict *out)
{
	char name[PCI_ADDRESS_TEXT_MAX];

	*out = (struct pci_verdict){.state = PCI_READY};
	pci_address_format_sysfs(address, name);
	if (pci_sysfs_read(sysfs, address, function) < 0) {
		remedy(out, "lspci -D lists those that are there; VFs come with sriov_numvfs of "
		            "their PF");
		return verdict(out, PCI_ABSENT, "there is no PCI device %s", name);
	}
	if (!pci_function_is_network(function)) {
		remedy(out, "name a VF of a network card (lspci -D lists them)");
		return verdict(out, PCI_NO_NIC, "PCI device %s is no network device (class %06x)",
		               name, function->class_code);
	}
	if (pci_driver_is_bifurcated(function->driver) || pci_driver_is_uio(function->driver))
		return PCI_READY;
	if (function->driver[0] == '\0') {
		remedy(out, "bind it with 'driverctl set-override %s vfio-pci'", name);
		return verdict(out, PCI_UNBOUND, "%s is bound to no driver", name);
	}
	if (strcmp(function->driver, "vfio-pci") != 0) {
		remedy(out, "hand it over with 'driverctl set-override %s vfio-pci'%s", name,
		       function->is_vf ? ""
		                       : " (mind that it is no VF but a whole device, which the "
		                         "host may need)");
		return verdict(out, PCI_KERNEL_DRIVER, "%s is bound to the kernel driver %s", name,
		               function->driver);
	}
	return check_group(sysfs, function, name, out);
}
