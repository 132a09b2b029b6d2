/* Relays as OVSDB wants them: rows of table Interface whose external_ids name a relay have their
 * device attached to it, for as long as they say so. Control thread only.
 */
#ifndef OVSDB_OVSDB_H
#define OVSDB_OVSDB_H

#include <stdbool.h>

#include "base/error.h"
#include "control/control.h"
#include "event/loop.h"

struct ovsdb;

/* Watches the server at `socket`, which need not run yet. ids_mean_vf: what names a relay in a row
 * is only a yes, and the relay is the VF's number on its PF. socket, control and loop outlive it.
 * NULL with err filled when socket can be no socket's path, or without memory. */
struct ovsdb *ovsdb_start(const char *socket, bool ids_mean_vf, struct control *control,
                          struct loop *loop, struct error *err);
/* Asks nothing more. What it has attached stays. NULL is harmless. */
void ovsdb_stop(struct ovsdb *ovsdb);

#endif
