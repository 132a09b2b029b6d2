/* JSON-RPC with ovsdb-server. See client.h.
 *
 * A connection is opened, the monitor request is sent, its answer is the table, and updates follow.
 * What is sent is so short that a socket which does not take it at once is as good as broken.
 */
#include "ovsdb/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"
#include "ovsdb/frame.h"

#define ANSWER_MS        10000 /* for the table, after the request */
#define RETRY_FIRST_MS   100U
#define RETRY_LONGEST_MS 5000U
#define READ_BYTES       ((size_t)64 << 10) /* a turn: other sources of the loop wait meanwhile */
#define ECHO_BYTES_MAX   ((size_t)4 << 10)

#define MONITOR_ID   1
#define MONITOR_NAME "virtio-forwarder"
#define MONITOR_REQUEST                                                                       \
	"{\"id\":1,\"method\":\"monitor\",\"params\":[\"Open_vSwitch\",\"" MONITOR_NAME "\"," \
	"{\"Interface\":{\"columns\":[\"name\",\"options\",\"external_ids\"]}}]}"

struct ovsdb_client {
	const char *path;
	struct sockaddr_un address;
	struct loop *loop;
	ovsdb_table_fn table;
	void *context;
	int fd;    /* -1: waiting for the next attempt */
	bool live; /* the table has come */
	uint64_t live_since_ms;
	struct loop_timer timer; /* the next attempt, or the table is late */
	unsigned retry_ms;
	struct frame frame;
	char said[ERROR_TEXT_MAX]; /* why there is no connection, as the log has it */
	char bytes[READ_BYTES];
};

/* --- the connection ------------------------------------------------------------------------ */

static void on_retry(void *context);

/* Until the next attempt. What the relays have they keep meanwhile. */
static void disconnect(struct ovsdb_client *client, const char *why)
{
	if (client->fd >= 0) {
		loop_remove_fd(client->loop, client->fd);
		close(client->fd);
		client->fd = -1;
	}
	frame_reset(&client->frame);
	/* A server that lets us in only to throw us out is not asked more and more often. */
	if (client->live && loop_now_ms() - client->live_since_ms > RETRY_LONGEST_MS)
		client->retry_ms = RETRY_FIRST_MS;
	client->live = false;
	if (strcmp(client->said, why) != 0)
		log_warn("OVSDB %s: %s; trying again, relays stay as they are", client->path, why);
	snprintf(client->said, sizeof(client->said), "%s", why);
	loop_timer_start(client->loop, &client->timer, client->retry_ms, on_retry, client);
	client->retry_ms *= 2;
	if (client->retry_ms > RETRY_LONGEST_MS)
		client->retry_ms = RETRY_LONGEST_MS;
}

static int send_text(struct ovsdb_client *client, const char *text, size_t length,
                     struct error *err)
{
	ssize_t n = send(client->fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n == (ssize_t)length)
		return 0;
	return error_set(err, EIO, "the server takes no more: %s",
	                 n < 0 ? strerror(errno) : "its socket is full");
}

/* --- messages ------------------------------------------------------------------------------ */

static int answer_echo(struct ovsdb_client *client, const json_t *message, struct error *err)
{
	json_t *answer = json_pack("{s:O?, s:O?, s:n}", "id", json_object_get(message, "id"),
	                           "result", json_object_get(message, "params"), "error");
	char text[ECHO_BYTES_MAX];
	size_t length = answer != NULL ? json_dumpb(answer, text, sizeof(text), JSON_COMPACT) : 0;
	int rc;

	if (length == 0 || length > sizeof(text))
		rc = error_set(err, EPROTO, "the server's echo cannot be answered");
	else
		rc = send_text(client, text, length, err);
	json_decref(answer);
	return rc;
}

static int take_update(struct ovsdb_client *client, const json_t *message, struct error *err)
{
	const json_t *params = json_object_get(message, "params");
	const char *monitor = json_string_value(json_array_get(params, 0));

	if (!client->live || monitor == NULL || strcmp(monitor, MONITOR_NAME) != 0)
		return error_set(err, EPROTO, "the server sends updates that were not asked for");
	return client->table(client->context, json_array_get(params, 1), false, err);
}

static int take_request(struct ovsdb_client *client, const json_t *message, const char *method,
                        struct error *err)
{
	if (strcmp(method, "echo") == 0)
		return answer_echo(client, message, err);
	if (strcmp(method, "update") == 0)
		return take_update(client, message, err);
	if (strcmp(method, "monitor_canceled") == 0)
		return error_set(err, EPIPE, "the server has given up the database");
	log_debug("OVSDB %s: a message \"%.40s\" is ignored", client->path, method);
	return 0;
}

static int take_answer(struct ovsdb_client *client, const json_t *message, struct error *err)
{
	const json_t *error = json_object_get(message, "error");
	const json_t *id = json_object_get(message, "id");
	int rc;

	if (client->live || !json_is_integer(id) || json_integer_value(id) != MONITOR_ID)
		return error_set(err, EPROTO, "the server answers what it was not asked");
	if (error != NULL && !json_is_null(error)) {
		const char *name = json_string_value(json_object_get(error, "error"));
		const char *details = json_string_value(json_object_get(error, "details"));

		return error_set(err, EPROTO,
		                 "the server refuses to have table Interface of Open_vSwitch "
		                 "watched: %.80s %.160s",
		                 name != NULL ? name : "", details != NULL ? details : "");
	}
	rc = client->table(client->context, json_object_get(message, "result"), true, err);
	if (rc < 0)
		return rc;
	loop_timer_stop(&client->timer);
	client->live = true;
	client->live_since_ms = loop_now_ms();
	client->said[0] = '\0';
	log_notice("OVSDB %s: connected; table Interface is watched", client->path);
	return 0;
}

struct reading {
	struct ovsdb_client *client;
	struct error err;
};

static int on_message(void *context, const char *text, size_t length)
{
	struct reading *reading = context;
	json_error_t error;
	json_t *message = json_loadb(text, length, 0, &error);
	const char *method = json_string_value(json_object_get(message, "method"));
	int rc;

	if (message == NULL)
		return error_set(&reading->err, EPROTO, "the server does not send JSON: %s",
		                 error.text);
	if (method != NULL)
		rc = take_request(reading->client, message, method, &reading->err);
	else
		rc = take_answer(reading->client, message, &reading->err);
	json_decref(message);
	return rc;
}

static void on_readable(void *context)
{
	struct ovsdb_client *client = context;
	struct reading reading = {.client = client};
	ssize_t n = recv(client->fd, client->bytes, sizeof(client->bytes), MSG_DONTWAIT);
	int rc;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		disconnect(client,
		           n == 0 ? "the server has closed the connection" : strerror(errno));
		return;
	}
	rc = frame_feed(&client->frame, client->bytes, (size_t)n, on_message, &reading);
	if (rc == 0)
		return;
	if (reading.err.code == 0)
		error_set(&reading.err, -rc, "%s",
		          rc == -EPROTO     ? "the server does not send JSON objects"
		          : rc == -EMSGSIZE ? "the server's message is too long (over 4 MB)"
		                            : "out of memory");
	disconnect(client, reading.err.text);
}

/* --- attempts ------------------------------------------------------------------------------ */

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
	if (loop_add_fd(client->loop, fd, on_readable, client) < 0) {
		close(fd);
		return error_set(err, ENOSPC, "the event loop is full");
	}
	client->fd = fd;
	return send_text(client, MONITOR_REQUEST, strlen(MONITOR_REQUEST), err);
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
	client->retry_ms = RETRY_FIRST_MS;
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
	frame_reset(&client->frame);
	free(client);
}
