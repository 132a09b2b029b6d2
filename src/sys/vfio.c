/* Asking vfio for a PCI function. See vfio.h.
 *
 * The kernel's rules (Documentation/driver-api/vfio.rst, and its vfio_pci_core.c): a group can be
 * open once, else EBUSY. A function comes from an open group that belongs to a container with an
 * IOMMU model. While it is handed out it is reset, which needs the lock of the device; when another
 * has that (a driver is being bound, somebody resets the function) the answer is EAGAIN. So
 * whether a function is locked can be found out only by asking for the function itself.
 */
#include "sys/vfio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio.h>

/* The descriptor of the path that this process has already, or -1: DPDK keeps a group open as long
 * as it has one of its functions. */
static int find_own_descriptor(const char *path)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	char target[PATH_MAX];
	int found = -1;

	while (dir != NULL && found < 0 && (entry = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		if (n < 0)
			continue;
		target[n] = '\0';
		if (strcmp(target, path) == 0)
			found = (int)strtol(entry->d_name, NULL, 10);
	}
	if (dir != NULL)
		closedir(dir);
	return found;
}

/* Without an IOMMU a group has another name. A descriptor, or -errno. *own: it is not ours to
 * close, and its container is set up. */
static int open_group(const char *dev, int number, bool *own)
{
	static const char *const prefixes[] = {"", "noiommu-"};
	int code = ENOENT;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]) && code == ENOENT; i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/vfio/%s%d", dev, prefixes[i], number);
		int fd = find_own_descriptor(path);

		*own = fd >= 0;
		if (fd < 0)
			fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		code = errno;
	}
	return -code;
}

/* Gives the group a container of its own, with whatever IOMMU model suits it. A descriptor, or
 * -errno. */
static int open_container(const char *dev, int group)
{
	static const unsigned long models[] = {VFIO_TYPE1v2_IOMMU, VFIO_TYPE1_IOMMU,
	                                       VFIO_NOIOMMU_IOMMU};
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/vfio/vfio", dev);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &fd) == 0)
		for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
			if (ioctl(fd, VFIO_SET_IOMMU, models[i]) == 0)
				return fd;
	int code = errno;
	close(fd);
	return -code;
}

static enum vfio_answer ask_group(int group, const struct pci_address *address)
{
	char name[PCI_ADDRESS_TEXT_MAX];

	pci_address_format_sysfs(address, name);
	int fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
	if (fd < 0)
		return errno == EAGAIN || errno == EBUSY ? VFIO_BUSY : VFIO_UNKNOWN;
	close(fd);
	return VFIO_FREE;
}

enum vfio_answer vfio_ask(const char *dev, const struct pci_function *function)
{
	enum vfio_answer answer = VFIO_UNKNOWN;
	int container = -1;
	bool own;

	if (strcmp(function->driver, "vfio-pci") != 0 || function->iommu_group < 0)
		return VFIO_UNKNOWN;
	int group = open_group(dev, function->iommu_group, &own);
	if (group < 0)
		return group == -EBUSY ? VFIO_IN_USE : VFIO_UNKNOWN;
	if (!own)
		container = open_container(dev, group);
	if (own || container >= 0)
		answer = ask_group(group, &function->address);
	if (!own)
		close(group); /* first: the container is of use to it */
	if (container >= 0)
		close(container);
	return answer;
}
