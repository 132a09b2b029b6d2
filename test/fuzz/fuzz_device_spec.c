/* Any text as a device, as a static VF and as a bond, as operators and clients name them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/device_spec.h"
#include "base/limits.h"
#include "config/bond.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What nobody may have the daemon probe. */
static void examine(const struct device_spec *spec)
{
	struct device_spec again;
	struct error err;
	char label[DEVICE_NAME_MAX];

	device_spec_label(spec, label);
	if (strlen(spec->name) >= DEVICE_NAME_MAX || strlen(spec->devargs) >= DEVICE_DEVARGS_MAX ||
	    strncmp(spec->devargs, spec->name, strlen(spec->name)) != 0 || label[0] == '\0')
		abort();
	if (!spec->is_pci && strncmp(spec->name, "net_", 4) != 0)
		abort();
	if (strncmp(spec->name, "net_ring", 8) == 0 && strstr(spec->devargs, ",internal") != NULL &&
	    strspn(strstr(spec->devargs, ",internal") + 9, "=,") > 0)
		abort();
	/* What was accepted is accepted again, as the same device. */
	if (device_spec_parse(spec->devargs, &again, &err) < 0 || !device_spec_equal(spec, &again))
		abort();
	if (spec->is_pci && (device_spec_parse(label, &again, &err) < 0 ||
	                     !pci_address_equal(&spec->pci, &again.pci)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct device_spec spec;
	struct error err = {0};
	struct static_vf bond;
	unsigned relay_id;

	if (text == NULL)
		abort();
	if (device_spec_parse(text, &spec, &err) == 0)
		examine(&spec);
	else if (err.text[0] == '\0')
		abort();
	if (static_vf_parse(text, &spec, &relay_id, &err) == 0) {
		examine(&spec);
		if (relay_id >= RELAYS_MAX)
			abort();
	}
	if (bond_parse(text, &bond, &err) == 0) {
		if (bond.relay_id >= RELAYS_MAX || bond.bond.n_members < 2)
			abort();
		for (unsigned i = 0; i < bond.bond.n_members; i++)
			examine(&bond.bond.members[i]);
	}
	free(text);
	return 0;
}
