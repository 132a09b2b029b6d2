/* Events as messages. Pure, but for the log when a field is missing, which a test rules out.
 */
#ifndef RPC_EVENT_MESSAGE_H
#define RPC_EVENT_MESSAGE_H

#include "events/events.h"
#include "virtioforwarder.pb-c.h"

/* out borrows the event's texts, which are made UTF-8 in place in spare where they are not. */
#define EVENT_MESSAGE_TEXT_MAX 1024

struct event_message {
	Virtioforwarder__Event message;
	char texts[EVENT_VALUES_MAX + 1][EVENT_MESSAGE_TEXT_MAX]; /* that it points to */
};

/* missed: as the message's field. */
void event_message_make(const struct event *event, uint64_t missed, struct event_message *out);

#endif
