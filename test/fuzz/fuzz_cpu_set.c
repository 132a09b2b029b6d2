/* Any text as a CPU set: what is read can be printed and read again, and is then the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct cpu_set set = {{0}}, again = {{0}};
	struct error err = {0};
	char printed[CPU_SET_SIZE * 5];

	if (text == NULL)
		abort();
	if (cpu_set_parse(text, &set, &err) == 0) {
		cpu_set_format(&set, printed, sizeof(printed));
		if (cpu_set_count(&set) == 0 || cpu_set_parse(printed, &again, &err) < 0 ||
		    memcmp(&set, &again, sizeof(set)) != 0)
			abort();
		/* Cut at any place it stays within its bounds. */
		for (size_t room = 0; room < 24; room++)
			cpu_set_format(&set, printed, room);
	} else if (err.text[0] == '\0') {
		abort();
	}
	free(text);
	return 0;
}
