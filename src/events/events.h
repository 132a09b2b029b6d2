/* Events: what happens to relays, told once to whoever wants to know. One table says of each what
 * it is called, how severe it is and which fields it has; the log's line, journald's fields, the
 * message of the events endpoint and the manual's list all follow from it.
 *
 * Events are told on the control thread. Other threads post theirs (posted.h), and the control
 * thread tells them. Stands low in the house: whoever passes them on registers itself as listener.
 */
#ifndef EVENTS_EVENTS_H
#define EVENTS_EVENTS_H

#include <stdint.h>

#include "base/log.h"
#include "events/table.h"

struct event_value {
	enum event_field field;
	int64_t number; /* of EVENT_NUMBER, and EVENT_BITS, which people read in hexadecimal */
	const char *text;
};

#define EVENT_NO_RELAY (-1)

#define EVENT_UNLIMITED ((struct log_limit *)0) /* all of them are logged */

struct event {
	enum event_id id;
	int relay; /* 0 … 63, or EVENT_NO_RELAY */
	/* Those of its row, as far as they are known. Ended by EVENT_FIELD_NONE, unless full. */
	struct event_value values[EVENT_VALUES_MAX];
	/* What follows is events_tell's to fill in. */
	uint64_t sequence;    /* 1, 2, …: of this process */
	uint64_t time_us;     /* since the epoch */
	const char *log_line; /* valid during the call only, as all texts are */
};

/* Tells the event: to the log, with the line that format makes, unless limit (EVENT_UNLIMITED:
 * none) has it left out; and to the listener, in any case. Control thread. */
void events_tell(const struct event *event, struct log_limit *limit, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Who hears of events from now on, one at a time; NULL: nobody. Must not block, nor tell events.
 * Control thread. */
typedef void event_listen_fn(void *context, const struct event *event);
void events_listen(event_listen_fn *listen, void *context);

#endif
