/* Relays as OVSDB wants them: rows of table Interface whose external_ids name a relay have their
 * device attached to it, for as long as they say so. Control thread only.
 */
#ifndef OVSDB_OVSDB_H
#define OVSDB_OVSDB_H

#include "base/error.h"
#include "control/control.h"
#include "event/loop.h"

struct ovsdb;

/* Watches the server at `socket`, which need not run yet. socket, control and loop outlive it.
 * NULL with err filled when socket can be no socket's path, or without memory. */
struct ovsdb *ovsdb_start(const char *socket, struct control *control, struct loop *loop,
                          struct error *err);
/* Asks nothing more. What it has attached stays. NULL is harmless. */
void ovsdb_stop(struct ovsdb *ovsdb);

#endif
