/* Pins that clients have left: the balancer does not touch what is pinned, and whoever has pinned
 * it may have ended since.
 */
#include "preflight/checks.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "keep/state.h"
#include "sys/sysfs.h"
#include "sys/whole_file.h"

/* Whether there is a state of this boot's. What is wrong with the file is the daemon's to tell. */
static bool read_state(const struct picture *p, struct state *out)
{
	char path[PATH_MAX], boot_id[BOOT_ID_MAX], *text = NULL;
	struct error ignored;
	size_t size;
	bool read = false;
	int n = snprintf(path, sizeof(path), "%s/" STATE_FILE, p->config->pid_dir);

	if (n < 0 || (size_t)n >= sizeof(path) ||
	    sysfs_read_text(boot_id, sizeof(boot_id), p->place->proc, "sys/kernel/random/boot_id") <
	            0 ||
	    whole_file_read(path, STATE_TEXT_MAX, &text, &size, &ignored) < 0)
		return false;
	read = state_parse(text, size, boot_id, out, &ignored) == 0;
	free(text);
	return read;
}

static void report_pins(struct picture *p, const struct state *state)
{
	char relays[FINDING_TEXT_MAX / 2];
	struct cpu_set ids = {0};

	for (unsigned i = 0; i < state->n_pins; i++)
		cpu_set_add(&ids, state->pins[i].relay_id); /* a set of numbers below 64 */
	struct finding *finding = report_add(p->report, FINDING_WARNING, "pins.of_clients");
	finding_what(finding, "clients have pinned relays otherwise than the configuration: %s",
	             cpu_set_format(&ids, relays, sizeof(relays)));
	finding_why(finding, "the balancer leaves them where they are, even if the scheduler that "
	                     "has pinned them is gone");
	finding_remedy(finding,
	               "if nobody wants them so, virtioforwarder_core_pinner.py "
	               "--virtio-cpu=%u:-1 gives a relay back while the daemon runs",
	               state->pins[0].relay_id);
}

void check_pins(struct picture *p)
{
	struct state *state = calloc(1, sizeof(*state));

	if (state == NULL) {
		p->report->failed = true;
		return;
	}
	if (read_state(p, state) && state->n_pins > 0)
		report_pins(p, state);
	free(state);
}
