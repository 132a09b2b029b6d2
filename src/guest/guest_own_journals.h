/* The journals of our guests' packed rings (virtqueue/journal.h), in a file that is mapped: so the
 * next daemon finds them however this one ends. The file has to be in memory (tmpfs), or writing
 * to it could wait for a disk. Guest thread.
 */
#ifndef GUEST_OWN_JOURNALS_H
#define GUEST_OWN_JOURNALS_H

#include "virtqueue/journal.h"

/* Below the directory (the pid file's), or none if that is NULL. Whatever is against it is logged,
 * and then packed rings cannot be taken up after a kill. Once. */
void own_journals_open(const char *directory);

/* Another kind of guest end serves the rings, and notes nothing: what is kept there is no use any
 * more. */
void own_journals_discard(const char *directory);

/* The relay's, one for each ring; NULL = there are none. They live as long as the process. */
struct journal *own_journals_of(unsigned relay_id);

#endif
