/* The directory of the guests' sockets: made, and given to those who are to make sockets in it or
 * to reach them. It may be anybody's path (/tmp, /run, another program's directory), so nothing is
 * given away that holds more than sockets, and no link at the path's end is followed. Any thread.
 */
#ifndef SYS_SOCKET_DIR_H
#define SYS_SOCKET_DIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct socket_dir_users {
	uid_t owner;        /* (uid_t)-1: as it is */
	gid_t group;        /* (gid_t)-1: as it is */
	gid_t group_if_new; /* of a directory that has to be made; (gid_t)-1: the process's own */
	bool group_writes;  /* the group is to make sockets there, not only to reach them */
};

enum socket_dir_result {
	SOCKET_DIR_READY,   /* it is there, and theirs as far as users names any */
	SOCKET_DIR_FOREIGN, /* it is there, and was left as it is: it is not for sockets alone */
};

/* Makes the directory, and its parents (mode 0755), and gives it to users. Returns a
 * socket_dir_result, or -errno with err. */
int socket_dir_prepare(const char *path, const struct socket_dir_users *users, struct error *err);

/* Whether the directory at path holds nothing but sockets, and is not shared by all (as /tmp is):
 * then socket_dir_prepare gives it away. False when there is none. */
bool socket_dir_is_for_sockets(const char *path);

#endif
