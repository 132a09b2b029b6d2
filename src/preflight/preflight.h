/* --check: finds, before traffic does, what keeps this machine from running the forwarder as it is
 * configured. The start asks the same checks for what DPDK would not survive, or does not explain.
 * Looks only: nothing is started, bound, made or written. One thread, no state.
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

/* Before DPDK starts, on this machine: refuses what would kill it or have it hang, and hands to
 * warn what else will keep packets from flowing. 0 or -EINVAL with err. */
int preflight_allow_start(const struct config *config, void (*warn)(const char *text),
                          struct error *err);
/* DPDK has not started, which err says: replaces that by the cause, if there is one to be found. */
void preflight_explain_start(const struct config *config, struct error *err);

/* A configuration that could not be read, as a finding. */
void preflight_refuse_config(struct report *report, const struct error *why);

#endif
