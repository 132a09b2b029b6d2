/* --check: takes the picture that all checks look at, and has them look. See preflight.h.
 */
#include "preflight/preflight.h"

#include "preflight/checks.h"
#include "preflight/picture.h"

static bool all_are_unusable(const struct picture *p)
{
	bool usable = p->n_vdevs > 0;

	for (size_t i = 0; i < p->n_vfs; i++)
		usable |= !p->vfs[i].unusable;
	return !usable;
}

/* What the daemon would log at its start. */
static void pass_on_warnings(struct picture *p)
{
	for (size_t i = 0; i < p->config->n_warnings; i++) {
		struct finding *finding = report_add(p->report, FINDING_WARNING, "config.warning");

		finding_what(finding, "%s", p->config->warnings[i]);
		finding_why(finding, "the daemon goes on, but perhaps not as it was meant");
		finding_remedy(finding, "correct the value or take it out");
	}
}

/* --- the checks ----------------------------------------------------------------------------- */

void preflight_run(const struct config *config, const struct preflight_place *place,
                   struct report *report)
{
	struct picture p;

	if (picture_take(&p, config, place, report) < 0) {
		report->failed = true;
		return;
	}
	pass_on_warnings(&p);
	check_process(&p);
	check_cpus(&p);
	check_memory(&p);
	check_devices(&p);
	check_sockets(&p);
	check_pins(&p);
	report_settle(report, all_are_unusable(&p));
	picture_free(&p);
}

void preflight_refuse_config(struct report *report, const struct error *why)
{
	struct finding *finding = report_add(report, FINDING_ERROR, "config.invalid");

	finding_what(finding, "%s", why->text);
	finding_why(finding, "the daemon refuses to start with a configuration that it does not "
	                     "understand");
	finding_remedy(finding, "correct what is named; virtio-forwarder --help shows every option "
	                        "and its range");
	report_settle(report, false);
}
