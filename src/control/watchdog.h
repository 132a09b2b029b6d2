/* Feeds systemd's watchdog while every worker goes on, and names the worker that does not. Control
 * thread only.
 */
#ifndef CONTROL_WATCHDOG_H
#define CONTROL_WATCHDOG_H

#include "datapath/worker.h"
#include "event/loop.h"

struct watchdog;

/* The workers run; idle unless systemd waits for a sign of life. Both outlive it. NULL + errno. */
struct watchdog *watchdog_create(struct workers *workers, struct loop *loop);
void watchdog_destroy(struct watchdog *watchdog);

#endif
