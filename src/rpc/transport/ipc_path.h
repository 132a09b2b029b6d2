/* The path of an ipc endpoint, from the right to use it to its removal. libzmq alone would take a
 * path from under another process that serves it, without a word, and would leave its permissions
 * to the umask; so the listening socket is made here and handed to libzmq ready.
 * A struct ipc_path belongs to the endpoint that claimed it.
 */
#ifndef RPC_TRANSPORT_IPC_PATH_H
#define RPC_TRANSPORT_IPC_PATH_H

#include <sys/types.h>
#include <sys/un.h>

#include "base/error.h"

#define IPC_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path)) /* the NUL included */

struct ipc_path {
	char path[IPC_PATH_MAX]; /* "" = not claimed */
	char lock_path[IPC_PATH_MAX + sizeof(".lock")];
	int lock_fd; /* held as long as the path is ours */
};

/* Makes the parent directory if it is missing, locks the path against other instances, replaces
 * a socket that nobody serves any more. Returns a listening socket that does not block, or -errno
 * with err telling what to do. The path is for its owner, and for the group if one is given. */
int ipc_path_listen(struct ipc_path *ipc, const char *path, const gid_t *group, struct error *err);

/* Removes the path, then gives up the claim. Harmless when nothing is claimed. */
void ipc_path_release(struct ipc_path *ipc);

#endif
