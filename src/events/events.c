/* Telling events. See events.h. File-scope state as the log's, and for the same reason: a listener
 * that had to be handed down to everybody would be the only argument of most of them. All of it is
 * the control thread's.
 */
#include "events/events.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TEXT_MAX      1024
#define NAME_MAX_TEXT 32
#define NUMBER_MAX    24

static struct {
	event_listen_fn *listen;
	void *context;
	uint64_t sequence; /* of the last one told */
} state;

void events_listen(event_listen_fn *listen, void *context)
{
	state.listen = listen;
	state.context = context;
}

/* --- the log's fields ---------------------------------------------------------------------- */

/* The log's fields of one event, and the texts that they point to. */
struct fields {
	struct log_field field[EVENT_VALUES_MAX + 4];
	char names[EVENT_VALUES_MAX][NAME_MAX_TEXT];
	char numbers[EVENT_VALUES_MAX + 2][NUMBER_MAX];
	unsigned n;
};

static void add(struct fields *fields, const char *name, const char *value)
{
	fields->field[fields->n++] = (struct log_field){.name = name, .value = value};
}

static void name_make(const char *name, char out[NAME_MAX_TEXT])
{
	snprintf(out, NAME_MAX_TEXT, "VIO4WD_%s", name);
	for (char *c = out; *c != '\0'; c++)
		*c = (char)toupper((unsigned char)*c);
}

static const char *value_make(const struct event_value *value, char number[NUMBER_MAX])
{
	switch (event_field_table[value->field].form) {
	case EVENT_TEXT:
		return value->text != NULL ? value->text : "";
	case EVENT_BITS:
		snprintf(number, NUMBER_MAX, "0x%" PRIx64, (uint64_t)value->number);
		return number;
	default:
		snprintf(number, NUMBER_MAX, "%" PRId64, value->number);
		return number;
	}
}

static void fields_make(const struct event *event, struct fields *out)
{
	char(*spare)[NUMBER_MAX] = &out->numbers[EVENT_VALUES_MAX];

	out->n = 0;
	add(out, "MESSAGE_ID", event_table[event->id].message_id);
	add(out, "VIO4WD_EVENT", event_table[event->id].name);
	snprintf(spare[0], NUMBER_MAX, "%" PRIu64, event->sequence);
	add(out, "VIO4WD_SEQUENCE", spare[0]);
	if (event->relay != EVENT_NO_RELAY) {
		snprintf(spare[1], NUMBER_MAX, "%d", event->relay);
		add(out, "VIO4WD_RELAY", spare[1]);
	}
	for (unsigned i = 0; i < EVENT_VALUES_MAX; i++) {
		const struct event_value *value = &event->values[i];

		if (value->field == EVENT_FIELD_NONE)
			break;
		name_make(event_field_table[value->field].name, out->names[i]);
		add(out, out->names[i], value_make(value, out->numbers[i]));
	}
}

/* --- telling ------------------------------------------------------------------------------- */

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void events_tell(const struct event *event, struct log_limit *limit, const char *format, ...)
{
	struct event told = *event;
	struct fields fields;
	char line[TEXT_MAX];
	va_list args;

	va_start(args, format);
	if (vsnprintf(line, sizeof(line), format, args) < 0)
		line[0] = '\0';
	va_end(args);
	told.sequence = ++state.sequence;
	told.time_us = now_us();
	told.log_line = line;
	fields_make(&told, &fields);
	log_write_fields(limit, event_table[told.id].severity, fields.field, fields.n, line);
	if (state.listen != NULL)
		state.listen(state.context, &told);
}
