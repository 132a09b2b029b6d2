/* --check: takes the picture that all checks look at, and has them look. See preflight.h.
 */
#include "preflight/preflight.h"

#include <errno.h>

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
	check_memlock(&p);
	check_rooms(&p);
	check_cpus(&p);
	check_memory(&p);
	check_devices(&p);
	check_sockets(&p);
	check_pins(&p);
	report_settle(report, all_are_unusable(&p));
	picture_free(&p);
}

/* --- the start ------------------------------------------------------------------------------- */

/* What stands in the way of the start itself; the rest is --check's. */
static int look_at_start(const struct config *config, struct report *report)
{
	struct preflight_place place;
	struct picture p;

	preflight_place_real(&place);
	int rc = picture_take(&p, config, &place, report);
	if (rc == 0) {
		check_memlock(&p);
		check_rooms(&p);
		check_memory(&p);
		report_settle(report, all_are_unusable(&p));
	}
	picture_free(&p);
	return rc;
}

static void as_error(const struct finding *finding, struct error *err)
{
	error_set(err, EINVAL, "%s; %s", finding->what, finding->remedy);
}

int preflight_allow_start(const struct config *config, void (*warn)(const char *text),
                          struct error *err)
{
	struct report report = {0};
	struct error why;
	int rc = 0;

	(void)look_at_start(config, &report);
	for (size_t i = 0; i < report.count && rc == 0; i++) {
		const struct finding *finding = &report.findings[i];

		as_error(finding, &why);
		if (finding->refuses)
			rc = error_set(err, EINVAL, "%s", why.text);
		else if (finding->severity == FINDING_ERROR)
			warn(why.text);
	}
	report_free(&report);
	return rc;
}

void preflight_explain_start(const struct config *config, struct error *err)
{
	struct report report = {0};

	(void)look_at_start(config, &report);
	/* Errors come first. */
	if (report.count > 0 && report.findings[0].severity == FINDING_ERROR) {
		as_error(&report.findings[0], err);
		error_prefix(err, "DPDK does not start: ");
	}
	report_free(&report);
}

/* --- the configuration ------------------------------------------------------------------------ */

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
