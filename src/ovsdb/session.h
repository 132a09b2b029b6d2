/* JSON-RPC with ovsdb-server, as one connection sees it (RFC 7047): a monitor of table Interface in
 * the database Open_vSwitch is asked for, the answer is the table, updates follow. Bytes come in
 * through session_feed and go out through the send function: no sockets here. Memory is bounded by
 * the longest message.
 */
#ifndef OVSDB_SESSION_H
#define OVSDB_SESSION_H

#include <stdbool.h>

#include <jansson.h>

#include "base/error.h"
#include "ovsdb/frame.h"

/* updates is RFC 7047's table-updates; with whole it is the table as it is, which comes first in
 * each session. A negative answer, with err filled, ends the session. */
typedef int (*ovsdb_table_fn)(void *context, const json_t *updates, bool whole, struct error *err);

struct session {
	/* All of the text, or a negative answer with err filled, which ends the session. */
	int (*send)(void *context, const char *text, size_t length, struct error *err);
	ovsdb_table_fn table;
	void *context; /* of both */
	struct frame frame;
	bool live; /* the table has come */
};

/* Sends the request. 0 or what send answered. */
int session_begin(struct session *session, struct error *err);
/* What the server sent, in pieces of any length. 0; or negative with err filled, and then the
 * session is at its end. */
int session_feed(struct session *session, const char *data, size_t length, struct error *err);
/* Makes it ready for the next beginning; frees all. */
void session_end(struct session *session);

#endif
