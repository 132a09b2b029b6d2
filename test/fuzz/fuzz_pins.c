/* Any text as pins, added to some that are there already.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu_set.h"
#include "base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	/* Just as large as is needed, for the address sanitizer to see what lies beyond. */
	struct cpu_pin *pins = calloc(RELAYS_MAX, sizeof(*pins));
	struct error err = {0};
	size_t count = 1;
	uint64_t relays = 0;

	if (text == NULL || pins == NULL)
		abort();
	pins[0] = (struct cpu_pin){.relay_id = 63, .vf_to_vm_cpu = 1, .vm_to_vf_cpu = 2};
	if (cpu_pins_parse(text, pins, RELAYS_MAX, &count, &err) < 0 &&
	    (count != 1 || err.text[0] == '\0'))
		abort();
	for (size_t i = 0; i < count; i++) {
		if (pins[i].relay_id >= RELAYS_MAX || (relays >> pins[i].relay_id & 1) != 0 ||
		    pins[i].vf_to_vm_cpu < 0 || pins[i].vf_to_vm_cpu >= CPU_SET_SIZE ||
		    pins[i].vm_to_vf_cpu < 0 || pins[i].vm_to_vf_cpu >= CPU_SET_SIZE)
			abort();
		relays |= UINT64_C(1) << pins[i].relay_id;
	}
	free(pins);
	free(text);
	return 0;
}
