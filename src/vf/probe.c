/* Probing and removing devices. See probe.h. */
#include "vf/probe.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "base/log.h"
#include "sys/pci_ready.h"
#include "sys/sysfs.h"
#include "sys/vfio.h"
#include "vf/vf.h"

/* Fills err with the code of a failed probe, whatever the reason. Evaluates to -1. */
#define refuse(err, ...) (error_set((err), VF_ERROR_PROBE, __VA_ARGS__), -1)

int vf_probe_check_pci(const char *sysfs, const struct pci_address *address,
                       struct pci_function *function, struct error *err)
{
	struct pci_verdict verdict;

	if (pci_ready_check(sysfs, address, function, &verdict) == PCI_READY)
		return 0;
	return refuse(err, "%s: %s", verdict.what, verdict.remedy);
}

/* The first port of a device. */
static bool port_find(const char *name, uint16_t *port_id)
{
	struct rte_eth_dev_info info;

	for (uint16_t port = rte_eth_find_next(0); port < RTE_MAX_ETHPORTS;
	     port = rte_eth_find_next(port + 1)) {
		if (rte_eth_dev_info_get(port, &info) == 0 && info.device != NULL &&
		    strcmp(rte_dev_name(info.device), name) == 0) {
			*port_id = port;
			return true;
		}
	}
	return false;
}

static int refuse_as_in_use(const char *name, uint16_t port_id, struct error *err)
{
	struct rte_eth_dev_owner owner;

	if (rte_eth_dev_owner_get(port_id, &owner) != 0 || owner.id == RTE_ETH_DEV_NO_OWNER)
		error_set(err, VF_ERROR_PROBE, "%s is in use by DPDK already (port %u)", name,
		          port_id);
	else
		error_set(err, VF_ERROR_PROBE, "%s is in use already, by %s", name, owner.name);
	return -EBUSY;
}

void vf_mark_owner(uint16_t port_id, unsigned relay_id)
{
	struct rte_eth_dev_owner owner = {0};

	snprintf(owner.name, sizeof(owner.name), "relay %u", relay_id);
	int rc = rte_eth_dev_owner_new(&owner.id);
	if (rc == 0)
		rc = rte_eth_dev_owner_set(port_id, &owner);
	if (rc != 0)
		log_debug("port %u: cannot be marked as ours: %s", port_id, vf_explain(rc));
}

static int refuse_as_failed(const struct device_spec *spec, const struct pci_function *function,
                            int rc, struct error *err)
{
	if (!spec->is_pci)
		return refuse(
		        err,
		        "DPDK cannot make the device %s: %s; its lines in the log (dpdk:) say more",
		        spec->devargs, vf_explain(rc));
	return refuse(
	        err,
	        "DPDK cannot use %s (bound to %s): %s; its lines in the log (dpdk:) say more. "
	        "Another process may hold it (fuser -v /dev/vfio/%d), or DPDK lacks a driver "
	        "for %04x:%04x",
	        spec->name, function->driver, vf_explain(rc), function->iommu_group,
	        function->vendor_id, function->device_id);
}

/* DPDK answers -1 whatever vfio's reason was, so vfio is asked for that; not before the probe,
 * since the question takes as long as the probe, and the answer may be another one a moment later.
 * A device that can be had by then is probed once more. 0; or, with err, -EAGAIN or -1. */
static int probe_device(const struct device_spec *spec, const struct pci_function *function,
                        struct error *err)
{
	for (bool again = false;; again = true) {
		int rc = rte_dev_probe(spec->devargs);

		if (rc == 0)
			return 0;
		(void)refuse_as_failed(spec, function, rc, err);
		if (!spec->is_pci)
			return -1;
		if (rc == -EAGAIN || rc == -EBUSY)
			return -EAGAIN;
		switch (rc == -1 ? vfio_ask(DEV_ROOT, function) : VFIO_UNKNOWN) {
		case VFIO_FREE:
			if (again)
				return -1;
			break;
		case VFIO_BUSY:
			(void)refuse(err,
			             "the kernel is just binding or resetting %s: add it again in "
			             "a moment",
			             spec->name);
			return -EAGAIN;
		case VFIO_IN_USE: /* for good */
			return refuse(err,
			              "%s is in use: another process has its IOMMU group open "
			              "(fuser -v /dev/vfio/%d)",
			              spec->name, function->iommu_group);
		case VFIO_UNKNOWN:
			return -1;
		}
	}
}

int vf_probe(const struct device_spec *spec, unsigned relay_id, uint16_t *port_id,
             struct error *err)
{
	struct pci_function function = {0};

	if (port_find(spec->name, port_id))
		return refuse_as_in_use(spec->name, *port_id, err);
	if (rte_eth_dev_count_total() >= RTE_MAX_ETHPORTS)
		return refuse(
		        err,
		        "no room for %s: this DPDK build holds %d ports, and all are in use; a "
		        "DPDK built with -Dmax_ethports=64 or more holds more",
		        spec->name, RTE_MAX_ETHPORTS);
	if (spec->is_pci && vf_probe_check_pci(SYSFS_ROOT, &spec->pci, &function, err) < 0)
		return -1;

	int rc = probe_device(spec, &function, err);
	if (rc < 0)
		return rc;
	if (!port_find(spec->name, port_id)) {
		(void)rte_eal_hotplug_remove(spec->is_pci ? "pci" : "vdev", spec->name);
		return refuse(err, "DPDK's driver for %s gives no Ethernet port", spec->name);
	}
	vf_mark_owner(*port_id, relay_id);
	return 0;
}

/* err keeps the first failure only: later ones follow from it. */
static void note_failure(struct error *err, uint16_t port_id, const char *step, int rc)
{
	if (rc == 0)
		return;
	if (err->code == 0)
		error_set(err, VF_ERROR_DETACH, "port %u: %s failed: %s", port_id, step,
		          vf_explain(rc));
	else
		log_warn("port %u: %s failed as well: %s", port_id, step, vf_explain(rc));
}

int vf_unprobe(uint16_t port_id, struct error *err)
{
	struct rte_eth_dev_info info = {0};
	int rc = rte_eth_dev_info_get(port_id, &info);

	*err = (struct error){0};
	note_failure(err, port_id, "asking for its device", rc);
	note_failure(err, port_id, "stopping", rte_eth_dev_stop(port_id));
	note_failure(err, port_id, "closing", rte_eth_dev_close(port_id));
	if (info.device != NULL)
		note_failure(err, port_id, "removing its device", rte_dev_remove(info.device));
	return err->code == 0 ? 0 : -1;
}
