/* The connection to ovsdb-server's unix socket. It never blocks, and is made anew when it breaks,
 * sooner at first and later after that. Control thread only.
 */
#ifndef OVSDB_CLIENT_H
#define OVSDB_CLIENT_H

#include "base/error.h"
#include "event/loop.h"
#include "ovsdb/session.h"

struct ovsdb_client;

/* Connects in the loop's next turn, and gives what the sessions tell to table. path is kept by
 * reference. NULL with err filled when path can be no socket's, or without memory. */
struct ovsdb_client *ovsdb_client_create(const char *path, struct loop *loop, ovsdb_table_fn table,
                                         void *context, struct error *err);
void ovsdb_client_destroy(struct ovsdb_client *client); /* NULL is harmless */

#endif
