/* See server_slot.h. */
#include "vhost/server_slot.h"
#include "vhost/front_end.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"
#include "events/posted.h"
#include "vhost/disabled_rings.h"
#include "vhost/listener.h"

#define MESSAGES_A_TURN 32   /* of one front end, before others have theirs */
#define STALL_MS        5000 /* for which half a message, or half an answer, may last */
#define LOOK_MS         20   /* between looks for rules that are broken and memory that is lost */
#define RESUME_MS       2    /* that rings pause in case others are to be stopped too */
#define REFUSAL_MS      1000 /* from our features to the connection's end, if they are the reason */
#define NEWCOMERS       16   /* that are turned away in one turn */

/* For a host that is there but does not serve right now, as while it restarts. */
static const struct backoff_waits waits = {.first_ms = 10, .longest_ms = 1000, .well_ms = 10000};

static void on_ready(void *context);
static void try_to_connect(struct server_slot *slot);

/* --- the session's host ----------------------------------------------------------------------- */

static uint64_t host_grace_begin(void *context)
{
	struct server_slot *slot = context;

	poller_wake(&slot->shared->poller);
	return grace_want(&slot->shared->grace);
}

static bool host_grace_over(void *context, uint64_t token)
{
	struct server_slot *slot = context;

	return grace_is_over(&slot->shared->grace, token);
}

static void host_forget(void *context, int fd)
{
	struct server_slot *slot = context;

	slot->shared->user.forget(slot->shared->user.context, fd);
}

static void host_changed(void *context)
{
	struct server_slot *slot = context;

	slot->shared->user.changed(slot->shared->user.context, slot->relay_id);
}

static void host_fault(void *context, unsigned ring, enum virtqueue_fault fault)
{
	struct server_slot *slot = context;

	slot->shared->user.fault(slot->shared->user.context, slot->relay_id, ring, fault);
}

/* --- the connection's end ----------------------------------------------------------------------
 */

static void post_refusal(struct server_slot *slot, const char *reason, const char *line)
{
	events_post(&(struct event){.id = EVENT_FRONT_END_REFUSED,
	                            .relay = (int)slot->relay_id,
	                            .values = {{EVENT_FIELD_SOCKET, 0, slot->path},
	                                       {EVENT_FIELD_REASON, 0, reason}}},
	            &slot->log, "relay %u: %s", slot->relay_id, line);
}

static void complain(struct server_slot *slot, const char *text, const char *consequence)
{
	char line[ERROR_TEXT_MAX + 256];

	snprintf(line, sizeof(line), "the front end at %s %s%s", slot->path, text, consequence);
	post_refusal(slot, text, line);
}

static void set_front_end(struct server_slot *slot, bool is_there)
{
	atomic_store_explicit(&slot->host.summary->front_end, is_there, memory_order_relaxed);
	host_changed(slot);
}

/* Everything of the connection is let go of. */
static void over(struct server_slot *slot)
{
	slot->phase = SLOT_IDLE;
	if (slot->refusing) {
		if (slot->closed == NULL)
			return;
		slot->phase = SLOT_CLOSED;
		slot->closed(slot->closed_context);
		slot->closed = NULL;
	} else if (slot->client) {
		try_to_connect(slot);
	} else {
		(void)loop_change_fd(slot->shared->loop, slot->listen_fd, LOOP_READABLE);
	}
}

/* Newcomers wait in the listener's queue until the workers have left what was the last one's. */
static void end(struct server_slot *slot)
{
	LIST_REMOVE(slot, link);
	loop_timer_stop(&slot->stall);
	loop_timer_stop(&slot->resume);
	loop_remove_fd(slot->shared->loop, slot->connection.fd);
	connection_close(&slot->connection);
	backoff_lost(&slot->backoff, clock_now_ms());
	slot->phase = SLOT_ENDING;
	if (slot->listen_fd >= 0)
		(void)loop_change_fd(slot->shared->loop, slot->listen_fd, 0);
	set_front_end(slot, false);
	if (vhost_session_end(&slot->session) == SESSION_OVER)
		over(slot);
	else
		poller_wake(&slot->shared->poller);
}

static void end_for(struct server_slot *slot, const char *reason)
{
	complain(slot, reason, "; it is disconnected");
	end(slot);
}

/* QEMU hangs up, and comes again for ever, when its guest has negotiated more than is offered: as a
 * guest of another forwarder's may have. */
static void end_by_peer(struct server_slot *slot)
{
	if (slot->features_read_ms != 0 && clock_now_ms() - slot->features_read_ms <= REFUSAL_MS)
		complain(
		        slot,
		        "has hung up right after it had read what features are offered: if it does "
		        "so again and again, its guest has negotiated others (with another "
		        "forwarder, or with other -R and -T); stop that virtual machine and start "
		        "it, a reboot is not enough",
		        "");
	end(slot);
}

/* --- messages ----------------------------------------------------------------------------------
 */

static void on_stall(void *context)
{
	struct server_slot *slot = context;

	end_for(slot, connection_is_sending(&slot->connection)
	                      ? "has not read an answer for five seconds"
	                      : "has sent half a message, and nothing for five seconds");
}

static void on_resume(void *context)
{
	struct server_slot *slot = context;

	vhost_session_resume(&slot->session);
}

static void watch_features(struct server_slot *slot, uint32_t request)
{
	if (request == MESSAGE_GET_FEATURES)
		slot->features_read_ms = clock_now_ms();
	else if (request == MESSAGE_SET_FEATURES)
		slot->features_read_ms = 0;
}

/* Goes by what the session can do now. False when the connection has ended. */
static bool proceed(struct server_slot *slot, enum session_next next)
{
	struct vhost_session *session = &slot->session;

	if (next == SESSION_BREAKS) {
		end_for(slot, session->err.text);
		return false;
	}
	if (next == SESSION_WAITS || vhost_session_retires(session))
		poller_wake(&slot->shared->poller);
	if (next == SESSION_WAITS)
		return true;
	if (session->err.code != 0)
		complain(slot, session->err.text, "");
	session->err.code = 0;
	if (vhost_session_pauses(session))
		loop_timer_start(slot->shared->loop, &slot->resume, RESUME_MS, on_resume, slot);
	if (session->reply.request == 0)
		return true;
	if (connection_reply(&slot->connection, &session->reply) == CONNECTION_ENDED) {
		end_by_peer(slot);
		return false;
	}
	return true;
}

static bool may_read(const struct server_slot *slot)
{
	return slot->session.phase == SESSION_PHASE_READY &&
	       !connection_is_sending(&slot->connection);
}

/* One message, if it is there. False when there is nothing more to be done now. */
static bool take_message(struct server_slot *slot)
{
	struct connection *connection = &slot->connection;
	struct error err;
	unsigned n_fds;

	switch (connection_receive(connection, &err)) {
	case CONNECTION_WAITS:
		return false;
	case CONNECTION_ENDED:
		if (err.code != 0)
			end_for(slot, err.text);
		else
			end_by_peer(slot);
		return false;
	default:
		break;
	}
	loop_timer_stop(&slot->stall);
	watch_features(slot, connection->in.request);
	n_fds = connection->n_fds;
	connection_take(connection);
	return proceed(slot, vhost_session_handle(&slot->session, &connection->in, connection->fds,
	                                          n_fds));
}

/* What the connection waits for, and for how long. */
static void await(struct server_slot *slot)
{
	const struct connection *connection = &slot->connection;
	unsigned events = connection_is_sending(connection) ? LOOP_WRITABLE
	                  : may_read(slot)                  ? LOOP_READABLE
	                                                    : 0;

	(void)loop_change_fd(slot->shared->loop, connection->fd, events);
	if (!connection_is_sending(connection) && !connection_is_midway(connection))
		loop_timer_stop(&slot->stall);
	else if (!slot->stall.running)
		loop_timer_start(slot->shared->loop, &slot->stall, STALL_MS, on_stall, slot);
}

/* While the session waits nothing is asked for, so that it is the peer who has gone. */
static void on_ready(void *context)
{
	struct server_slot *slot = context;

	if (slot->session.phase != SESSION_PHASE_READY) {
		end_by_peer(slot);
		return;
	}
	if (connection_flush(&slot->connection) == CONNECTION_ENDED) {
		end_by_peer(slot);
		return;
	}
	for (unsigned i = 0; i < MESSAGES_A_TURN && slot->phase == SLOT_BUSY && may_read(slot); i++)
		if (!take_message(slot))
			break;
	if (slot->phase == SLOT_BUSY)
		await(slot);
}

/* Workers that one of the front end's descriptors holds up. */
static void free_workers(struct server_slot *slot)
{
	uint64_t now_ms = clock_now_ms();

	if (unblock_is_due(&slot->unblock, now_ms))
		unblock_look(&slot->unblock, slot->host.virtqueues,
		             vhost_session_callers(&slot->session), now_ms);
}

static void look(struct server_slot *slot)
{
	uint64_t now_ms = clock_now_ms();

	if (vhost_session_look(&slot->session) == SESSION_BREAKS) {
		end_for(slot, slot->session.err.text);
		return;
	}
	unblock_look(&slot->unblock, slot->host.virtqueues, slot->session.calling, now_ms);
	disabled_rings_look(&slot->session, now_ms);
	if (vhost_session_retires(&slot->session))
		poller_wake(&slot->shared->poller);
}

/* At all who are connected, so that the thread wakes for it once, however many they are. */
static void on_look(void *context)
{
	struct server_shared *shared = context;
	struct server_slot *slot, *next;

	for (slot = LIST_FIRST(&shared->busy); slot != NULL; slot = next) {
		next = LIST_NEXT(slot, link); /* it may leave, and no other */
		look(slot);
	}
	if (!LIST_EMPTY(&shared->busy))
		loop_timer_start(shared->loop, &shared->look, LOOK_MS, on_look, shared);
}

bool server_slot_poll(struct server_slot *slot)
{
	if (slot->phase == SLOT_ENDING) {
		free_workers(slot);
		if (vhost_session_continue(&slot->session) == SESSION_OVER)
			over(slot);
		return slot->phase == SLOT_ENDING;
	}
	if (slot->phase != SLOT_BUSY)
		return false;
	if (slot->session.phase == SESSION_PHASE_READY) {
		look(slot);
		return slot->phase == SLOT_ENDING || vhost_session_retires(&slot->session);
	}
	free_workers(slot);
	if (proceed(slot, vhost_session_continue(&slot->session)))
		await(slot);
	return slot->phase == SLOT_ENDING || slot->session.phase != SESSION_PHASE_READY ||
	       vhost_session_retires(&slot->session);
}

/* --- connections -------------------------------------------------------------------------------
 */

static void begin(struct server_slot *slot, int fd)
{
	slot->host.front_end = front_end_of(fd);
	vhost_session_init(&slot->session, &slot->config, &slot->host);
	connection_open(&slot->connection, fd);
	slot->features_read_ms = 0;
	if (loop_add_fd(slot->shared->loop, fd, LOOP_READABLE, on_ready, slot) < 0) {
		connection_close(&slot->connection);
		return;
	}
	slot->phase = SLOT_BUSY;
	backoff_well(&slot->backoff, clock_now_ms());
	LIST_INSERT_HEAD(&slot->shared->busy, slot, link);
	if (!slot->shared->look.running)
		loop_timer_start(slot->shared->loop, &slot->shared->look, LOOK_MS, on_look,
		                 slot->shared);
	set_front_end(slot, true);
}

/* Whether the peer has, whatever it has sent before. */
static bool has_hung_up(const struct connection *connection)
{
	struct pollfd peer = {.fd = connection->fd};

	return poll(&peer, 1, 0) == 1 && (peer.revents & POLLHUP) != 0;
}

static void turn_away(struct server_slot *slot)
{
	char line[256];

	snprintf(line, sizeof(line),
	         "a second front end knocked at %s and was turned away; one guest per socket",
	         slot->path);
	post_refusal(slot, "a second front end: one guest per socket", line);
}

/* One front end has the socket at a time; others are turned away, or they would wait for ever. One
 * that comes right after the last has left is none of these, though we may hear of both at once. */
static void on_knock(void *context)
{
	struct server_slot *slot = context;

	for (unsigned i = 0; i < NEWCOMERS; i++) {
		int fd;

		if (slot->phase == SLOT_BUSY && has_hung_up(&slot->connection))
			end_by_peer(slot);
		if (slot->phase == SLOT_ENDING)
			return;
		fd = accept4(slot->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		if (slot->phase == SLOT_IDLE) {
			begin(slot, fd);
			continue;
		}
		close(fd);
		turn_away(slot);
	}
}

static void on_retry(void *context)
{
	struct server_slot *slot = context;
	int fd = listener_connect(slot->path);

	if (fd >= 0)
		begin(slot, fd);
	if (slot->phase == SLOT_IDLE)
		try_to_connect(slot);
}

static void try_to_connect(struct server_slot *slot)
{
	loop_timer_start(slot->shared->loop, &slot->retry, backoff_wait_ms(&slot->backoff),
	                 on_retry, slot);
}

/* --- open and close ----------------------------------------------------------------------------
 */

void server_slot_init(struct server_slot *slot, struct server_shared *shared, unsigned relay_id)
{
	memset(slot, 0, sizeof(*slot));
	slot->shared = shared;
	slot->relay_id = relay_id;
	slot->listen_fd = -1;
	connection_open(&slot->connection, -1);
	slot->log = (struct log_limit)LOG_LIMIT(60000, 3);
}

int server_slot_open(struct server_slot *slot, const struct server_params *params, int listen_fd)
{
	int rc;

	if (slot->phase != SLOT_CLOSED)
		return -EBUSY;
	if (string_copy(slot->path, sizeof(slot->path), params->path) < 0)
		return -ENAMETOOLONG;
	slot->client = params->client;
	slot->config = params->config;
	slot->host = (struct session_host){.context = slot,
	                                   .virtqueues = params->virtqueues,
	                                   .summary = params->summary,
	                                   .journals = params->journals,
	                                   .grace_begin = host_grace_begin,
	                                   .grace_over = host_grace_over,
	                                   .forget = host_forget,
	                                   .changed = host_changed,
	                                   .fault = host_fault};
	slot->backoff = (struct backoff){.waits = &waits};
	if (!slot->client) {
		rc = loop_add_fd(slot->shared->loop, listen_fd, LOOP_READABLE, on_knock, slot);
		if (rc < 0)
			return rc;
	}
	slot->listen_fd = listen_fd;
	slot->refusing = false;
	slot->phase = SLOT_IDLE;
	if (slot->client)
		on_retry(slot);
	return 0;
}

void server_slot_refuse(struct server_slot *slot)
{
	if (slot->phase == SLOT_CLOSED || slot->refusing)
		return;
	slot->refusing = true;
	loop_timer_stop(&slot->retry);
	if (slot->listen_fd >= 0) {
		loop_remove_fd(slot->shared->loop, slot->listen_fd);
		close(slot->listen_fd);
		slot->listen_fd = -1;
	}
	if (slot->phase == SLOT_BUSY)
		end(slot);
}

void server_slot_close(struct server_slot *slot, void (*closed)(void *context), void *context)
{
	server_slot_refuse(slot);
	if (slot->phase == SLOT_IDLE)
		slot->phase = SLOT_CLOSED;
	if (slot->phase == SLOT_CLOSED) {
		closed(context);
		return;
	}
	slot->closed = closed;
	slot->closed_context = context;
}
