/* Small files of ours that are read and replaced as a whole. A reader finds the old content or the
 * new one, never a part of either, however a writer ended. One writer at a time. Any thread.
 */
#ifndef SYS_WHOLE_FILE_H
#define SYS_WHOLE_FILE_H

#include <limits.h>
#include <stddef.h>

#include "base/error.h"

/* The file's bytes, and a NUL behind them; the caller frees *out. Refused: what is no plain file,
 * is longer than max bytes, belongs to another user than us or root, or may be written by
 * everybody. 0 or -errno with err; -ENOENT when there is none. */
int whole_file_read(const char *path, size_t max, char **out, size_t *size, struct error *err);

/* Makes or replaces the file, mode 0600, and its directory if that is missing (0755). When this
 * returns 0 the content is on the disk, its name too. 0 or -errno with err; then the old content is
 * still there. */
int whole_file_write(const char *path, const char *data, size_t size, struct error *err);

/* Renames what stands at path, of whatever kind, to path.damaged, path.damaged-1 … -9 (the last one
 * is replaced when all are taken); out is the new name. 0 or -errno with err. */
int whole_file_set_aside(const char *path, char out[PATH_MAX], struct error *err);

#endif
