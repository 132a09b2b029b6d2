/* Who a front end is, so that a daemon that comes after us knows whether it is the same one. Any
 * thread; no state.
 */
#ifndef VHOST_FRONT_END_H
#define VHOST_FRONT_END_H

#include <stdint.h>

/* A number for the process at the other end of that socket, the same as long as it lives, and most
 * probably no other's since the machine was started. 0: it is not known. */
uint64_t front_end_of(int fd);

#endif
