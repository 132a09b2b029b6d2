/* Paths of unix sockets as clients give them: whether one may be used, and whether two mean the
 * same socket. Any thread.
 */
#ifndef SYS_SOCKET_PATH_H
#define SYS_SOCKET_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* A path for a socket of ours: absolute, shorter than size bytes, in a directory that is there, and
 * with nothing but a socket in its place, if anything. 0 or -errno with err. Looks only: whether
 * somebody serves a socket that is there is another question. */
int socket_path_check(const char *path, size_t size, struct error *err);

/* The same name in the same directory, however that is written. Absolute paths only: ours is
 * nobody else's current directory. */
bool socket_path_same(const char *a, const char *b);

#endif
