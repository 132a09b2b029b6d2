/* Room for files. See room.h. */
#include "sys/room.h"

#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "sys/path_access.h"

#define KB UINT64_C(1024)
#define MB (KB * KB)

/* File systems without a limit say 0 of how large they are, or all ones. */
static uint64_t left(uint64_t all, uint64_t available)
{
	return all == 0 || all == UINT64_MAX ? ROOM_UNLIMITED : available;
}

static uint64_t multiply(uint64_t blocks, uint64_t size)
{
	uint64_t bytes;

	return __builtin_mul_overflow(blocks, size, &bytes) ? ROOM_UNLIMITED : bytes;
}

int room_look(const char *path, bool privileged, struct room *out)
{
	struct statvfs fs;
	int rc = path_existing_part(path, out->directory, sizeof(out->directory));

	if (rc < 0)
		return rc;
	if (statvfs(out->directory, &fs) < 0)
		return -errno;
	out->bytes = multiply(left(fs.f_blocks, privileged ? fs.f_bfree : fs.f_bavail),
	                      fs.f_frsize != 0 ? fs.f_frsize : fs.f_bsize);
	out->files = left(fs.f_files, privileged ? fs.f_ffree : fs.f_favail);
	out->read_only = (fs.f_flag & ST_RDONLY) != 0;
	return 0;
}

int room_check(const struct room *room, const char *whose, uint64_t bytes, uint64_t files,
               struct error *err)
{
	char wanted[ROOM_SIZE_TEXT_MAX], found[ROOM_SIZE_TEXT_MAX];

	if (room->read_only)
		return error_set(err, EROFS, "%.160s is mounted read-only, and wanted for %s",
		                 room->directory, whose);
	if (room->bytes < bytes)
		return error_set(err, ENOSPC, "%.160s has room for %s, and %s are wanted for %s",
		                 room->directory, room_format_found(room->bytes, found),
		                 room_format_wanted(bytes, wanted), whose);
	if (room->files < files)
		return error_set(err, ENOSPC,
		                 "%.160s has room for %llu more files, and %llu are wanted for %s",
		                 room->directory, (unsigned long long)room->files,
		                 (unsigned long long)files, whose);
	return 0;
}

static const char *format(uint64_t bytes, uint64_t add_kb, uint64_t add_mb, char *out)
{
	const bool small = bytes < 10 * MB;
	const unsigned long long value =
	        small ? (bytes + add_kb) / KB : bytes / MB + (bytes % MB + add_mb) / MB;

	snprintf(out, ROOM_SIZE_TEXT_MAX, "%llu %s", value, small ? "kB" : "MB");
	return out;
}

const char *room_format_wanted(uint64_t bytes, char out[ROOM_SIZE_TEXT_MAX])
{
	return format(bytes, KB - 1, MB - 1, out);
}

const char *room_format_found(uint64_t bytes, char out[ROOM_SIZE_TEXT_MAX])
{
	return format(bytes, 0, 0, out);
}
