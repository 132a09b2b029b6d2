/* Files of front ends that are mapped here may lose pages at any moment: truncated, or with a hole
 * punched into them, or on a hugetlbfs that has no page left. Whoever then touches them, a worker
 * above all, gets a SIGBUS. One handler for the process puts pages of zeroes in the place of the
 * whole mapping, notes that this guest's memory is lost, and returns: the copy that was under way
 * goes on, and the guest's session ends. No burst pays for it.
 *
 * Mappings are added and removed by one thread at a time per slot of the table (the protocol
 * thread); the handler runs on any thread, at any moment, and takes no lock.
 */
#ifndef VHOST_SIGBUS_H
#define VHOST_SIGBUS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Before anything is mapped. What is no guest's is left to the handler that was there before, and
 * to those that others install from then on, by sigaction: ours stays, whatever they believe. 0 or
 * -errno. */
int sigbus_install(void);

/* The mapping of length bytes at start is a front end's: *lost becomes true when a page of it is
 * not there. lost outlives the mapping's place in the table. 0, or -ENOSPC when the table is full.
 * Goes before the first access, and works without sigbus_install (for tests of what has no
 * signals). */
int sigbus_add(void *start, size_t length, _Atomic bool *lost);

/* Before munmap, when nobody touches it any more. Harmless when it was not added. */
void sigbus_remove(const void *start);

#endif
