/* Device names as text, see device_spec.h. Pure functions without state. */
#include "base/device_spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/parse.h"

#define ADMITTED_DRIVERS "net_tap, net_null, net_ring, net_af_packet, net_memif"

static const char *const admitted_drivers[] = {"net_tap", "net_null", "net_ring", "net_af_packet",
                                               "net_memif"};

static int pci_address_scan(const char *text, struct pci_address *out)
{
	const char *dot = strrchr(text, '.'), *colon, *second;
	uint64_t domain = 0, bus, slot, function;

	if (dot == NULL || (colon = strchr(text, ':')) == NULL || colon > dot)
		return -EINVAL;
	second = strchr(colon + 1, ':');
	if (second != NULL) {
		if (second > dot || parse_hex(text, (size_t)(colon - text), 8, &domain) < 0)
			return -EINVAL;
		text = colon + 1;
		colon = second;
	}
	if (parse_hex(text, (size_t)(colon - text), 2, &bus) < 0 ||
	    parse_hex(colon + 1, (size_t)(dot - colon - 1), 2, &slot) < 0 ||
	    parse_hex(dot + 1, strlen(dot + 1), 1, &function) < 0 || slot > 0x1f || function > 7)
		return -EINVAL;
	out->domain = (uint32_t)domain;
	out->bus = (uint8_t)bus;
	out->slot = (uint8_t)slot;
	out->function = (uint8_t)function;
	return 0;
}

int pci_address_parse(const char *text, struct pci_address *out, struct error *err)
{
	if (pci_address_scan(text, out) < 0)
		return error_set(
		        err, EINVAL,
		        "\"%.80s\" is not a PCI address: write it as 0000:05:08.1 or 05:08.1",
		        text);
	return 0;
}

int pci_address_from_numbers(uint32_t domain, uint32_t bus, uint32_t slot, uint32_t function,
                             struct pci_address *out, struct error *err)
{
	if (bus > 0xff || slot > 0x1f || function > 7)
		return error_set(err, EINVAL,
		                 "%X:%X:%X.%X is not a PCI address: bus, slot and function end at "
		                 "FF, 1F and 7",
		                 domain, bus, slot, function);
	out->domain = domain;
	out->bus = (uint8_t)bus;
	out->slot = (uint8_t)slot;
	out->function = (uint8_t)function;
	return 0;
}

bool pci_address_equal(const struct pci_address *a, const struct pci_address *b)
{
	return a->domain == b->domain && a->bus == b->bus && a->slot == b->slot &&
	       a->function == b->function;
}

void pci_address_format(const struct pci_address *address, char out[PCI_ADDRESS_TEXT_MAX])
{
	snprintf(out, PCI_ADDRESS_TEXT_MAX, "%04X:%02X:%02X.%X", address->domain, address->bus,
	         address->slot, address->function);
}

void pci_address_format_sysfs(const struct pci_address *address, char out[PCI_ADDRESS_TEXT_MAX])
{
	snprintf(out, PCI_ADDRESS_TEXT_MAX, "%04x:%02x:%02x.%x", address->domain, address->bus,
	         address->slot, address->function);
}

static bool argument_is(const char *arg, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(arg, text, len) == 0;
}

/* Checks the ",key=value…" behind a name. Some arguments of admitted drivers would hand the
 * daemon over to whoever may name a device. Keys are held to a plain alphabet because EAL's own
 * parser skips stray delimiters: "=internal=…" is "internal=…" to it. */
static int check_arguments(const char *devargs, struct error *err)
{
	bool ring = string_starts_with(devargs, "net_ring");
	bool memif = string_starts_with(devargs, "net_memif");
	bool server = false, named_socket = false;

	for (const char *arg = strchr(devargs, ','); arg != NULL; arg = strchr(arg, ',')) {
		size_t len = strcspn(++arg, ",");
		size_t key_len = strspn(arg, "abcdefghijklmnopqrstuvwxyz"
		                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

		if (key_len == 0 || (arg[key_len] != '=' && key_len != len))
			return error_set(err, EINVAL,
			                 "device \"%s\": \"%.*s\" is not an argument; write "
			                 "name,key=value,key=value",
			                 devargs, (int)len, arg);
		/* The driver takes this one for a pointer and follows it. */
		if (ring && argument_is(arg, key_len, "internal"))
			return error_set(err, EINVAL,
			                 "device \"%s\": the argument internal= is not admitted, "
			                 "since it is a memory address; leave it out",
			                 devargs);
		/* Rings that two devices share would mix the relays' packet memory. */
		if (ring && argument_is(arg, key_len, "nodeaction"))
			return error_set(err, EINVAL,
			                 "device \"%s\": the argument nodeaction= is not "
			                 "admitted; without it the device is a loop-back on a ring "
			                 "of its own",
			                 devargs);
		server |=
		        argument_is(arg, key_len, "role") && !argument_is(arg, len, "role=client");
		named_socket |= argument_is(arg, key_len, "socket-abstract") &&
		                !argument_is(arg, len, "socket-abstract=yes");
	}
	/* It would create and remove any path, as root. */
	if (memif && server && named_socket)
		return error_set(err, EINVAL,
		                 "device \"%s\": a memif server makes no socket file here; use "
		                 "role=client, or leave socket-abstract out",
		                 devargs);
	return 0;
}

static int parse_vdev(const char *text, struct device_spec *out, struct error *err)
{
	size_t name_len = strcspn(text, ","), driver_len = 0;

	for (size_t i = 0; i < sizeof(admitted_drivers) / sizeof(admitted_drivers[0]); i++) {
		if (string_starts_with(text, admitted_drivers[i]))
			driver_len = strlen(admitted_drivers[i]);
	}
	if (driver_len == 0)
		return error_set(err, EINVAL,
		                 "device \"%s\": its driver is not admitted; use a PCI address "
		                 "(0000:05:08.1) or one of " ADMITTED_DRIVERS,
		                 text);
	if (name_len == driver_len ||
	    strspn(text + driver_len, "0123456789") != name_len - driver_len)
		return error_set(err, EINVAL,
		                 "device \"%s\": a number must follow the driver's name, such as "
		                 "%.*s0",
		                 text, (int)driver_len, text);
	if (name_len >= sizeof(out->name))
		return error_set(err, EINVAL,
		                 "device \"%.80s…\": the name is longer than %d characters", text,
		                 DEVICE_NAME_MAX - 1);
	if (check_arguments(text, err) < 0)
		return -err->code;
	memcpy(out->name, text, name_len);
	return 0;
}

int device_spec_parse(const char *text, struct device_spec *out, struct error *err)
{
	struct device_spec spec = {0};

	if (*text == '\0')
		return error_set(err, EINVAL,
		                 "no device is named: write a PCI address such as 0000:05:08.1");
	if (string_copy(spec.devargs, sizeof(spec.devargs), text) < 0)
		return error_set(err, EINVAL, "device \"%.80s…\": longer than %d characters", text,
		                 DEVICE_DEVARGS_MAX - 1);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c <= ' ' || *c > '~' || strchr("\"'`\\", *c) != NULL)
			return error_set(
			        err, EINVAL,
			        "device \"%s\": white space, quotes and characters outside "
			        "ASCII are not admitted",
			        text);
	}
	if (string_starts_with(text, "net_")) {
		if (parse_vdev(text, &spec, err) < 0)
			return -err->code;
	} else {
		if (pci_address_scan(text, &spec.pci) < 0)
			return error_set(err, EINVAL,
			                 "device \"%s\": neither a PCI address (0000:05:08.1 or "
			                 "05:08.1) nor a device string of " ADMITTED_DRIVERS,
			                 text);
		device_spec_from_pci(&spec.pci, &spec);
	}
	*out = spec;
	return 0;
}

void device_spec_from_pci(const struct pci_address *address, struct device_spec *out)
{
	struct pci_address pci = *address; /* address may point into out */

	*out = (struct device_spec){.is_pci = true, .pci = pci};
	pci_address_format_sysfs(&pci, out->name);
	pci_address_format_sysfs(&pci, out->devargs);
}

bool device_spec_equal(const struct device_spec *a, const struct device_spec *b)
{
	if (a->is_pci != b->is_pci)
		return false;
	return a->is_pci ? pci_address_equal(&a->pci, &b->pci) : strcmp(a->name, b->name) == 0;
}

void device_spec_label(const struct device_spec *spec, char out[DEVICE_NAME_MAX])
{
	if (spec->is_pci)
		pci_address_format(&spec->pci, out);
	else
		snprintf(out, DEVICE_NAME_MAX, "%s", spec->name);
}

int static_vf_parse(const char *text, struct device_spec *out, unsigned *relay_id,
                    struct error *err)
{
	const char *equals = strrchr(text, '=');
	char device[DEVICE_DEVARGS_MAX];
	uint32_t id;

	if (equals == NULL)
		return error_set(err, EINVAL,
		                 "\"%.80s\": the relay is missing; write DEVICE=RELAY, such as "
		                 "0000:05:08.1=3",
		                 text);
	if (parse_u32(equals + 1, 0, RELAYS_MAX - 1, &id) < 0)
		return error_set(
		        err, EINVAL,
		        "\"%.80s\": \"%.80s\" behind the last '=' is not a relay id (0 to %d); "
		        "write DEVICE=RELAY, such as 0000:05:08.1=3",
		        text, equals + 1, RELAYS_MAX - 1);
	if ((size_t)(equals - text) >= sizeof(device))
		return error_set(err, EINVAL, "device \"%.80s…\": longer than %d characters", text,
		                 DEVICE_DEVARGS_MAX - 1);
	snprintf(device, sizeof(device), "%.*s", (int)(equals - text), text);
	if (device_spec_parse(device, out, err) < 0)
		return -err->code;
	*relay_id = id;
	return 0;
}
