/* PCI functions in a fake sysfs (fake_tree.h). */
#ifndef FAKE_PCI_H
#define FAKE_PCI_H

#include "fake_tree.h"

/* Where the sysfs is below the tree's root: "" or "sys/". */
static const char *fake_sysfs = "";

/* driver and group may be NULL: none. */
static inline void add_function(const char *name, const char *class, const char *driver,
                                const char *node, const char *group)
{
	char path[128], target[128];

	snprintf(path, sizeof(path), "%sbus/pci/devices/%s/vendor", fake_sysfs, name);
	tree_file(path, "0x8086\n");
	snprintf(path, sizeof(path), "%sbus/pci/devices/%s/device", fake_sysfs, name);
	tree_file(path, "0x10ca\n");
	snprintf(path, sizeof(path), "%sbus/pci/devices/%s/class", fake_sysfs, name);
	tree_file(path, class);
	snprintf(path, sizeof(path), "%sbus/pci/devices/%s/numa_node", fake_sysfs, name);
	tree_file(path, node);
	if (driver != NULL) {
		snprintf(path, sizeof(path), "%sbus/pci/devices/%s/driver", fake_sysfs, name);
		snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver);
		tree_link(path, target);
	}
	if (group != NULL) {
		snprintf(path, sizeof(path), "%sbus/pci/devices/%s/iommu_group", fake_sysfs, name);
		snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%s", group);
		tree_link(path, target);
		snprintf(path, sizeof(path), "%skernel/iommu_groups/%s/devices/%s", fake_sysfs,
		         group, name);
		tree_link(path, "../../../../devices/somewhere");
	}
}

#endif
