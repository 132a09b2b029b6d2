/* The name of a socket that we serve. See socket_name.h.
 *
 * link(2) gives a socket further names like any file, as long as it has one: by the O_PATH
 * descriptor, so that nobody can slip us another file. It fails when something stands there, which
 * is how nothing of anybody else's is overwritten.
 */
#include "sys/socket_name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"
#include "sys/directory.h"
#include "sys/socket_file.h"

#define FD_PATH_MAX 40

/* "/directory/name" → "/directory/.name" and the ending. */
static void hidden_format(char out[SOCKET_NAME_HIDDEN_MAX], const char *path, const char *ending)
{
	int directory = (int)(strrchr(path, '/') - path);

	snprintf(out, SOCKET_NAME_HIDDEN_MAX, "%.*s/.%s%s", directory, path, path + directory + 1,
	         ending);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool stands_at(const struct socket_name *name, const char *path)
{
	struct stat held, there;

	return fstat(name->fd, &held) == 0 && lstat(path, &there) == 0 && is_same(&held, &there);
}

/* 0 or -errno. */
static int link_at(const struct socket_name *name, const char *path)
{
	char fd_path[FD_PATH_MAX];

	snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", name->fd);
	return linkat(AT_FDCWD, fd_path, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* A daemon that was killed has left it behind. */
static void clear_stale(const char *path)
{
	enum socket_file_kind kind;

	if (socket_file_look(path, &kind) == 0 && kind == SOCKET_FILE_STALE)
		unlink(path);
}

int socket_name_hold(struct socket_name *name, const char *path, bool makes_directory)
{
	struct stat st;
	int rc = 0;

	*name = (struct socket_name){.makes_directory = makes_directory};
	if (path[0] != '/' || string_copy(name->path, sizeof(name->path), path) < 0)
		return -ENAMETOOLONG;
	name->fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (name->fd < 0)
		return -errno;
	if (fstat(name->fd, &st) < 0)
		rc = -errno;
	else if (!S_ISSOCK(st.st_mode))
		rc = -EEXIST;
	if (rc < 0) {
		close(name->fd);
		return rc;
	}
	hidden_format(name->spare, path, ".kept");
	clear_stale(name->spare);
	directory_note(name->path, &name->directory);
	name->held = true;
	return 0;
}

/* --- looking and mending --------------------------------------------------------------------- */

enum socket_name_state socket_name_judge(const struct stat *held, const struct stat *there)
{
	if (there != NULL)
		return is_same(held, there) ? SOCKET_NAME_WELL : SOCKET_NAME_TAKEN;
	return held->st_nlink > 0 ? SOCKET_NAME_GONE : SOCKET_NAME_LOST;
}

static enum socket_name_state mend(const struct socket_name *name, enum socket_name_state found,
                                   struct error *err)
{
	if (directory_mend(name->path, &name->directory, name->makes_directory, err) < 0)
		return SOCKET_NAME_FAILED;
	if (found == SOCKET_NAME_LOST)
		return found;
	int rc = link_at(name, name->path);
	if (rc == -EEXIST)
		return SOCKET_NAME_TAKEN;
	if (rc < 0) /* EPERM: another user's, and we are not root; EXDEV: moved away */
		return SOCKET_NAME_LOST;
	return SOCKET_NAME_MENDED;
}

/* Not being able to have it costs nothing but the means to mend. */
static void spare_follow(const struct socket_name *name, bool in_use)
{
	struct stat held;

	if (fstat(name->fd, &held) < 0)
		return;
	if (in_use && held.st_nlink == 1)
		(void)link_at(name, name->spare);
	if (!in_use && held.st_nlink > 1 && stands_at(name, name->spare))
		unlink(name->spare);
}

enum socket_name_state socket_name_look(struct socket_name *name, bool in_use, struct error *err)
{
	enum socket_name_state state;
	struct stat held, there;
	bool nothing;

	if (!name->held) {
		if (name->path[0] != '\0')
			(void)directory_mend(name->path, &name->directory, name->makes_directory,
			                     err);
		return SOCKET_NAME_LOST;
	}
	if (fstat(name->fd, &held) < 0)
		return SOCKET_NAME_LOST;
	nothing = lstat(name->path, &there) < 0;
	if (nothing && errno != ENOENT) {
		error_set(err, errno, "%s", strerror(errno));
		return SOCKET_NAME_FAILED;
	}
	state = socket_name_judge(&held, nothing ? NULL : &there);
	if (nothing)
		state = mend(name, state, err);
	else
		directory_note(name->path, &name->directory);
	spare_follow(name, in_use);
	return state;
}

/* --- the end --------------------------------------------------------------------------------- */

void socket_name_unlink(const struct socket_name *name)
{
	if (!name->held)
		return;
	if (stands_at(name, name->path))
		unlink(name->path);
	if (stands_at(name, name->spare))
		unlink(name->spare);
}

void socket_name_remove(struct socket_name *name)
{
	if (!name->held)
		return;
	socket_name_unlink(name);
	close(name->fd);
	name->held = false;
}

void socket_name_guard(const struct socket_name *name)
{
	char aside[SOCKET_NAME_HIDDEN_MAX];

	if (!name->held || stands_at(name, name->path))
		return;
	hidden_format(aside, name->path, ".other");
	(void)renameat2(AT_FDCWD, name->path, AT_FDCWD, aside, RENAME_NOREPLACE);
}

void socket_name_unguard(const struct socket_name *name)
{
	char aside[SOCKET_NAME_HIDDEN_MAX];

	if (!name->held)
		return;
	hidden_format(aside, name->path, ".other");
	(void)renameat2(AT_FDCWD, aside, AT_FDCWD, name->path, RENAME_NOREPLACE);
}
