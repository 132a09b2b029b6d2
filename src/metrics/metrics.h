/* The metrics' endpoint, as main sees it: HTTP, from which Prometheus and its kin read what the
 * relays and workers tell. All of it runs on the control thread, a piece of an answer in a turn of
 * the loop.
 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include "base/error.h"
#include "control/control.h"
#include "event/loop.h"

struct config;
struct metrics;

/* Opens the endpoint that the configuration names. control and loop outlive the answer. NULL with
 * err when it cannot be opened. */
struct metrics *metrics_start(const struct config *config, const struct control *control,
                              struct loop *loop, struct error *err);
/* Closes the endpoint and removes its path, at once. Before control_destroy. Harmless on NULL. */
void metrics_stop(struct metrics *metrics);

#endif
