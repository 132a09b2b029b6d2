/* Handing PCI functions over to vfio-pci and back. See pci_bind.h.
 *
 * A driver_override stays with the function until it goes, so whatever probes drivers later (a
 * module that is loaded, udev) leaves the function with vfio-pci.
 */
#include "sys/pci_bind.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/pci_ready.h"
#include "sys/sysfs.h"

#define DEVICE "bus/pci/devices/%s"

static const char *reason(int rc)
{
	return rc == -EACCES || rc == -EPERM ? "only root may (in a container: with /sys writable)"
	                                     : strerror(-rc);
}

/* --- which functions ------------------------------------------------------------------------ */

/* The PF behind the entry's interface, as sysfs writes it, and how many VFs it has and could have.
 */
static int pf_find(const char *sysfs, const struct bind_spec *spec, struct pci_address *pf,
                   char name[PCI_ADDRESS_TEXT_MAX], int64_t *has, int64_t *could, struct error *err)
{
	if (pci_sysfs_find_netdev(sysfs, spec->netdev, pf) < 0)
		return error_set(err, ENODEV,
		                 "there is no network device %s with a PCI device behind it: ip "
		                 "link shows the names",
		                 spec->netdev);
	pci_address_format_sysfs(pf, name);
	if (sysfs_read_number(has, sysfs, DEVICE "/sriov_numvfs", name) < 0 ||
	    sysfs_read_number(could, sysfs, DEVICE "/sriov_totalvfs", name) < 0)
		return error_set(err, ENODEV,
		                 "%s (%s) has no SR-IOV: name its PF's network device, or VFs by "
		                 "their PCI addresses",
		                 spec->netdev, name);
	return 0;
}

int pci_bind_select(const char *sysfs, const struct bind_spec *spec,
                    struct pci_address out[BIND_COUNT_MAX], size_t *n, struct error *err)
{
	char name[PCI_ADDRESS_TEXT_MAX];
	struct pci_address pf;
	int64_t has = 0, could = 0;

	*n = 0;
	if (spec->is_pci) {
		out[(*n)++] = spec->pci;
		return 0;
	}
	if (pf_find(sysfs, spec, &pf, name, &has, &could, err) < 0)
		return -err->code;
	size_t wanted = spec->count != 0 ? spec->count : BIND_COUNT_MAX;
	while (*n < wanted && (int64_t)*n < has &&
	       pci_sysfs_find_vf(sysfs, &pf, (unsigned)*n, &out[*n]) == 0)
		(*n)++;
	if (*n == 0 && spec->count == 0)
		return error_set(err, ENOENT,
		                 "%s has no VFs: make some (echo 4 > "
		                 "/sys/class/net/%s/device/sriov_numvfs), or name a number that "
		                 "--bind makes (%s:4)",
		                 spec->netdev, spec->netdev, spec->netdev);
	if (*n == 0)
		return error_set(err, ENOENT, "%s has no VFs yet: --bind makes %u", spec->netdev,
		                 spec->count);
	if (*n < spec->count)
		return error_set(err, ENOENT,
		                 "%s has %zu VFs of the %u that are named: take those away (echo 0 "
		                 "> /sys/class/net/%s/device/sriov_numvfs), and --bind makes %u",
		                 spec->netdev, *n, spec->count, spec->netdev, spec->count);
	return 0;
}

int pci_bind_make_vfs(const char *sysfs, const struct bind_spec *spec, struct error *err)
{
	char name[PCI_ADDRESS_TEXT_MAX], text[16];
	struct pci_address pf;
	int64_t has = 0, could = 0, autoprobe;

	if (spec->is_pci || spec->count == 0)
		return 0;
	if (pf_find(sysfs, spec, &pf, name, &has, &could, err) < 0)
		return -err->code;
	if (has > 0)
		return 0;
	if (spec->count > could)
		return error_set(err, ERANGE,
		                 "%s can have %lld VFs at most, and %u are named: lower the "
		                 "number, or raise the NIC's limit in its firmware",
		                 spec->netdev, (long long)could, spec->count);
	/* The kernel's driver would only have to let go of them again. */
	bool quiet = sysfs_read_number(&autoprobe, sysfs, DEVICE "/sriov_drivers_autoprobe",
	                               name) == 0 &&
	             autoprobe != 0 &&
	             sysfs_write_text(sysfs, "0", DEVICE "/sriov_drivers_autoprobe", name) == 0;
	snprintf(text, sizeof(text), "%u", spec->count);
	int rc = sysfs_write_text(sysfs, text, DEVICE "/sriov_numvfs", name);
	if (quiet)
		(void)sysfs_write_text(sysfs, "1", DEVICE "/sriov_drivers_autoprobe", name);
	if (rc < 0)
		return error_set(err, -rc,
		                 "cannot make %u VFs of %s: %s; SR-IOV may be off in the firmware "
		                 "(dmesg says more)",
		                 spec->count, spec->netdev, reason(rc));
	return (int)spec->count;
}

/* --- whether -------------------------------------------------------------------------------- */

/* The name of an interface of the function that is up, if any. */
static bool interface_up_find(const char *sysfs, const char *name, char out[IF_NAMESIZE])
{
	char path[PATH_MAX];
	struct dirent *entry;
	int64_t flags;
	bool found = false;
	int n = snprintf(path, sizeof(path), "%s/" DEVICE "/net", sysfs, name);
	DIR *dir = n > 0 && (size_t)n < sizeof(path) ? opendir(path) : NULL;

	if (dir == NULL)
		return false;
	while (!found && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' ||
		    sysfs_read_number(&flags, sysfs, DEVICE "/net/%s/flags", name, entry->d_name) <
		            0 ||
		    (flags & IFF_UP) == 0)
			continue;
		found = true;
		snprintf(out, IF_NAMESIZE, "%.15s", entry->d_name);
	}
	closedir(dir);
	return found;
}

/* A VF was made to be given away; a whole device may be what the host hangs on. */
static int check_whole_device(const char *sysfs, const char *name, struct error *err)
{
	char interface[IF_NAMESIZE];
	int64_t vfs;

	if (sysfs_read_number(&vfs, sysfs, DEVICE "/sriov_numvfs", name) == 0 && vfs > 0)
		return error_set(err, EBUSY,
		                 "%s is a PF, whose VFs would go with its driver: name the VFs",
		                 name);
	if (interface_up_find(sysfs, name, interface))
		return error_set(err, EBUSY,
		                 "%s is no VF but a whole device, and its interface %s is up: the "
		                 "host may be using it; if not, ip link set %s down",
		                 name, interface, interface);
	return 0;
}

int pci_bind_judge(const char *sysfs, const struct pci_address *address,
                   struct pci_function *function, struct error *err)
{
	char name[PCI_ADDRESS_TEXT_MAX];
	struct pci_verdict verdict;

	pci_address_format_sysfs(address, name);
	switch (pci_ready_check(sysfs, address, function, &verdict)) {
	case PCI_ABSENT:
	case PCI_NO_NIC:
		return error_set(err, ENODEV, "%s: %s", verdict.what, verdict.remedy);
	case PCI_READY:
		return strcmp(function->driver, PCI_BIND_DRIVER) == 0 ? PCI_BIND_DONE
		                                                      : PCI_BIND_OTHER;
	case PCI_NO_GROUP:
	case PCI_GROUP_BLOCKED: /* judged when all are bound */
		return PCI_BIND_DONE;
	default:
		break;
	}
	if (!function->is_vf && check_whole_device(sysfs, name, err) < 0)
		return -err->code;
	if (function->iommu_group < 0 && !pci_noiommu_is_on(sysfs))
		return error_set(err, ENOTSUP,
		                 "%s has no IOMMU group, so vfio-pci cannot take it: switch the "
		                 "IOMMU on (firmware set-up, kernel option intel_iommu=on or "
		                 "amd_iommu=on); on a machine without any, load vfio with "
		                 "enable_unsafe_noiommu_mode=1, which lets the NIC write anywhere",
		                 name);
	return PCI_BIND_NEEDED;
}

/* --- taking and giving ---------------------------------------------------------------------- */

bool pci_bind_driver_is_there(const char *sysfs)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/bus/pci/drivers/" PCI_BIND_DRIVER, sysfs);

	return n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) == 0;
}

static bool is_bound_to(const char *sysfs, const char *name, const char *driver)
{
	char now[PCI_DRIVER_NAME_MAX] = "";

	(void)sysfs_read_link_name(now, sizeof(now), sysfs, DEVICE "/driver", name);
	return strcmp(now, driver) == 0;
}

/* 0 also when no driver has it. */
static int driver_detach(const char *sysfs, const char *name)
{
	return is_bound_to(sysfs, name, "")
	               ? 0
	               : sysfs_write_text(sysfs, name, DEVICE "/driver/unbind", name);
}

/* Gives it to a driver of that name. A PF's sriov_drivers_autoprobe that is off keeps all drivers
 * from its VFs but an override's: then that is what has bound it before. */
static int driver_attach(const char *sysfs, const char *name, const char *driver)
{
	int rc = sysfs_write_text(sysfs, name, "bus/pci/drivers/%s/bind", driver);

	if (is_bound_to(sysfs, name, driver))
		return 0;
	if (rc != -ENODEV || sysfs_write_text(sysfs, driver, DEVICE "/driver_override", name) < 0)
		return rc < 0 ? rc : -EIO;
	rc = sysfs_write_text(sysfs, name, "bus/pci/drivers/%s/bind", driver);
	if (is_bound_to(sysfs, name, driver))
		return 0;
	(void)sysfs_write_text(sysfs, "\n", DEVICE "/driver_override", name);
	return rc < 0 ? rc : -EIO;
}

int pci_bind_take(const char *sysfs, const struct pci_function *function, struct error *err)
{
	char name[PCI_ADDRESS_TEXT_MAX];

	pci_address_format_sysfs(&function->address, name);
	int rc = sysfs_write_text(sysfs, PCI_BIND_DRIVER "\n", DEVICE "/driver_override", name);
	if (rc == 0)
		rc = driver_detach(sysfs, name);
	if (rc == 0)
		rc = sysfs_write_text(sysfs, name, "bus/pci/drivers_probe");
	/* What counts is the outcome: probing reports other drivers' failures, too. */
	if (is_bound_to(sysfs, name, PCI_BIND_DRIVER))
		return 0;

	(void)sysfs_write_text(sysfs, "\n", DEVICE "/driver_override", name);
	if (function->driver[0] != '\0' && is_bound_to(sysfs, name, ""))
		(void)driver_attach(sysfs, name, function->driver);
	return error_set(err, rc < 0 ? -rc : EIO, "%s cannot be bound to " PCI_BIND_DRIVER ": %s",
	                 name, rc < 0 ? reason(rc) : "the driver refuses it, and dmesg says why");
}

/* vfio gives a group to one process at a time. */
static bool group_is_open(const char *sysfs, const char *dev, const char *name)
{
	char group[24], path[PATH_MAX];

	if (sysfs_read_link_name(group, sizeof(group), sysfs, DEVICE "/iommu_group", name) < 0)
		return false;
	for (int noiommu = 0; noiommu <= 1; noiommu++) {
		int n = snprintf(path, sizeof(path), "%s/vfio/%s%s", dev, noiommu ? "noiommu-" : "",
		                 group);
		int fd = n > 0 && (size_t)n < sizeof(path) ? open(path, O_RDWR | O_CLOEXEC) : -1;

		if (fd < 0 && errno == EBUSY)
			return true;
		if (fd >= 0)
			close(fd);
	}
	return false;
}

int pci_bind_give_back(const char *sysfs, const char *dev, const struct pci_address *address,
                       const char *driver, struct error *err)
{
	char name[PCI_ADDRESS_TEXT_MAX], override[PCI_DRIVER_NAME_MAX];

	pci_address_format_sysfs(address, name);
	if (!is_bound_to(sysfs, name, PCI_BIND_DRIVER) ||
	    sysfs_read_text(override, sizeof(override), sysfs, DEVICE "/driver_override", name) <
	            0 ||
	    strcmp(override, PCI_BIND_DRIVER) != 0)
		return error_set(err, ESTALE,
		                 "%s is not bound to " PCI_BIND_DRIVER
		                 " by us any more: left as it is",
		                 name);
	/* The kernel would wait for that process, for as long as it takes. */
	if (group_is_open(sysfs, dev, name))
		return error_set(err, EBUSY,
		                 "%s is in use: stop the forwarder, or the guest that has it, "
		                 "first (fuser -v /dev/vfio/*)",
		                 name);
	int rc = sysfs_write_text(sysfs, "\n", DEVICE "/driver_override", name);
	if (rc == 0)
		rc = driver_detach(sysfs, name);
	if (rc < 0)
		return error_set(err, -rc, "%s cannot be taken from " PCI_BIND_DRIVER ": %s", name,
		                 reason(rc));
	if (driver[0] == '\0')
		return 0;
	rc = driver_attach(sysfs, name, driver);
	if (rc == 0)
		return 0;
	return error_set(err, -rc,
	                 "%s cannot be bound to %s again (%s) and has no driver now: modprobe %s, "
	                 "and dmesg says more",
	                 name, driver, reason(rc), driver);
}
