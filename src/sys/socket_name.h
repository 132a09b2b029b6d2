/* The name of a socket that we serve, while we serve it. Others may take it away (whoever tidies
 * /tmp), and put files of theirs in its place. A socket that has lost its last name can have none
 * any more, and needs a successor; so one that is in use has a hidden second name beside the
 * first, by which it gets that back. What is somebody else's is never touched.
 *
 * A struct socket_name is one thread's at a time, and holds nothing when zero-initialised.
 */
#ifndef SYS_SOCKET_NAME_H
#define SYS_SOCKET_NAME_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/error.h"

#define SOCKET_NAME_MAX        (sizeof(((struct sockaddr_un *)0)->sun_path)) /* the NUL included */
#define SOCKET_NAME_HIDDEN_MAX (SOCKET_NAME_MAX + sizeof("..other"))

enum socket_name_state {
	SOCKET_NAME_WELL,   /* it is there */
	SOCKET_NAME_TAKEN,  /* something of somebody else's is there */
	SOCKET_NAME_GONE,   /* nothing is there, and the socket can have its name back */
	SOCKET_NAME_LOST,   /* nothing is there, and only another socket could be */
	SOCKET_NAME_MENDED, /* it was gone, and is there again */
	SOCKET_NAME_FAILED, /* it is gone, and cannot be there now */
};

struct socket_name {
	bool held;
	char path[SOCKET_NAME_MAX];
	char spare[SOCKET_NAME_HIDDEN_MAX]; /* the second name, whether it is there or not */
	int fd;                             /* O_PATH: the socket, however it is called */
	bool makes_directory;               /* one that is missing is ours to make … */
	struct stat directory;              /* … with this one's owner and mode */
};

/* After bind: the socket at path is ours. makes_directory: should its directory go, it is made
 * anew. 0 or -errno; -EEXIST when no socket is there. */
int socket_name_hold(struct socket_name *name, const char *path, bool makes_directory);

/* Looks, and mends what can be: MENDED, rather than GONE, is the answer then. in_use: the socket
 * has a second name from now on, or has none. err is filled with FAILED. LOST also when nothing is
 * held. Then, as far as that is possible, the directory is there. */
enum socket_name_state socket_name_look(struct socket_name *name, bool in_use, struct error *err);

/* What a look finds: the socket's own state, and what stands at its path, or NULL. */
enum socket_name_state socket_name_judge(const struct stat *held, const struct stat *there);

/* Takes away what is still ours; the socket has no name then. Harmless when nothing is held. */
void socket_name_unlink(const struct socket_name *name);
/* The same, and lets go. */
void socket_name_remove(struct socket_name *name);

/* Around a call that unlinks the path whatever stands there: what is somebody else's stands aside
 * for that moment, and is back then. */
void socket_name_guard(const struct socket_name *name);
void socket_name_unguard(const struct socket_name *name);

#endif
