/* Hears of the machine's network interfaces: one that comes up, goes down, or whose settings (its
 * VFs' among them) are changed, and one that goes. The kernel drops events when thousands wait to
 * be read, and says so without saying which. One thread.
 */
#ifndef SYS_LINK_WATCH_H
#define SYS_LINK_WATCH_H

#include <stdbool.h>
#include <stddef.h>

struct link_event {
	bool some_lost;   /* events went unheard, and nothing else is known: ask for all again */
	unsigned ifindex; /* unless some_lost */
	bool up;          /* likewise; by its administrator's will: IFF_UP, not its carrier */
	bool gone;        /* likewise; it is not here any more … */
	bool moved;       /* … since it is in another network namespace now */
};

/* A descriptor that is readable while there are events, to be closed by the caller; or -errno. */
int link_watch_open(void);

/* The next event: 1, 0 (none is left), or -errno. Never blocks. */
int link_watch_next(int fd, struct link_event *event);

/* One of the kernel's messages (for tests): whether it tells of an interface. */
bool link_watch_parse(const void *message, size_t len, struct link_event *event);

#endif
