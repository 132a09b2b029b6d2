/* Sockets to meet front ends at: one that we serve, or one of theirs that we connect to. The name
 * of one that we serve is not looked after here, nor taken away (see sys/socket_name.h). No state,
 * any thread.
 */
#ifndef VHOST_LISTENER_H
#define VHOST_LISTENER_H

#include <sys/types.h>

#include "base/error.h"

/* A socket that listens at path, with its mode 0660 and its owner; a stale one in its place goes.
 * Looks at the file system, which may take long. The descriptor, or -errno with err: EADDRINUSE
 * when somebody serves the path, EEXIST when a foreign file is there. */
int listener_open(const char *path, uid_t owner, gid_t group, struct error *err);

/* A connection to whoever serves path; it may have to wait to be taken there. The descriptor, or
 * -errno. */
int listener_connect(const char *path);

#endif
