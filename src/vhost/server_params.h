/* What the server (server.h) is told by those who use it: who they are, and what each relay's
 * socket is. Plain structs.
 */
#ifndef VHOST_SERVER_PARAMS_H
#define VHOST_SERVER_PARAMS_H

#include <stdbool.h>
#include <sys/types.h>

#include "vhost/grace.h"
#include "vhost/session_data.h"

/* Who uses the rings. Callbacks run on the protocol thread, and return at once. */
struct server_user {
	void *context;
	struct grace_source
	        grace; /* with a context of its own; called on the protocol thread only */
	/* A descriptor is about to be closed, by which workers that sleep may be woken. */
	void (*forget)(void *context, int fd);
	/* The relay's summary says something new, or one of its rings has begun. */
	void (*changed)(void *context, unsigned relay_id);
	/* A guest has broken a rule, and its ring was stopped. */
	void (*fault)(void *context, unsigned relay_id, unsigned ring, enum virtqueue_fault fault);
};

/* What a relay's socket is. */
struct server_params {
	unsigned relay_id;
	const char *path; /* shorter than a socket's name may be; copied */
	bool client;      /* connect, and reconnect for ever; else serve */
	uid_t owner;      /* of a socket we serve; (uid_t)-1 = leave */
	gid_t group;      /* (gid_t)-1 = leave */
	struct session_config config;
	/* [SESSION_RINGS], and one; the session's until server_close returns. */
	struct virtqueue *virtqueues;
	struct session_summary *summary;
	struct journal *journals; /* [SESSION_RINGS], likewise; NULL = none */
};

#endif
