/* --check: finds, before traffic does, what keeps this machine from running the forwarder as it is
 * configured. Looks only: nothing is started, bound, made or written. One thread, no state.
 */
#ifndef PREFLIGHT_PREFLIGHT_H
#define PREFLIGHT_PREFLIGHT_H

#include "base/error.h"
#include "config/config.h"
#include "preflight/place.h"
#include "preflight/report.h"

/* All checks. Findings are appended and settled. */
void preflight_run(const struct config *config, const struct preflight_place *place,
                   struct report *report);

/* A configuration that could not be read, as a finding. */
void preflight_refuse_config(struct report *report, const struct error *why);

#endif
