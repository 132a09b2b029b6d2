/* PCI functions in sysfs. See pci_sysfs.h. */
#include "sys/pci_sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/parse.h"
#include "sys/sysfs.h"

#define CLASS_NETWORK 0x02
#define CLASS_BRIDGE  0x06
#define VFS_MAX       65536 /* bound of a PF's virtfn numbers: NumVFs has 16 bits */

static unsigned hex_or_zero(const char *sysfs, const char *name, const char *attribute)
{
	int64_t value;

	if (sysfs_read_number(&value, sysfs, "bus/pci/devices/%s/%s", name, attribute) < 0 ||
	    value < 0 || value > UINT32_MAX)
		return 0;
	return (unsigned)value;
}

static int number_or(const char *sysfs, const char *name, const char *attribute, int otherwise)
{
	int64_t value;

	if (sysfs_read_number(&value, sysfs, "bus/pci/devices/%s/%s", name, attribute) < 0 ||
	    value < 0 || value > INT_MAX)
		return otherwise;
	return (int)value;
}

static int link_number_or(const char *sysfs, const char *name, const char *attribute, int otherwise)
{
	char text[24];
	uint32_t value;

	if (sysfs_read_link_name(text, sizeof(text), sysfs, "bus/pci/devices/%s/%s", name,
	                         attribute) < 0 ||
	    parse_u32(text, 0, INT_MAX, &value) < 0)
		return otherwise;
	return (int)value;
}

/* Opens a directory of a PCI function; NULL when there is none. */
static DIR *directory_open(const char *sysfs, const char *name, const char *sub)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/bus/pci/devices/%s%s", sysfs, name, sub);

	return n > 0 && (size_t)n < sizeof(path) ? opendir(path) : NULL;
}

/* The PF's network interface: the first by name where there are several ports. */
static void netdev_find(const char *sysfs, const char *pf, char out[IF_NAMESIZE])
{
	DIR *dir = directory_open(sysfs, pf, "/net");
	struct dirent *entry;

	out[0] = '\0';
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;

		if (name[0] == '.' || (out[0] != '\0' && strcmp(name, out) >= 0))
			continue;
		(void)string_copy(out, IF_NAMESIZE, name);
	}
	closedir(dir);
}

/* The number under which the PF knows the VF, or -ENOENT. */
static int vf_index_find(const char *sysfs, const char *pf, const char *vf, unsigned *index)
{
	DIR *dir = directory_open(sysfs, pf, "");
	struct dirent *entry;
	int rc = -ENOENT;

	if (dir == NULL)
		return -errno;
	while (rc != 0 && (entry = readdir(dir)) != NULL) {
		char target[PCI_ADDRESS_TEXT_MAX];
		uint32_t number;

		if (!string_starts_with(entry->d_name, "virtfn") ||
		    parse_u32(entry->d_name + strlen("virtfn"), 0, VFS_MAX - 1, &number) < 0 ||
		    sysfs_read_link_name(target, sizeof(target), sysfs, "bus/pci/devices/%s/%s", pf,
		                         entry->d_name) < 0 ||
		    strcmp(target, vf) != 0)
			continue;
		*index = number;
		rc = 0;
	}
	closedir(dir);
	return rc;
}

static void pf_read(const char *sysfs, const char *name, struct pci_function *out)
{
	char pf[PCI_ADDRESS_TEXT_MAX];
	struct error err;

	if (sysfs_read_link_name(pf, sizeof(pf), sysfs, "bus/pci/devices/%s/physfn", name) < 0)
		return;
	out->is_vf = true;
	if (pci_address_parse(pf, &out->pf, &err) < 0 ||
	    vf_index_find(sysfs, pf, name, &out->vf_index) < 0)
		return;
	out->has_pf = true;
	netdev_find(sysfs, pf, out->pf_netdev);
}

int pci_sysfs_read(const char *sysfs, const struct pci_address *address, struct pci_function *out)
{
	char name[PCI_ADDRESS_TEXT_MAX], path[PATH_MAX];
	struct stat st;

	*out = (struct pci_function){.address = *address};
	pci_address_format_sysfs(address, name);
	int n = snprintf(path, sizeof(path), "%s/bus/pci/devices/%s", sysfs, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	if (stat(path, &st) < 0)
		return -ENODEV;

	out->vendor_id = (uint16_t)hex_or_zero(sysfs, name, "vendor");
	out->device_id = (uint16_t)hex_or_zero(sysfs, name, "device");
	out->class_code = hex_or_zero(sysfs, name, "class");
	out->numa_node = number_or(sysfs, name, "numa_node", 0);
	out->iommu_group = link_number_or(sysfs, name, "iommu_group", -1);
	if (sysfs_read_link_name(out->driver, sizeof(out->driver), sysfs,
	                         "bus/pci/devices/%s/driver", name) < 0)
		out->driver[0] = '\0';
	pf_read(sysfs, name, out);
	return 0;
}

bool pci_function_is_network(const struct pci_function *function)
{
	return function->class_code >> 16 == CLASS_NETWORK;
}

static bool ends_with(const char *text, const char *end)
{
	size_t text_len = strlen(text), end_len = strlen(end);

	return text_len >= end_len && strcmp(text + text_len - end_len, end) == 0;
}

static bool blocks_group(const struct pci_function *function)
{
	const char *driver = function->driver;

	if (driver[0] == '\0' || function->class_code >> 16 == CLASS_BRIDGE ||
	    strcmp(driver, "pci-stub") == 0)
		return false;
	/* vfio-pci, and its variants: mlx5_vfio_pci, nvgrace_gpu_vfio_pci, … */
	return !ends_with(driver, "vfio-pci") && !ends_with(driver, "vfio_pci");
}

int pci_sysfs_check_group(const char *sysfs, int iommu_group, struct pci_function *blocker)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int rc = 0;
	int n = snprintf(path, sizeof(path), "%s/kernel/iommu_groups/%d/devices", sysfs,
	                 iommu_group);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	DIR *dir = opendir(path);
	if (dir == NULL)
		return -errno;
	while (rc == 0 && (entry = readdir(dir)) != NULL) {
		struct pci_address address;
		struct error err;

		/* What is no PCI address ("." …, other buses) has no say in this. */
		if (pci_address_parse(entry->d_name, &address, &err) == 0 &&
		    pci_sysfs_read(sysfs, &address, blocker) == 0 && blocks_group(blocker))
			rc = -EBUSY;
	}
	closedir(dir);
	return rc;
}

int pci_sysfs_find_vf(const char *sysfs, const struct pci_address *pf, unsigned index,
                      struct pci_address *out)
{
	char pf_name[PCI_ADDRESS_TEXT_MAX], name[PCI_ADDRESS_TEXT_MAX];
	struct error err;

	pci_address_format_sysfs(pf, pf_name);
	if (sysfs_read_link_name(name, sizeof(name), sysfs, "bus/pci/devices/%s/virtfn%u", pf_name,
	                         index) < 0 ||
	    pci_address_parse(name, out, &err) < 0)
		return -ENODEV;
	return 0;
}

/* The kernel names the port of a VF "pf0vf3", other ports of functions "pf0", "pf0sf8", "c1pf0vf3"
 * (behind another host's PF), and the wire "p0". 0 with -1 in *index when the port stands for no
 * function, -ENODEV when it stands for one that is no VF of this host. */
static int representor_read(const char *port, int64_t *index)
{
	const char *vf = port + strlen("pf");
	uint32_t number;

	*index = -1;
	if (port[0] == 'c')
		return -ENODEV;
	if (!string_starts_with(port, "pf"))
		return 0;
	vf += strspn(vf, "0123456789");
	if (!string_starts_with(vf, "vf") ||
	    parse_u32(vf + strlen("vf"), 0, VFS_MAX - 1, &number) < 0)
		return -ENODEV;
	*index = number;
	return 0;
}

int pci_sysfs_find_netdev(const char *sysfs, const char *netdev, struct pci_address *out)
{
	char name[PCI_ADDRESS_TEXT_MAX], port[32];
	struct pci_address function;
	struct error err;
	int64_t index = -1;

	if (netdev[0] == '\0' || netdev[0] == '.' || strchr(netdev, '/') != NULL)
		return -ENODEV;
	if (sysfs_read_link_name(name, sizeof(name), sysfs, "class/net/%s/device", netdev) < 0 ||
	    pci_address_parse(name, &function, &err) < 0)
		return -ENODEV;
	if (sysfs_read_text(port, sizeof(port), sysfs, "class/net/%s/phys_port_name", netdev) ==
	            0 &&
	    representor_read(port, &index) < 0)
		return -ENODEV;
	if (index >= 0)
		return pci_sysfs_find_vf(sysfs, &function, (unsigned)index, out);
	*out = function;
	return 0;
}
