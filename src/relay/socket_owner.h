/* Whose the guests' sockets and their directory are, by the configuration. Control thread, at the
 * start.
 */
#ifndef RELAY_SOCKET_OWNER_H
#define RELAY_SOCKET_OWNER_H

#include <sys/types.h>

#include "base/error.h"
#include "config/config.h"

/* The configured owner and group, -1 where there is none. One that does not exist is an error where
 * sockets are served from the start; where QEMU serves, or clients name the sockets, it is warned
 * about, and counts as none. 0 or -errno with err. */
int socket_owner_find(const struct config *config, uid_t *owner, gid_t *group, struct error *err);

/* Makes the configured directory and gives it to them. Where the daemon needs no directory (QEMU
 * serves, or clients name the sockets) a failure is warned about. 0 or -errno with err. */
int socket_owner_prepare_directory(const struct config *config, uid_t owner, gid_t group,
                                   struct error *err);

#endif
