/* The connection to ovsdb-server: table Interface of the database Open_vSwitch, over the server's
 * unix socket, by RFC 7047's monitor. It never blocks, holds a bounded amount of memory, and is
 * made anew when it breaks, sooner at first and later after that. Control thread only.
 */
#ifndef OVSDB_CLIENT_H
#define OVSDB_CLIENT_H

#include <stdbool.h>

#include <jansson.h>

#include "base/error.h"
#include "control/loop.h"

struct ovsdb_client;

/* updates is RFC 7047's table-updates; with whole it is the table as it is, which comes first on
 * each connection. A negative answer, with err filled, has the connection made anew. */
typedef int (*ovsdb_table_fn)(void *context, const json_t *updates, bool whole, struct error *err);

/* Connects in the loop's next turn. path is kept by reference. NULL with err filled when path can
 * be no socket's. */
struct ovsdb_client *ovsdb_client_create(const char *path, struct loop *loop, ovsdb_table_fn table,
                                         void *context, struct error *err);
void ovsdb_client_destroy(struct ovsdb_client *client); /* NULL is harmless */

#endif
