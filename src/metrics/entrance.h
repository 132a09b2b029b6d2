/* Where clients of the metrics come in: a unix socket, of which path, permissions and credentials
 * are those of the ipc endpoints, or a port on the loopback. Control thread.
 */
#ifndef METRICS_ENTRANCE_H
#define METRICS_ENTRANCE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "sys/ipc_path.h"

struct entrance {
	int fd; /* listens, and does not block; -1: closed */
	bool is_unix;
	struct ipc_path ipc; /* with is_unix */
};

/* address is as config/address.h has it. group: who may use a unix socket, besides root and the
 * daemon's own user; or NULL. 0, or -errno with err; then there is nothing to close. */
int entrance_open(struct entrance *entrance, const char *address, const gid_t *group,
                  struct error *err);
/* Harmless when it is closed, or zero-initialised with fd -1. */
void entrance_close(struct entrance *entrance);

/* Looks whether the path is still there, and has it made anew when it is not. A descriptor when
 * there is a new one to accept at: the one before is the caller's to close then, after it has been
 * taken from the loop. Or -1. */
int entrance_look(struct entrance *entrance);

/* Whether whoever has connected may be here, whatever the path's mode has become. */
bool entrance_admits(const struct entrance *entrance, int fd);

#endif
