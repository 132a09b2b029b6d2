/* Bringing a device into DPDK and taking it out again: attach.c's first and last step. Device
 * thread only.
 */
#ifndef VF_PROBE_H
#define VF_PROBE_H

#include <stdint.h>

#include "base/device_spec.h"
#include "base/error.h"
#include "sys/pci_sysfs.h"

/* Whether DPDK could use the function as the kernel has it now: it exists, is a network device, is
 * bound to a driver that hands it out, and so is its IOMMU group. 0, or -1 with err: why not, and
 * the command that helps. *function is filled as far as it could be read. */
int vf_probe_check_pci(const char *sysfs, const struct pci_address *address,
                       struct pci_function *function, struct error *err);

/* Probes the device for a relay. 0 and the port; or, with err and nothing left behind, -EBUSY when
 * DPDK has it already, -EAGAIN when another trial in a moment may succeed, and -1 otherwise. */
int vf_probe(const struct device_spec *spec, unsigned relay_id, uint16_t *port_id,
             struct error *err);
/* Has DPDK name the relay to whoever asks whose the port is. */
void vf_mark_owner(uint16_t port_id, unsigned relay_id);

/* Stops and closes the port and removes the device, as far as possible. 0, or -1 with err about
 * the first step that failed. */
int vf_unprobe(uint16_t port_id, struct error *err);

#endif
