/* Messages of a session with ovsdb-server. See session.h. */
#include "ovsdb/session.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

#define ECHO_BYTES_MAX ((size_t)4 << 10)

#define MONITOR_ID   1
#define MONITOR_NAME "virtio-forwarder"
#define MONITOR_REQUEST                                                                       \
	"{\"id\":1,\"method\":\"monitor\",\"params\":[\"Open_vSwitch\",\"" MONITOR_NAME "\"," \
	"{\"Interface\":{\"columns\":[\"name\",\"options\",\"external_ids\"]}}]}"

int session_begin(struct session *session, struct error *err)
{
	return session->send(session->context, MONITOR_REQUEST, strlen(MONITOR_REQUEST), err);
}

void session_end(struct session *session)
{
	frame_reset(&session->frame);
	session->live = false;
}

/* --- requests and notifications of the server ------------------------------------------------- */

static int answer_echo(const struct session *session, const json_t *message, struct error *err)
{
	json_t *answer = json_pack("{s:O?, s:O?, s:n}", "id", json_object_get(message, "id"),
	                           "result", json_object_get(message, "params"), "error");
	char text[ECHO_BYTES_MAX];
	size_t length = answer != NULL ? json_dumpb(answer, text, sizeof(text), JSON_COMPACT) : 0;
	int rc;

	if (length == 0 || length > sizeof(text))
		rc = error_set(err, EPROTO, "the server's echo cannot be answered");
	else
		rc = session->send(session->context, text, length, err);
	json_decref(answer);
	return rc;
}

static int take_update(const struct session *session, const json_t *message, struct error *err)
{
	const json_t *params = json_object_get(message, "params");
	const char *monitor = json_string_value(json_array_get(params, 0));

	if (!session->live || monitor == NULL || strcmp(monitor, MONITOR_NAME) != 0)
		return error_set(err, EPROTO, "the server sends updates that were not asked for");
	return session->table(session->context, json_array_get(params, 1), false, err);
}

static int take_request(const struct session *session, const json_t *message, const char *method,
                        struct error *err)
{
	if (strcmp(method, "echo") == 0)
		return answer_echo(session, message, err);
	if (strcmp(method, "update") == 0)
		return take_update(session, message, err);
	if (strcmp(method, "monitor_canceled") == 0)
		return error_set(err, EPIPE, "the server has given up the database");
	log_debug("OVSDB: a message \"%.40s\" is ignored", method);
	return 0;
}

/* --- the answer to ours ----------------------------------------------------------------------- */

static int take_answer(struct session *session, const json_t *message, struct error *err)
{
	const json_t *error = json_object_get(message, "error");
	const json_t *id = json_object_get(message, "id");
	int rc;

	if (session->live || !json_is_integer(id) || json_integer_value(id) != MONITOR_ID)
		return error_set(err, EPROTO, "the server answers what it was not asked");
	if (error != NULL && !json_is_null(error)) {
		const char *name = json_string_value(json_object_get(error, "error"));
		const char *details = json_string_value(json_object_get(error, "details"));

		return error_set(err, EPROTO,
		                 "the server does not let table Interface of Open_vSwitch be "
		                 "watched: %.80s %.160s",
		                 name != NULL ? name : "", details != NULL ? details : "");
	}
	rc = session->table(session->context, json_object_get(message, "result"), true, err);
	session->live = rc == 0;
	return rc;
}

/* --- bytes ------------------------------------------------------------------------------------ */

struct feeding {
	struct session *session;
	struct error *err;
};

static int on_message(void *context, const char *text, size_t length)
{
	const struct feeding *feeding = context;
	json_error_t error;
	json_t *message = json_loadb(text, length, 0, &error);
	const char *method = json_string_value(json_object_get(message, "method"));
	int rc;

	if (message == NULL)
		return error_set(feeding->err, EPROTO, "the server does not send JSON: %s",
		                 error.text);
	if (method != NULL)
		rc = take_request(feeding->session, message, method, feeding->err);
	else
		rc = take_answer(feeding->session, message, feeding->err);
	json_decref(message);
	return rc;
}

int session_feed(struct session *session, const char *data, size_t length, struct error *err)
{
	struct feeding feeding = {.session = session, .err = err};
	int rc;

	err->code = 0;
	rc = frame_feed(&session->frame, data, length, on_message, &feeding);
	if (rc == 0 || err->code != 0)
		return rc;
	switch (-rc) {
	case EPROTO:
		return error_set(err, EPROTO, "the server does not send JSON objects");
	case EMSGSIZE:
		return error_set(err, EMSGSIZE, "the server's message is longer than %zu MB",
		                 FRAME_BYTES_MAX >> 20);
	default:
		return error_set(err, ENOMEM, "out of memory");
	}
}
