/* The kernel as --bind and --unbind see it: a sysfs with a PF and its VFs, and what happens when it
 * is written to.
 *
 * WRAP: sysfs_write_text module_load
 */
#ifndef FAKE_KERNEL_H
#define FAKE_KERNEL_H

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_rig.h"
#include "fake_pci.h"
#include "fake_tree.h"
#include "preflight/bind.h"
#include "sys/module.h"
#include "sys/sysfs.h"

#define PF "0000:01:00.0"

static struct {
	bool read_only;     /* no root */
	bool vfio_refuses;  /* its probe fails */
	bool has_no_module; /* modprobe finds no vfio-pci */
	unsigned modules_loaded, writes, probed_by_vfs;
	char *out, *complaints;
	struct bind_place place;
	char sysfs[128], run[128];
} kernel;

/* --- the kernel ----------------------------------------------------------------------------- */

static inline const char *device_path(const char *name, const char *attribute)
{
	static char path[128];

	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/%s", name, attribute);
	return path;
}

static inline void drive(const char *name, const char *driver)
{
	char target[128];

	snprintf(target, sizeof(target), "../../drivers/%s", driver);
	tree_link(device_path(name, "driver"), target);
}

static inline const char *driver_of(const char *name)
{
	static char driver[64];

	if (sysfs_read_link_name(driver, sizeof(driver), kernel.sysfs, "bus/pci/devices/%s/driver",
	                         name) < 0)
		driver[0] = '\0';
	return driver;
}

static inline bool has_driver(const char *driver)
{
	char path[128];

	snprintf(path, sizeof(path), "sys/bus/pci/drivers/%s", driver);
	return access(tree_path(path), F_OK) == 0;
}

static inline const char *override_of(const char *name)
{
	static char override[64];

	ck_assert_int_eq(sysfs_read_text(override, sizeof(override), kernel.sysfs,
	                                 "bus/pci/devices/%s/driver_override", name),
	                 0);
	return override;
}

/* As the kernel has it for VFs. */
static inline bool can_probe(const char *name)
{
	int64_t autoprobe = 1;

	(void)sysfs_read_number(&autoprobe, kernel.sysfs,
	                        "bus/pci/devices/%s/physfn/sriov_drivers_autoprobe", name);
	return autoprobe != 0 || strcmp(override_of(name), "(null)") != 0;
}

static inline int probe(const char *name)
{
	const char *driver = override_of(name);

	if (driver_of(name)[0] != '\0' || !can_probe(name))
		return 0;
	if (strcmp(driver, "(null)") == 0)
		driver = "igbvf";
	else if (kernel.vfio_refuses)
		return 0;
	if (has_driver(driver))
		drive(name, driver);
	return 0;
}

static inline void add_vf(unsigned index, const char *driver)
{
	char name[32], link[32], target[48], group[8];

	snprintf(name, sizeof(name), "0000:01:10.%u", index);
	snprintf(link, sizeof(link), "virtfn%u", index);
	snprintf(target, sizeof(target), "../%s", name);
	snprintf(group, sizeof(group), "%u", 20 + index);
	add_function(name, "0x020000\n", driver, "0\n", group);
	tree_file(device_path(name, "driver_override"), "(null)\n");
	tree_link(device_path(name, "physfn"), "../" PF);
	tree_link(device_path(PF, link), target);
	kernel.probed_by_vfs += driver != NULL;
}

static inline int make_vfs(unsigned count)
{
	int64_t autoprobe;

	ck_assert_int_eq(sysfs_read_number(&autoprobe, kernel.sysfs,
	                                   "bus/pci/devices/" PF "/sriov_drivers_autoprobe"),
	                 0);
	for (unsigned i = 0; i < count; i++)
		add_vf(i, autoprobe ? "igbvf" : NULL);
	return 0;
}

int __wrap_sysfs_write_text(const char *root, const char *text, const char *format, ...);
int __wrap_sysfs_write_text(const char *root, const char *text, const char *format, ...)
{
	char path[256], name[32] = "", attribute[64] = "", value[64];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	ck_assert_str_eq(root, kernel.sysfs);
	kernel.writes++;
	if (kernel.read_only)
		return -EACCES;
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(text, "\n"), text);
	if (strcmp(path, "bus/pci/drivers_probe") == 0)
		return probe(value);
	if (sscanf(path, "bus/pci/drivers/%63[^/]/bind", attribute) == 1) {
		if (!has_driver(attribute))
			return -ENOENT;
		if (!can_probe(value))
			return -ENODEV;
		drive(value, attribute);
		return 0;
	}
	ck_assert_int_eq(sscanf(path, "bus/pci/devices/%31[^/]/%63s", name, attribute), 2);
	if (strcmp(attribute, "driver/unbind") == 0) {
		ck_assert_str_eq(value, name);
		return unlink(tree_path(device_path(name, "driver"))) < 0 ? -ENOENT : 0;
	}
	if (strcmp(attribute, "driver_override") == 0)
		tree_file(device_path(name, attribute), value[0] != '\0' ? text : "(null)\n");
	else
		tree_file(device_path(name, attribute), value);
	return strcmp(attribute, "sriov_numvfs") == 0 ? make_vfs((unsigned)atol(value)) : 0;
}

int __wrap_module_load(const char *name, struct error *err);
int __wrap_module_load(const char *name, struct error *err)
{
	ck_assert_str_eq(name, "vfio-pci");
	if (kernel.has_no_module)
		return error_set(err, ENODEV, "no module");
	kernel.modules_loaded++;
	tree_file("sys/bus/pci/drivers/vfio-pci/bind", "");
	return 0;
}

/* --- the rig -------------------------------------------------------------------------------- */

/* A PF with three VFs, of which igbvf has two. */
static inline void set_up(void)
{
	memset(&kernel, 0, sizeof(kernel));
	fake_sysfs = "sys/";
	rig_set_up();
	tree_create();
	snprintf(kernel.sysfs, sizeof(kernel.sysfs), "%s/sys", tree_root);
	snprintf(kernel.run, sizeof(kernel.run), "%s/run", tree_root);
	kernel.place = (struct bind_place){kernel.sysfs, tree_root, kernel.run};
	tree_file(device_path(PF, "class"), "0x020000\n");
	tree_file(device_path(PF, "driver_override"), "(null)\n");
	tree_file(device_path(PF, "sriov_totalvfs"), "7\n");
	tree_file(device_path(PF, "sriov_numvfs"), "3\n");
	tree_file(device_path(PF, "sriov_drivers_autoprobe"), "1\n");
	tree_file(device_path(PF, "net/ens1f0/flags"), "0x1003\n");
	drive(PF, "igb");
	tree_link("sys/class/net/ens1f0/device", "../../../" PF);
	tree_file("sys/bus/pci/drivers/igbvf/bind", "");
	add_vf(0, "igbvf");
	add_vf(1, "igbvf");
	add_vf(2, NULL);
}

static inline void tear_down(void)
{
	free(kernel.out);
	free(kernel.complaints);
	rig_tear_down();
	tree_remove();
}

static inline int finish(FILE *out, FILE *complaints, int status)
{
	fclose(out);
	fclose(complaints);
	/* A failure is told, and only then. */
	ck_assert_int_eq(status, kernel.complaints[0] == '\0' ? 0 : 1);
	return status;
}

static inline void streams(FILE **out, FILE **complaints)
{
	static size_t sizes[2];

	free(kernel.out);
	free(kernel.complaints);
	*out = open_memstream(&kernel.out, &sizes[0]);
	*complaints = open_memstream(&kernel.complaints, &sizes[1]);
}

static inline int run_bind(const char *list)
{
	char text[256];
	FILE *out, *complaints;

	snprintf(text, sizeof(text), "VIRTIOFWD_BIND_VFIO_PCI=%s\n", list);
	rig_write(text, strlen(text));
	ck_assert_int_eq(rig_load("--bind", "--config", rig.path, NULL), 0);
	streams(&out, &complaints);
	return finish(out, complaints, bind_take_all(&rig.cfg, &kernel.place, out, complaints));
}

static inline int run_unbind(void)
{
	FILE *out, *complaints;

	streams(&out, &complaints);
	return finish(out, complaints, bind_give_back_all(&kernel.place, out, complaints));
}

static inline void says(const char *text)
{
	ck_assert_msg(strstr(kernel.out, text) != NULL, "%s", kernel.out);
}

static inline void complains(const char *text)
{
	ck_assert_msg(strstr(kernel.complaints, text) != NULL, "%s", kernel.complaints);
}

static inline void drivers_are(const char *first, const char *second, const char *third)
{
	const char *wanted[] = {first, second, third};

	for (unsigned i = 0; i < 3; i++) {
		char name[32];

		snprintf(name, sizeof(name), "0000:01:10.%u", i);
		ck_assert_str_eq(driver_of(name), wanted[i]);
	}
}

static inline bool has_record(void)
{
	return access(tree_path("run/bound"), F_OK) == 0;
}

#endif
