/* The files of unix sockets: what stands at a path, clearing a stale one away, giving a bound one
 * to its owner, making the directory. No function follows a link at the path's end, and none
 * removes what is not a socket that nobody serves. Any thread.
 */
#ifndef SYS_SOCKET_FILE_H
#define SYS_SOCKET_FILE_H

#include <sys/types.h>

#include "base/error.h"

enum socket_file_kind {
	SOCKET_FILE_NONE,    /* nothing there */
	SOCKET_FILE_STALE,   /* a socket that nobody serves any more */
	SOCKET_FILE_LIVE,    /* a socket that somebody serves */
	SOCKET_FILE_FOREIGN, /* a file of another sort, links included */
};

/* 0 and *kind, or -errno. To tell stale from live it connects, and hangs up at once. */
int socket_file_look(const char *path, enum socket_file_kind *kind);

/* Makes room for a new socket: removes a stale one. 0, or with err -EADDRINUSE (live), -EEXIST
 * (foreign) or another -errno. */
int socket_file_clear(const char *path, struct error *err);

/* Gives the socket at path its mode and its owner; (uid_t)-1 and (gid_t)-1 leave theirs.
 * 0 or -errno with err; -EEXIST when something else stands there. */
int socket_file_give(const char *path, uid_t owner, gid_t group, mode_t mode, struct error *err);

/* The directory and its parents, mode 0755 where they are missing. 0 or -errno with err. */
int socket_file_make_directory(const char *path, struct error *err);

#endif
