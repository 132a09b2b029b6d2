/* Events: the tables hold together, the listener hears of each with its number and time, posts of
 * other threads are told in order and within their bounds, and doc/events.md lists what there is.
 *
 * TSAN: posts of several threads
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "events/events.h"
#include "events/posted.h"
#include "project_file.h"
#include "rpc/event_message.h"
#include "suite.h"

#define SEEN_MAX 64

static struct {
	struct event events[SEEN_MAX];
	char lines[SEEN_MAX][128], texts[SEEN_MAX][128];
	unsigned n;
} seen;

static void on_event(void *context, const struct event *event)
{
	ck_assert_ptr_eq(context, &seen);
	ck_assert_uint_lt(seen.n, SEEN_MAX);
	seen.events[seen.n] = *event;
	snprintf(seen.lines[seen.n], sizeof(seen.lines[0]), "%s", event->log_line);
	snprintf(seen.texts[seen.n], sizeof(seen.texts[0]), "%s",
	         event->values[0].text != NULL ? event->values[0].text : "");
	seen.n++;
}

static void set_up(void)
{
	memset(&seen, 0, sizeof(seen));
	log_set_level(LOG_EMERG);
	events_listen(on_event, &seen);
}

static void tear_down(void)
{
	events_listen(NULL, NULL);
	posted_close();
}

static bool is_name(const char *text, char joint)
{
	for (; *text != '\0'; text++)
		if ((*text < 'a' || *text > 'z') && *text != joint)
			return false;
	return true;
}

START_TEST(the_tables_hold_together)
{
	for (unsigned i = 0; i < EVENTS; i++) {
		const struct event_kind *kind = &event_table[i];

		ck_assert_ptr_nonnull(kind->name);
		ck_assert(is_name(kind->name, '-'));
		ck_assert_uint_eq(strlen(kind->message_id), 32);
		ck_assert_uint_eq(strspn(kind->message_id, "0123456789abcdef"), 32);
		ck_assert(kind->severity >= LOG_ERR && kind->severity <= LOG_INFO);
		ck_assert_ptr_nonnull(kind->help);
		ck_assert_int_eq(kind->fields[EVENT_VALUES_MAX], EVENT_FIELD_NONE);
		for (unsigned j = 0; j < i; j++) {
			ck_assert_str_ne(kind->name, event_table[j].name);
			ck_assert_str_ne(kind->message_id, event_table[j].message_id);
		}
	}
	for (unsigned i = 1; i < EVENT_FIELDS; i++) {
		ck_assert_ptr_nonnull(event_field_table[i].name);
		ck_assert(is_name(event_field_table[i].name, '_'));
		ck_assert_ptr_nonnull(event_field_table[i].help);
	}
}
END_TEST

START_TEST(the_listener_hears_of_each)
{
	struct log_limit none = LOG_LIMIT(60000, 0);

	for (int i = 0; i < 3; i++)
		events_tell(&(struct event){.id = EVENT_VF_LOST,
		                            .relay = i,
		                            .values = {{EVENT_FIELD_DEVICE, 0, "net_null1"}}},
		            &none, "relay %d: it is lost", i);
	ck_assert_uint_eq(seen.n, 3);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(seen.events[i].relay, (int)i);
		ck_assert_uint_eq(seen.events[i].sequence, seen.events[0].sequence + i);
		ck_assert_uint_ge(seen.events[i].time_us, UINT64_C(1600000000000000));
	}
	ck_assert_str_eq(seen.lines[2], "relay 2: it is lost");
	ck_assert_str_eq(seen.texts[2], "net_null1");
	events_listen(NULL, NULL);
	events_tell(&(struct event){.id = EVENT_VF_LOST, .relay = 0}, NULL, "nobody hears");
	ck_assert_uint_eq(seen.n, 3);
}
END_TEST

/* --- posts ----------------------------------------------------------------------------------- */

static void post(int relay, unsigned number)
{
	char reason[32];

	snprintf(reason, sizeof(reason), "reason %u", number);
	events_post(&(struct event){.id = EVENT_QUEUE_STOPPED,
	                            .relay = relay,
	                            .values = {{EVENT_FIELD_REASON, 0, reason},
	                                       {EVENT_FIELD_QUEUE, number, NULL}}},
	            NULL, "line %u", number);
}

START_TEST(posts_are_told_in_order)
{
	ck_assert_int_ge(posted_open(), 0);
	for (unsigned i = 0; i < 5; i++)
		post(7, i);
	ck_assert_uint_eq(seen.n, 0);
	posted_tell();
	ck_assert_uint_eq(seen.n, 5);
	ck_assert_str_eq(seen.lines[4], "line 4");
	ck_assert_str_eq(seen.texts[4], "reason 4");
	ck_assert_int_eq(seen.events[4].values[1].number, 4);
	posted_tell();
	ck_assert_uint_eq(seen.n, 5);
}
END_TEST

START_TEST(one_relay_does_not_crowd_out_others)
{
	ck_assert_int_ge(posted_open(), 0);
	for (unsigned i = 0; i < 100; i++)
		post(7, i);
	post(8, 1000);
	posted_tell();
	ck_assert_uint_eq(seen.n, POSTED_RELAY_MAX + 1);
	ck_assert_str_eq(seen.lines[POSTED_RELAY_MAX], "line 1000");
	for (int relay = 0; relay < 64; relay++)
		post(relay, 1);
	posted_tell();
	ck_assert_uint_eq(seen.n, POSTED_RELAY_MAX + 1 + POSTED_MAX);
	post(7, 2); /* there is room again */
	posted_tell();
	ck_assert_str_eq(seen.lines[seen.n - 1], "line 2");
}
END_TEST

/* As in a daemon that has no control thread yet, or none any more. */
START_TEST(without_a_taker_posts_go_to_the_log)
{
	post(7, 1);
	posted_tell();
	ck_assert_uint_eq(seen.n, 0);
}
END_TEST

static void *post_many(void *unused)
{
	for (unsigned i = 0; i < 1000; i++)
		post((int)(i % 64), i);
	return unused;
}

START_TEST(threads_may_post_at_the_same_time)
{
	pthread_t threads[2];

	ck_assert_int_ge(posted_open(), 0);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, post_many, NULL), 0);
	for (unsigned i = 0; i < 100; i++) {
		seen.n = 0;
		posted_tell();
		ck_assert_uint_le(seen.n, POSTED_MAX);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

/* --- the message ------------------------------------------------------------------------------ */

START_TEST(each_field_has_its_place_in_the_message)
{
	for (unsigned i = 1; i < EVENT_FIELDS; i++) {
		const struct event_field_kind *kind = &event_field_table[i];
		const ProtobufCFieldDescriptor *field =
		        protobuf_c_message_descriptor_get_field_by_name(
		                &virtioforwarder__event__descriptor, kind->name);

		ck_assert_msg(field != NULL, "the message has no field %s", kind->name);
		ck_assert_int_eq(field->label, PROTOBUF_C_LABEL_OPTIONAL);
		ck_assert_int_eq(field->type, kind->form == EVENT_TEXT ? PROTOBUF_C_TYPE_STRING
		                                                       : PROTOBUF_C_TYPE_INT64);
	}
}
END_TEST

START_TEST(messages_come_back_as_they_went)
{
	const struct event event = {.id = EVENT_DRIVER_READY,
	                            .relay = 63,
	                            .values = {{EVENT_FIELD_SOCKET, 0, "/tmp/\xff"},
	                                       {EVENT_FIELD_FEATURES, 0x7fffffffffff, NULL},
	                                       {EVENT_FIELD_NUMA_NODE, -1, NULL}},
	                            .sequence = 5,
	                            .time_us = 6,
	                            .log_line = "a line"};
	struct event_message made;
	uint8_t bytes[1024];
	Virtioforwarder__Event *back;
	size_t size;

	event_message_make(&event, 9, &made);
	size = virtioforwarder__event__pack(&made.message, bytes);
	back = virtioforwarder__event__unpack(NULL, size, bytes);
	ck_assert_ptr_nonnull(back);
	ck_assert_str_eq(back->name, "driver-ready");
	ck_assert_str_eq(back->text, "a line");
	ck_assert(back->has_relay && back->relay == 63);
	ck_assert(back->has_missed && back->missed == 9);
	ck_assert(back->sequence == 5 && back->time_us == 6 && back->severity == LOG_NOTICE);
	ck_assert(back->has_features && back->features == 0x7fffffffffff);
	ck_assert(back->has_numa_node && back->numa_node == -1);
	ck_assert(!back->has_queue && back->device == NULL);
	ck_assert(strncmp(back->socket, "/tmp/", 5) == 0 && strchr(back->socket, '\xff') == NULL);
	virtioforwarder__event__free_unpacked(back, NULL);
}
END_TEST

/* --- the document ------------------------------------------------------------------------------
 */

static const char *severity_name(int severity)
{
	static const char *const names[] = {"emerg",   "alert",  "crit", "err",
	                                    "warning", "notice", "info", "debug"};

	return names[severity & 7];
}

static void row_of_event(const struct event_kind *kind, char *out, size_t size)
{
	int len = snprintf(out, size, "| `%s` | %s | ", kind->name, severity_name(kind->severity));

	for (const enum event_field *field = kind->fields; *field != EVENT_FIELD_NONE; field++)
		len += snprintf(out + len, size - (size_t)len, "%s`%s`",
		                field == kind->fields ? "" : ", ", event_field_table[*field].name);
	snprintf(out + len, size - (size_t)len, " | %s | `%s` |\n", kind->help, kind->message_id);
}

START_TEST(the_document_lists_what_there_is)
{
	char *text = project_text("doc/events.md"), row[1024];

	for (unsigned i = 0; i < EVENTS; i++) {
		row_of_event(&event_table[i], row, sizeof(row));
		if (getenv("PRINT") != NULL) /* for whoever writes it */
			printf("%s", row);
		else
			ck_assert_msg(strstr(text, row) != NULL, "doc/events.md lacks %s", row);
	}
	for (unsigned i = 1; i < EVENT_FIELDS; i++) {
		static const char *const forms[] = {"text", "number", "bits"};
		const struct event_field_kind *kind = &event_field_table[i];

		snprintf(row, sizeof(row), "| `%s` | %s | %s |\n", kind->name, forms[kind->form],
		         kind->help);
		if (getenv("PRINT") != NULL) /* for whoever writes it */
			printf("%s", row);
		else
			ck_assert_msg(strstr(text, row) != NULL, "doc/events.md lacks %s", row);
	}
	free(text);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, the_tables_hold_together);
	tcase_add_test(tcase, the_listener_hears_of_each);
	tcase_add_test(tcase, posts_are_told_in_order);
	tcase_add_test(tcase, one_relay_does_not_crowd_out_others);
	tcase_add_test(tcase, without_a_taker_posts_go_to_the_log);
	tcase_add_test(tcase, threads_may_post_at_the_same_time);
	tcase_add_test(tcase, each_field_has_its_place_in_the_message);
	tcase_add_test(tcase, messages_come_back_as_they_went);
	tcase_add_test(tcase, the_document_lists_what_there_is);
	return suite_main("events", tcase);
}
