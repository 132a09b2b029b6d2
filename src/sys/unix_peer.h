/* What is at the path of a socket that somebody else is to serve, without connecting to it: that
 * would take the place of whoever is to connect. Who listens is asked of the kernel (unix_diag),
 * which tells of this network namespace only. Looking at files may take long where a file system
 * hangs: not on the control thread. No state.
 */
#ifndef SYS_UNIX_PEER_H
#define SYS_UNIX_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum unix_peer {
	UNIX_PEER_LISTENS,   /* and takes those who come */
	UNIX_PEER_NOTHING,   /* no such file */
	UNIX_PEER_BUSY,      /* listens, and somebody waits to be taken */
	UNIX_PEER_STALE,     /* a socket that nobody here listens at */
	UNIX_PEER_CLOSED,    /* we may not connect to it */
	UNIX_PEER_DIRECTORY, /* is there instead */
	UNIX_PEER_FILE,      /* that is no socket */
	UNIX_PEER_UNKNOWN,   /* it cannot be looked at */
};
#define UNIX_PEERS 8

struct unix_listener {
	uint32_t device, inode; /* of its file, as the kernel has them */
	uint32_t waiting;       /* connections that it has not taken yet */
};

/* All that listen at a file; an array to be freed. NULL when there are none, or they are not known.
 */
struct unix_listener *unix_listeners_read(size_t *count);

/* What the kernel says in one datagram: adds to *list. 1: there is more to come, 0: that was the
 * end, or -errno. */
int unix_listeners_parse(const void *message, size_t len, struct unix_listener **list,
                         size_t *count);

enum unix_peer unix_peer_look(const char *path, const struct unix_listener *listeners,
                              size_t count);

#endif
