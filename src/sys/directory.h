/* The directory of a file of ours, which may be taken away with all that is in it. Any thread.
 */
#ifndef SYS_DIRECTORY_H
#define SYS_DIRECTORY_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/error.h"

/* How the directory of that path, which has a '/', is now. Left alone when it is not there. */
void directory_note(const char *path, struct stat *noted);

/* Makes the directory of that path as it was noted (with st_mode 0: as new), unless one is there.
 * ours: it is ours to make; else it is only missed. 0 or -errno with err. */
int directory_mend(const char *path, const struct stat *noted, bool ours, struct error *err);

#endif
