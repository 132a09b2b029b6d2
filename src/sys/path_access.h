/* Whether somebody else could get at a file: a QEMU of another user at a socket, say. By modes and
 * owners along the whole path, as far as they tell: directories with access lists count as open.
 * No state, any thread.
 */
#ifndef SYS_PATH_ACCESS_H
#define SYS_PATH_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PATH_GROUPS_MAX 256

struct path_user {
	uid_t uid; /* (uid_t)-1: nobody's, only groups and others count */
	gid_t groups[PATH_GROUPS_MAX];
	size_t n_groups;
	bool privileged; /* passes every permission, as root does */
};

/* This process, with its groups. */
void path_user_self(struct path_user *out);
/* A user with all groups that the data base gives it. */
void path_user_from_uid(uid_t uid, struct path_user *out);
/* Whoever is in that group. */
void path_user_from_group(gid_t group, struct path_user *out);

/* want: R_OK, W_OK, X_OK. 0; -EACCES, with the file that is in the way in culprit; or -errno of
 * looking, -ENOENT among them, with the path there. */
int path_access_check(const char *path, const struct path_user *user, int want, char *culprit,
                      size_t size);

/* The deepest part of path that is there (at least "/"), links resolved. 0 or -errno. */
int path_existing_part(const char *path, char *out, size_t size);

#endif
