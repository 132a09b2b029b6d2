/* Binds an endpoint's ZeroMQ socket to its address, with what keeps the wrong ones out: the path's
 * permissions and the peer's credentials for ipc, keys or the loopback for tcp.
 * Control thread.
 */
#ifndef RPC_TRANSPORT_BINDING_H
#define RPC_TRANSPORT_BINDING_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "sys/ipc_path.h"

/* Who may come in. */
struct endpoint_access {
	unsigned connections_max; /* of one endpoint; > 0 */
	bool has_group; /* a group may use ipc paths, besides root and the daemon's user */
	gid_t group;    /* that one */
	/* Z85 text, of the daemon's secret key: then tcp is for clients with keys, and need not be
	 * the loopback. Or NULL. Used during the call only. */
	const char *curve_secret;
};

/* Of one ipc path: the one that clients come by, and those before it that somebody has taken the
 * name of, while clients of theirs are connected. */
#define BINDING_LISTENING_MAX 4

struct binding {
	struct ipc_path ipc;
	int listening[BINDING_LISTENING_MAX]; /* ZeroMQ's descriptors; [n_listening] */
	unsigned n_listening;
};

/* address is "ipc://<absolute path>" or "tcp://<address>:<port>". 0, or -errno with err; then
 * there is nothing to release. */
int binding_make(struct binding *binding, void *socket, const char *address,
                 const struct endpoint_access *access, struct error *err);
/* Looks whether the ipc path is still there, has it made anew when it is not, and says so. Those
 * who are connected stay so, unless that has happened too often while they were: then they have to
 * connect again, as ZeroMQ does by itself. in_use: somebody is. Of no effect for tcp. */
void binding_look(struct binding *binding, void *socket, bool in_use);

/* Before the socket is closed. Harmless when zero-initialised. */
void binding_release(struct binding *binding);

#endif
