/* Whether there is room for files: judged before somebody else makes them, who would not ask (a
 * mapped file that finds no room ends the process with SIGBUS). No state, any thread; what is found
 * holds for that moment only.
 */
#ifndef SYS_ROOM_H
#define SYS_ROOM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define ROOM_UNLIMITED UINT64_MAX

struct room {
	char directory[PATH_MAX]; /* the deepest part of the path that is there */
	uint64_t bytes;           /* that may be written; ROOM_UNLIMITED: nobody says how many */
	uint64_t files;           /* that may be made; likewise */
	bool read_only;
};

/* The room at path, which need not be there yet. privileged: with what is kept back for root. 0 or
 * -errno of looking. */
int room_look(const char *path, bool privileged, struct room *out);

/* 0, or -EROFS or -ENOSPC with err, which says what there is, and of what, for `whose` ("DPDK's
 * files"). */
int room_check(const struct room *room, const char *whose, uint64_t bytes, uint64_t files,
               struct error *err);

/* "25 MB", "64 kB"; what is wanted is rounded up, what there is down. */
#define ROOM_SIZE_TEXT_MAX 24
const char *room_format_wanted(uint64_t bytes, char out[ROOM_SIZE_TEXT_MAX]);
const char *room_format_found(uint64_t bytes, char out[ROOM_SIZE_TEXT_MAX]);

#endif
