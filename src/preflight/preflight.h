/* --check: finds, before traffic does, what keeps this machine from running the forwarder as it is
 * configured. Looks only: nothing is started, bound, made or written. One thread, no state.
 */
#ifndef PREFLIGHT_PREFLIGHT_H
#define PREFLIGHT_PREFLIGHT_H

#include <sys/types.h>

#include "base/cpu_set.h"
#include "config/config.h"
#include "preflight/report.h"
#include "sys/path_access.h"

/* The machine, and who we are on it; tests make up their own. */
struct preflight_place {
	const char *sysfs, *proc;
	struct path_user self;  /* root's rights are in proc's CapEff, not in its number */
	struct cpu_set allowed; /* CPUs that this process may use */
};

/* This machine and this process. */
void preflight_place_real(struct preflight_place *out);

/* All checks. Findings are appended and settled. */
void preflight_run(const struct config *config, const struct preflight_place *place,
                   struct report *report);

/* A configuration that could not be read, as a finding. */
void preflight_refuse_config(struct report *report, const struct error *why);

#endif
