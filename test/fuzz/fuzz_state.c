/* Any bytes as the saved state. What is taken is within its bounds, names nothing that a client may
 * not name, and is the same after having been written and read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "keep/state.h"

#define BOOT "b"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void examine(const struct state *state)
{
	if (state->n_relays > RELAYS_MAX || state->n_pins > RELAYS_MAX)
		abort();
	for (unsigned i = 0; i < state->n_relays; i++) {
		const struct state_relay *relay = &state->relays[i];
		struct device_spec spec;
		struct error err;

		if (relay->id >= RELAYS_MAX ||
		    device_spec_parse(relay->device.devargs, &spec, &err) < 0 ||
		    !device_spec_equal(&spec, &relay->device))
			abort();
		if (memchr(relay->socket, '\0', sizeof(relay->socket)) == NULL ||
		    !text_is_clean(relay->socket) ||
		    (relay->socket[0] == '/') != state->dynamic_sockets)
			abort();
	}
	for (unsigned i = 0; i < state->n_pins; i++)
		if (state->pins[i].relay_id >= RELAYS_MAX ||
		    state->pins[i].vf_to_vm_cpu >= CPU_SET_SIZE ||
		    state->pins[i].vm_to_vf_cpu >= CPU_SET_SIZE)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct state state, back;
	struct error err = {0};
	int rc = state_parse((const char *)data, size, BOOT, &state, &err);
	char *text;

	if (rc < 0) {
		if (rc != -err.code || err.text[0] == '\0' || !text_is_clean(err.text) ||
		    state.n_relays > 0 || state.n_pins > 0)
			abort();
		return 0;
	}
	examine(&state);
	text = state_format(&state, BOOT);
	if (text == NULL || strlen(text) > STATE_TEXT_MAX ||
	    state_parse(text, strlen(text), BOOT, &back, &err) < 0 ||
	    memcmp(&state, &back, sizeof(state)) != 0)
		abort();
	free(text);
	return 0;
}
