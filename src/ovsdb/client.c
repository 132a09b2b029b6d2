/* Connecting, reading and writing, and trying again. See client.h. */
#include "ovsdb/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "event/backoff.h"

#define ANSWER_MS    10000              /* for the table, after the request */
#define READ_BYTES   ((size_t)64 << 10) /* a turn: other sources of the loop wait meanwhile */
#define UNSENT_BYTES ((size_t)64 << 10) /* answers that the socket has no room for yet */

static const struct backoff_waits waits = {.first_ms = 100, .longest_ms = 5000};

/* A connection that has lived so long was a good one: only after such a one are the waits short
 * again. */
#define LIVED_MS 5000

struct ovsdb_client {
	const char *path;
	struct sockaddr_un address;
	struct loop *loop;
	ovsdb_table_fn table;
	void *context;
	int fd; /* -1: waiting for the next attempt */
	struct session session;
	struct loop_timer timer; /* the next attempt, or the table is late */
	struct backoff backoff;
	uint64_t live_since_ms;
	char said[ERROR_TEXT_MAX]; /* why there is no connection, as the log has it */
	size_t n_unsent;
	char unsent[UNSENT_BYTES];
	char bytes[READ_BYTES];
};

static void on_retry(void *context);

/* Closes the connection until the next attempt. The relays keep what they have meanwhile. */
static void disconnect(struct ovsdb_client *client, const char *why)
{
	if (client->fd >= 0) {
		loop_remove_fd(client->loop, client->fd);
		close(client->fd);
		client->fd = -1;
		client->n_unsent = 0;
	}
	/* A server that lets us in only to throw us out is no news. */
	if (client->session.live && clock_now_ms() - client->live_since_ms > LIVED_MS) {
		backoff_reset(&client->backoff);
		client->said[0] = '\0';
	}
	session_end(&client->session);
	if (strcmp(client->said, why) != 0)
		log_warn("OVSDB %s: %s; trying again, relays stay as they are", client->path, why);
	snprintf(client->said, sizeof(client->said), "%s", why);
	loop_timer_start(client->loop, &client->timer, backoff_wait_ms(&client->backoff), on_retry,
	                 client);
}

/* Gives the socket what it takes of text at once. How much that was, or -errno. */
static ssize_t send_some(const struct ovsdb_client *client, const char *text, size_t length)
{
	ssize_t n = send(client->fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return n;
}

static int wait_for_room(const struct ovsdb_client *client)
{
	return loop_change_fd(client->loop, client->fd,
	                      LOOP_READABLE | (client->n_unsent > 0 ? LOOP_WRITABLE : 0));
}

/* What the socket does not take at once waits until it has room. A server that asks on and on and
 * never reads is left when no more can wait. */
static int on_send(void *context, const char *text, size_t length, struct error *err)
{
	struct ovsdb_client *client = context;
	ssize_t n = client->n_unsent > 0 ? 0 : send_some(client, text, length);
	size_t rest;

	if (n < 0)
		return error_set(err, EIO, "the server takes no more: %s", strerror((int)-n));
	rest = length - (size_t)n;
	if (rest > UNSENT_BYTES - client->n_unsent)
		return error_set(err, EIO, "the server takes no more: its socket is full");
	memcpy(client->unsent + client->n_unsent, text + n, rest);
	client->n_unsent += rest;
	if (wait_for_room(client) < 0)
		return error_set(err, EIO, "the event loop does not wait for the server's socket");
	return 0;
}

/* 0, or -errno of the socket's. */
static int send_unsent(struct ovsdb_client *client)
{
	ssize_t n = send_some(client, client->unsent, client->n_unsent);

	if (n < 0)
		return (int)n;
	client->n_unsent -= (size_t)n;
	memmove(client->unsent, client->unsent + n, client->n_unsent);
	return wait_for_room(client);
}

static int on_table(void *context, const json_t *updates, bool whole, struct error *err)
{
	struct ovsdb_client *client = context;
	int rc = client->table(client->context, updates, whole, err);

	if (rc < 0 || !whole)
		return rc;
	loop_timer_stop(&client->timer);
	client->live_since_ms = clock_now_ms();
	log_notice("OVSDB %s: connected; table Interface is watched", client->path);
	return 0;
}

static void on_ready(void *context)
{
	struct ovsdb_client *client = context;
	struct error err;
	ssize_t n = client->n_unsent > 0 ? send_unsent(client) : 0;

	if (n < 0) {
		disconnect(client, strerror((int)-n));
		return;
	}
	n = recv(client->fd, client->bytes, sizeof(client->bytes), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		disconnect(client, strerror(errno));
	else if (n == 0)
		disconnect(client, "the server has closed the connection");
	else if (session_feed(&client->session, client->bytes, (size_t)n, &err) < 0)
		disconnect(client, err.text);
}

static void on_late(void *context)
{
	disconnect(context, "the server does not answer");
}

static int attempt(struct ovsdb_client *client, struct error *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_set(err, errno, "no socket can be had: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&client->address, sizeof(client->address)) < 0) {
		error_set(err, errno, "cannot connect: %s", strerror(errno));
		close(fd);
		return -err->code;
	}
	if (loop_add_fd(client->loop, fd, LOOP_READABLE, on_ready, client) < 0) {
		close(fd);
		return error_set(err, ENOMEM, "the event loop cannot wait for the socket");
	}
	client->fd = fd;
	return session_begin(&client->session, err);
}

static void on_retry(void *context)
{
	struct ovsdb_client *client = context;
	struct error err;

	if (attempt(client, &err) < 0)
		disconnect(client, err.text);
	else
		loop_timer_start(client->loop, &client->timer, ANSWER_MS, on_late, client);
}

struct ovsdb_client *ovsdb_client_create(const char *path, struct loop *loop, ovsdb_table_fn table,
                                         void *context, struct error *err)
{
	struct ovsdb_client *client = calloc(1, sizeof(*client));

	if (client == NULL) {
		error_set(err, ENOMEM, "cannot watch OVSDB: out of memory");
		return NULL;
	}
	client->address.sun_family = AF_UNIX;
	if (string_copy(client->address.sun_path, sizeof(client->address.sun_path), path) < 0) {
		error_set(err, ENAMETOOLONG,
		          "--ovsdb-sock \"%.160s\": a socket's path has at most %zu characters",
		          path, sizeof(client->address.sun_path) - 1);
		free(client);
		return NULL;
	}
	client->path = path;
	client->loop = loop;
	client->table = table;
	client->context = context;
	client->fd = -1;
	client->session = (struct session){.send = on_send, .table = on_table, .context = client};
	client->backoff.waits = &waits;
	loop_timer_start(loop, &client->timer, 0, on_retry, client);
	return client;
}

void ovsdb_client_destroy(struct ovsdb_client *client)
{
	if (client == NULL)
		return;
	loop_timer_stop(&client->timer);
	if (client->fd >= 0) {
		loop_remove_fd(client->loop, client->fd);
		close(client->fd);
	}
	session_end(&client->session);
	free(client);
}
