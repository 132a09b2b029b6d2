/* Events of other threads: they post, the control thread tells. The queue is short, and what does
 * not fit is counted: a guest can provoke these as fast as it likes.
 */
#ifndef EVENTS_POSTED_H
#define EVENTS_POSTED_H

#include "events/events.h"

#define POSTED_MAX       32 /* that wait */
#define POSTED_RELAY_MAX 8  /* of one relay's, lest it crowd out the others' */

/* From now on what is posted waits for posted_tell, which is due when the descriptor is readable.
 * Returns the descriptor, or -errno. Control thread. */
int posted_open(void);
/* Posts are told by whoever posts them again. Control thread. */
void posted_close(void);

/* Tells what has been posted. Control thread. */
void posted_tell(void);

/* event as for events_tell; its texts are copied. The limit lives as long as the process. Without
 * posted_open the line goes straight into the log. Any thread but workers; does not block. */
void events_post(const struct event *event, struct log_limit *limit, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

#endif
