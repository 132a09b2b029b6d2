/* The path of an endpoint's unix socket, from the right to use it to its removal. libzmq alone
 * would take a path from under another process that serves it, without a word, and would leave its
 * permissions to the umask; so the listening socket is made here and handed over ready.
 * A struct ipc_path belongs to the endpoint that claimed it.
 */
#ifndef SYS_IPC_PATH_H
#define SYS_IPC_PATH_H

#include <sys/types.h>
#include <sys/un.h>

#include "base/error.h"
#include "sys/socket_name.h"

#define IPC_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path)) /* the NUL included */

struct ipc_path {
	char path[IPC_PATH_MAX]; /* "" = not claimed */
	char lock_path[IPC_PATH_MAX + sizeof(".lock")];
	int lock_fd; /* held as long as the path is ours */
	int lock_rc; /* how the lock file was when it was looked at last, as pid_file_keep says */
	struct socket_name name;
	bool has_group;
	gid_t group;                 /* who may use the path, besides its owner */
	enum socket_name_state told; /* what was said last about the path … */
	int told_code;               /* … and of SOCKET_NAME_FAILED, why */
};

/* Makes the parent directory if it is missing, locks the path against other instances, replaces
 * a socket that nobody serves any more. Returns a listening socket that does not block, or -errno
 * with err telling what to do. The path is for its owner, and for the group if one is given. */
int ipc_path_listen(struct ipc_path *ipc, const char *path, const gid_t *group, struct error *err);

/* Looks whether the path and its lock file are still there, and mends what can be; what concerns
 * the lock file is warned about. err is filled with SOCKET_NAME_FAILED. */
enum socket_name_state ipc_path_look(struct ipc_path *ipc, struct error *err);

/* When that has found the path SOCKET_NAME_LOST: a new listening socket at it, or -errno with err.
 * The one before it serves whoever is connected. */
int ipc_path_listen_anew(struct ipc_path *ipc, struct error *err);

/* Warns of what a look has found, unless that was said last time. scheme is what stands before the
 * path in the endpoint's address; err is read with SOCKET_NAME_FAILED. */
void ipc_path_tell(struct ipc_path *ipc, const char *scheme, enum socket_name_state state,
                   const struct error *err);

/* Removes the path, then gives up the claim. Harmless when nothing is claimed. */
void ipc_path_release(struct ipc_path *ipc);

#endif
