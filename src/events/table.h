/* Which events there are, and what each may say: constant data, see events.h.
 */
#ifndef EVENTS_TABLE_H
#define EVENTS_TABLE_H

enum event_id {
	EVENT_GUEST_CONNECTED,
	EVENT_GUEST_GONE,
	EVENT_DRIVER_READY,
	EVENT_DRIVER_RESET,
	EVENT_QUEUES_CHANGED,
	EVENT_QUEUE_STOPPED,
	EVENT_FRONT_END_REFUSED,
	EVENT_VF_ATTACHED,
	EVENT_VF_FAILED,
	EVENT_VF_LOST,
	EVENT_VF_REMOVED,
	EVENT_VF_RESET,
	EVENT_MEMBER_LOST,
	EVENT_MEMBER_BACK,
	EVENT_LINK_UP,
	EVENT_LINK_DOWN,
	EVENT_INTERFACE_UP,
	EVENT_INTERFACE_DOWN,
	EVENT_LANE_MOVED,
	EVENT_RELAY_ADDED,
	EVENT_RELAY_REMOVED,
	EVENT_STATE_NOT_SAVED,
	EVENT_STATE_SAVED,
	EVENT_STATE_UNUSABLE,
	EVENT_SETTING_CHANGED,
	EVENTS, /* how many there are */
};

/* What an event may say besides. */
enum event_field {
	EVENT_FIELD_NONE, /* ends a list of values */
	EVENT_FIELD_DEVICE,
	EVENT_FIELD_SOCKET,
	EVENT_FIELD_REASON,
	EVENT_FIELD_FEATURES,
	EVENT_FIELD_RX_QUEUES,
	EVENT_FIELD_TX_QUEUES,
	EVENT_FIELD_QUEUE,
	EVENT_FIELD_QUEUES,
	EVENT_FIELD_MTU,
	EVENT_FIELD_NUMA_NODE,
	EVENT_FIELD_MEMBER,
	EVENT_FIELD_INTERFACE,
	EVENT_FIELD_DIRECTION,
	EVENT_FIELD_FROM_CPU,
	EVENT_FIELD_TO_CPU,
	EVENT_FIELD_PATH,
	EVENT_FIELD_SETTING,
	EVENT_FIELD_BEFORE,
	EVENT_FIELD_NOW,
	EVENT_FIELD_BY,
	EVENT_FIELDS,
};

/* Most values of one event. */
#define EVENT_VALUES_MAX 6

/* A row of the table. */
struct event_kind {
	const char *name;       /* "vf-lost": stays what it is for ever */
	const char *message_id; /* journald's: 32 hexadecimal digits, likewise */
	int severity;           /* syslog's */
	enum event_field fields[EVENT_VALUES_MAX + 1];
	const char *help; /* when it is told */
};

enum event_form { EVENT_TEXT, EVENT_NUMBER, EVENT_BITS };

/* A row of the table of fields. */
struct event_field_kind {
	const char *name; /* in messages and JSON; journald has it as VIO4WD_NAME */
	enum event_form form;
	const char *help;
};

extern const struct event_kind event_table[EVENTS];
extern const struct event_field_kind event_field_table[EVENT_FIELDS]; /* from 1 on */

#endif
