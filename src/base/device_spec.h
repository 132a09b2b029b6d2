/* Devices as operators and clients name them: a PCI address or a DPDK vdev string. Pure text:
 * whether the device exists is the port layer's question.
 */
#ifndef BASE_DEVICE_SPEC_H
#define BASE_DEVICE_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct pci_address {
	uint32_t domain;  /* 0 … 0xffffffff (VMD domains exceed 16 bits) */
	uint8_t bus;      /* 0 … 0xff */
	uint8_t slot;     /* 0 … 0x1f */
	uint8_t function; /* 0 … 7 */
};

#define PCI_ADDRESS_TEXT_MAX 20 /* "FFFFFFFF:FF:1F.7" and NUL */

/* "xxxx:xx:xx.x" or "xx:xx.x", either case. 0 or -EINVAL. */
int pci_address_parse(const char *text, struct pci_address *out, struct error *err);
/* From numbers of a message: range-checked. */
int pci_address_from_numbers(uint32_t domain, uint32_t bus, uint32_t slot, uint32_t function,
                             struct pci_address *out, struct error *err);
bool pci_address_equal(const struct pci_address *a, const struct pci_address *b);
/* As statistics and clients print it: upper-case %04X:%02X:%02X.%X. */
void pci_address_format(const struct pci_address *address, char out[PCI_ADDRESS_TEXT_MAX]);
/* As sysfs and EAL want it: lower case. */
void pci_address_format_sysfs(const struct pci_address *address, char out[PCI_ADDRESS_TEXT_MAX]);

#define DEVICE_NAME_MAX    64  /* EAL's RTE_DEV_NAME_MAX_LEN, NUL included */
#define DEVICE_DEVARGS_MAX 256 /* the whole string, NUL included */

struct device_spec {
	bool is_pci;
	struct pci_address pci;           /* when is_pci */
	char name[DEVICE_NAME_MAX];       /* EAL's device name: "0000:05:08.1" or "net_tap0" */
	char devargs[DEVICE_DEVARGS_MAX]; /* what to probe: name, or "net_tap0,iface=vf0" */
};

/* Admits PCI addresses and vdevs of the drivers net_tap, net_null, net_ring, net_af_packet,
 * net_memif (a digit must follow: net_tap0); any other is refused, since a device string from a
 * client must not make root write files. Control characters, quotes and white space are refused. */
int device_spec_parse(const char *text, struct device_spec *out, struct error *err);
void device_spec_from_pci(const struct pci_address *address, struct device_spec *out);
bool device_spec_equal(const struct device_spec *a, const struct device_spec *b); /* same device */
/* What statistics and QUERY_PCI show: the upper-case PCI address, or the vdev's name. */
void device_spec_label(const struct device_spec *spec, char out[DEVICE_NAME_MAX]);

/* "<device>=<id>", the id being what follows the last '='; id 0 … 63. */
int static_vf_parse(const char *text, struct device_spec *out, unsigned *relay_id,
                    struct error *err);

#endif
