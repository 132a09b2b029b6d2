/* A relay's place with the server: its socket, the connection that has come by it, and that one's
 * session. All of it belongs to the protocol thread. For server.c.
 */
#ifndef VHOST_SERVER_SLOT_H
#define VHOST_SERVER_SLOT_H

#include <sys/queue.h>

#include "base/log.h"
#include "event/backoff.h"
#include "event/loop.h"
#include "sys/socket_name.h"
#include "vhost/connection.h"
#include "vhost/poller.h"
#include "vhost/server_params.h"
#include "vhost/session.h"
#include "vhost/unblock.h"

/* What the slots have in common. */
struct server_shared {
	struct loop *loop;
	struct grace grace;
	struct poller poller;
	struct server_user user;
	LIST_HEAD(, server_slot) busy; /* those that are SLOT_BUSY … */
	struct loop_timer look;        /* … for what they have broken, or taken away */
};

enum server_slot_phase {
	SLOT_CLOSED,
	SLOT_IDLE,   /* open, and nobody is connected */
	SLOT_BUSY,   /* somebody is */
	SLOT_ENDING, /* nobody any more, but workers may still use what was theirs */
};

struct server_slot {
	struct server_shared *shared;
	LIST_ENTRY(server_slot) link;
	unsigned relay_id;
	enum server_slot_phase phase;
	bool refusing; /* nobody is let in any more */
	char path[SOCKET_NAME_MAX];
	bool client;
	int listen_fd; /* of one that serves; -1 = none */
	struct session_config config;
	struct session_host host;
	struct connection connection;
	struct vhost_session session;
	uint64_t features_read_ms; /* it has read them then, and not chosen yet; 0 = not so */
	struct unblock_watch unblock;
	struct loop_timer stall;  /* half a message, or half an answer, lasts */
	struct loop_timer resume; /* rings pause, and no message has them go on */
	struct loop_timer retry;  /* the next connection is tried */
	struct backoff backoff;
	struct log_limit log;
	void (*closed)(void *context); /* to be called once all is let go of; NULL = nobody waits */
	void *closed_context;
};

void server_slot_init(struct server_slot *slot, struct server_shared *shared, unsigned relay_id);

/* listen_fd, -1 for a client, is the slot's if that is open afterwards. 0, or -EBUSY when the slot
 * is open already, or another -errno. */
int server_slot_open(struct server_slot *slot, const struct server_params *params, int listen_fd);

/* Lets nobody in any more, and ends what is there. */
void server_slot_refuse(struct server_slot *slot);

/* The same, and calls closed when the slot is. */
void server_slot_close(struct server_slot *slot, void (*closed)(void *context), void *context);

/* The poller's look: whether there is still something to wait for. */
bool server_slot_poll(struct server_slot *slot);

#endif
