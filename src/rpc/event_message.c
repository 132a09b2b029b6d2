/* Events as messages. See event_message.h. The message has a field of the same name for each row of
 * the table of fields.
 */
#include "rpc/event_message.h"

#include <stdio.h>

#include "base/log.h"
#include "base/text.h"

static char *text_copy(char out[EVENT_MESSAGE_TEXT_MAX], const char *text)
{
	snprintf(out, EVENT_MESSAGE_TEXT_MAX, "%s", text != NULL ? text : "");
	text_make_utf8(out);
	return out;
}

static void value_set(Virtioforwarder__Event *message, const struct event_value *value,
                      char text[EVENT_MESSAGE_TEXT_MAX])
{
	const struct event_field_kind *kind = &event_field_table[value->field];
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(
	        &virtioforwarder__event__descriptor, kind->name);
	ProtobufCType type =
	        kind->form == EVENT_TEXT ? PROTOBUF_C_TYPE_STRING : PROTOBUF_C_TYPE_INT64;
	char *base = (char *)message;

	if (field == NULL || field->type != type) {
		log_debug("the message Event has no field %s", kind->name);
		return;
	}
	if (kind->form == EVENT_TEXT) {
		*(char **)(base + field->offset) = text_copy(text, value->text);
		return;
	}
	*(int64_t *)(base + field->offset) = value->number;
	*(protobuf_c_boolean *)(base + field->quantifier_offset) = true;
}

void event_message_make(const struct event *event, uint64_t missed, struct event_message *out)
{
	Virtioforwarder__Event *message = &out->message;

	*message = (Virtioforwarder__Event)VIRTIOFORWARDER__EVENT__INIT;
	message->sequence = event->sequence;
	message->time_us = event->time_us;
	message->name = (char *)event_table[event->id].name;
	message->severity = (uint32_t)event_table[event->id].severity;
	message->text = text_copy(out->texts[EVENT_VALUES_MAX], event->log_line);
	message->has_missed = missed > 0;
	message->missed = missed;
	message->has_relay = event->relay != EVENT_NO_RELAY;
	message->relay = message->has_relay ? (uint32_t)event->relay : 0;
	for (unsigned i = 0; i < EVENT_VALUES_MAX; i++) {
		if (event->values[i].field == EVENT_FIELD_NONE)
			break;
		value_set(message, &event->values[i], out->texts[i]);
	}
}
