/* Serves the front ends of all relays on one thread of its own, the protocol thread. It never waits
 * for any of them, nor for a worker: each has a session (session.h) that goes on as its messages
 * and grace periods come. Half a message, or an answer that is not read, costs its sender the
 * connection after five seconds, and nobody else anything.
 *
 * The functions here are for other threads; which of them, and whether it may take long, is said at
 * each. Never for workers.
 */
#ifndef VHOST_SERVER_H
#define VHOST_SERVER_H

#include "base/error.h"
#include "vhost/server_params.h"

struct server;

/* Starts the thread. NULL with err. Installs the handler of lost memory (sigbus.h) too. */
struct server *server_create(const struct server_user *user, struct error *err);
/* Ends it. All relays' sockets have been closed. */
void server_destroy(struct server *server);

/* Serves a relay's socket from now on. May take long, since it looks at the file system. 0 or
 * -errno with err; EADDRINUSE: somebody serves the path, EEXIST: a foreign file is there. */
int server_open(struct server *server, const struct server_params *params, struct error *err);

/* From now on nobody is let in; whoever is connected is disconnected soon. Does not wait. */
void server_refuse(struct server *server, unsigned relay_id);

/* Closes it, and returns when no worker uses anything of the guest's any more, all of which is let
 * go of then. Waits for the workers. The name of a socket that was served stays. */
void server_close(struct server *server, unsigned relay_id);

#endif
