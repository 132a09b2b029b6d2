/* OVSDB's bytes and messages: how a stream is cut, and what a session accepts. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ovsdb/session.h"
#include "suite.h"

/* --- frames -------------------------------------------------------------------------------------
 */

static char seen[256]; /* the messages, each in <> */
static int verdict;

static int on_frame(void *context, const char *text, size_t length)
{
	size_t used = strlen(seen);

	(void)context;
	snprintf(seen + used, sizeof(seen) - used, "<%.*s>", (int)length, text);
	return verdict;
}

static int feed_in_pieces(struct frame *frame, const char *text, size_t piece)
{
	int rc = 0;

	for (size_t length = strlen(text); length > 0 && rc == 0;) {
		size_t n = length < piece ? length : piece;

		rc = frame_feed(frame, text, n, on_frame, NULL);
		text += n;
		length -= n;
	}
	return rc;
}

START_TEST(frames_come_in_any_pieces)
{
	static const char stream[] = "{} \n{\"a\":\"}\\\"{\\\\\"}{\"b\":[{},[\"]\"]]}\t";

	for (size_t piece = 1; piece < sizeof(stream); piece++) {
		struct frame frame = {0};

		seen[0] = '\0';
		ck_assert_int_eq(feed_in_pieces(&frame, stream, piece), 0);
		ck_assert_str_eq(seen, "<{}><{\"a\":\"}\\\"{\\\\\"}><{\"b\":[{},[\"]\"]]}>");
		ck_assert_uint_eq(frame.depth, 0);
		frame_reset(&frame);
	}
}
END_TEST

START_TEST(frames_are_objects)
{
	static const char *const others[] = {"[]",  "1", "\"{\"", "null",
	                                     "{}x", "}", "\xff",  "{}\\"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct frame frame = {0};

		ck_assert_int_eq(feed_in_pieces(&frame, others[i], 99), -EPROTO);
		frame_reset(&frame);
	}
}
END_TEST

START_TEST(frames_have_an_end)
{
	static char many[1 << 16];
	struct frame frame = {0};
	size_t fed = 1;
	int rc;

	memset(many, 'x', sizeof(many));
	seen[0] = '\0';
	ck_assert_int_eq(frame_feed(&frame, "{\"", 2, on_frame, NULL), 0);
	while ((rc = frame_feed(&frame, many, sizeof(many), on_frame, NULL)) == 0)
		fed += sizeof(many);
	ck_assert_int_eq(rc, -EMSGSIZE);
	ck_assert_uint_le(fed, FRAME_BYTES_MAX);
	ck_assert_uint_le(frame.size, FRAME_BYTES_MAX);
	frame_reset(&frame);
	ck_assert_ptr_null(frame.data);

	/* What a long message took is given back when it is through. */
	verdict = 0;
	ck_assert_int_eq(frame_feed(&frame, "{\"", 2, on_frame, NULL), 0);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(frame_feed(&frame, many, sizeof(many), on_frame, NULL), 0);
	ck_assert_int_eq(frame_feed(&frame, "\"}", 2, on_frame, NULL), 0);
	ck_assert_ptr_null(frame.data);
	frame_reset(&frame);
}
END_TEST

START_TEST(frames_stop_where_told)
{
	struct frame frame = {0};

	seen[0] = '\0';
	verdict = -EXDEV;
	ck_assert_int_eq(frame_feed(&frame, "{}{}", 4, on_frame, NULL), -EXDEV);
	ck_assert_str_eq(seen, "<{}>");
	verdict = 0;
	frame_reset(&frame);
}
END_TEST

/* --- sessions -----------------------------------------------------------------------------------
 */

static struct session session;
static char sent[8192];
static char tables[1024]; /* what was told, each as "w{…}" (whole) or "u{…}" */
static bool send_fails, table_fails;
static struct error err;

static int on_send(void *context, const char *text, size_t length, struct error *error)
{
	ck_assert_ptr_eq(context, &session);
	if (send_fails)
		return error_set(error, EIO, "no");
	snprintf(sent, sizeof(sent), "%.*s", (int)length, text);
	return 0;
}

static int on_table(void *context, const json_t *updates, bool whole, struct error *error)
{
	char *text = json_dumps(updates, JSON_COMPACT | JSON_ENCODE_ANY);
	size_t used = strlen(tables);

	ck_assert_ptr_eq(context, &session);
	snprintf(tables + used, sizeof(tables) - used, "%c%s", whole ? 'w' : 'u',
	         text != NULL ? text : "-");
	free(text);
	return table_fails ? error_set(error, EDOM, "not liked") : 0;
}

static void begin(void)
{
	session_end(&session);
	session = (struct session){.send = on_send, .table = on_table, .context = &session};
	sent[0] = tables[0] = '\0';
	send_fails = table_fails = false;
	ck_assert_int_eq(session_begin(&session, &err), 0);
}

static int feed(const char *text)
{
	err = (struct error){0};
	int rc = session_feed(&session, text, strlen(text), &err);
	ck_assert_int_eq(rc, -err.code);
	ck_assert((rc == 0) == (err.text[0] == '\0'));
	return rc;
}

static void begin_live(void)
{
	begin();
	ck_assert_int_eq(feed("{\"id\":1,\"result\":{},\"error\":null}"), 0);
}

START_TEST(session_asks_and_is_told)
{
	json_t *request;

	begin();
	request = json_loads(sent, 0, NULL);
	ck_assert_ptr_nonnull(request);
	ck_assert_str_eq(json_string_value(json_object_get(request, "method")), "monitor");
	json_decref(request);

	ck_assert_int_eq(feed("{\"id\":1,\"error\":null,\"result\":{\"Interface\":"), 0);
	ck_assert(!session.live);
	ck_assert_int_eq(feed("{\"u\":{}}}}{\"id\":null,\"method\":\"update\",\"params\":"
	                      "[\"virtio-forwarder\",{\"x\":1}]}"),
	                 0);
	ck_assert(session.live);
	ck_assert_str_eq(tables, "w{\"Interface\":{\"u\":{}}}u{\"x\":1}");
	ck_assert_int_eq(feed("{\"method\":\"locked\",\"params\":[],\"id\":null}"), 0);
	session_end(&session);
	ck_assert(!session.live);
}
END_TEST

START_TEST(session_answers_echoes)
{
	begin();
	ck_assert_int_eq(feed("{\"id\":\"echo\",\"method\":\"echo\",\"params\":[1,\"a\"]}"), 0);
	ck_assert_str_eq(sent, "{\"id\":\"echo\",\"result\":[1,\"a\"],\"error\":null}");
	ck_assert_int_eq(feed("{\"method\":\"echo\"}"), 0);
	ck_assert_str_eq(sent, "{\"id\":null,\"result\":null,\"error\":null}");

	char big[8192];
	snprintf(big, sizeof(big), "{\"method\":\"echo\",\"id\":0,\"params\":[\"%06000d\"]}", 0);
	ck_assert_int_eq(feed(big), -EPROTO);
	send_fails = true;
	ck_assert_int_eq(feed("{\"method\":\"echo\",\"id\":0,\"params\":[]}"), -EIO);
	session_end(&session);
	ck_assert_int_eq(session_begin(&session, &err), -EIO);
}
END_TEST

START_TEST(session_ends_on_nonsense)
{
	static const char *const before[] = {
	        "x",
	        "{x}",
	        "{}",
	        "{\"id\":2,\"result\":{}}",
	        "{\"id\":\"1\",\"result\":{}}",
	        "{\"method\":\"update\",\"params\":[\"virtio-forwarder\",{}]}",
	        "{\"id\":1,\"error\":\"no\"}",
	        "{\"id\":1,\"error\":{\"error\":1}}",
	        "{\"a\":\"\\u0000\"}",
	        "{\"a\":\"\xff\"}"};
	static const char *const after[] = {
	        "{\"id\":1,\"result\":{},\"error\":null}",
	        "{\"method\":\"update\",\"params\":{}}",
	        "{\"method\":\"update\",\"params\":[\"other\",{}]}",
	        "{\"method\":\"update\"}",
	        "{\"method\":\"monitor_canceled\",\"params\":[\"virtio-forwarder\"]}",
	        "{\"method\":1}"};

	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		begin();
		ck_assert_int_lt(feed(before[i]), 0);
		ck_assert_str_eq(tables, "");
	}
	for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
		begin_live();
		ck_assert_int_lt(feed(after[i]), 0);
		ck_assert_str_eq(tables, "w{}");
	}
	begin();
	ck_assert_int_lt(feed("{\"id\":1,\"result\":null,\"error\":{\"error\":\"unknown database\","
	                      "\"details\":\"no Open_vSwitch\"}}"),
	                 0);
	ck_assert(strstr(err.text, "unknown database no Open_vSwitch") != NULL);
	begin();
	table_fails = true;
	ck_assert_int_eq(feed("{\"id\":1,\"result\":{}}"), -EDOM);
	ck_assert(!session.live);

	/* Deeper than any parser should follow. */
	begin();
	for (int i = 0; i < 5000; i++)
		ck_assert_int_eq(feed("{\"a\":"), 0);
	ck_assert_int_eq(feed("1"), 0);
	for (int i = 0; i < 4999; i++)
		ck_assert_int_eq(feed("}"), 0);
	ck_assert_int_eq(feed("}"), -EPROTO);
	session_end(&session);
}
END_TEST

static void set_up(void)
{
	log_set_level(LOG_EMERG);
	verdict = 0;
}

static void tear_down(void)
{
	session_end(&session);
}

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, frames_come_in_any_pieces);
	tcase_add_test(tcase, frames_are_objects);
	tcase_add_test(tcase, frames_have_an_end);
	tcase_add_test(tcase, frames_stop_where_told);
	tcase_add_test(tcase, session_asks_and_is_told);
	tcase_add_test(tcase, session_answers_echoes);
	tcase_add_test(tcase, session_ends_on_nonsense);
	return suite_main("ovsdb_session", tcase);
}
