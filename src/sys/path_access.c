/* Whether somebody else could get at a file. See path_access.h. */
#include "sys/path_access.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/parse.h"

#define ACCOUNT_BUFFER 65536

void path_user_self(struct path_user *out)
{
	*out = (struct path_user){.uid = geteuid(), .privileged = geteuid() == 0};
	int n = getgroups(PATH_GROUPS_MAX - 1, out->groups);

	out->n_groups = n > 0 ? (size_t)n : 0;
	out->groups[out->n_groups++] = getegid();
}

void path_user_from_uid(uid_t uid, struct path_user *out)
{
	char *buffer = malloc(ACCOUNT_BUFFER);
	struct passwd entry, *found = NULL;
	int n = PATH_GROUPS_MAX;

	*out = (struct path_user){.uid = uid, .privileged = uid == 0};
	if (buffer != NULL && getpwuid_r(uid, &entry, buffer, ACCOUNT_BUFFER, &found) == 0 &&
	    found != NULL) {
		/* When there are more, as many as fit are there. */
		if (getgrouplist(found->pw_name, found->pw_gid, out->groups, &n) < 0)
			n = PATH_GROUPS_MAX;
		out->n_groups = (size_t)n;
	}
	free(buffer);
}

void path_user_from_group(gid_t group, struct path_user *out)
{
	*out = (struct path_user){.uid = (uid_t)-1, .groups = {group}, .n_groups = 1};
}

static bool is_in_group(const struct path_user *user, gid_t group)
{
	for (size_t i = 0; i < user->n_groups; i++) {
		if (user->groups[i] == group)
			return true;
	}
	return false;
}

/* One file, by the one class of its mode that applies. */
static bool mode_allows(const struct stat *st, const struct path_user *user, int want)
{
	unsigned bits = st->st_mode & 7;

	if (user->privileged)
		return true;
	if (st->st_uid == user->uid)
		bits = st->st_mode >> 6 & 7;
	else if (is_in_group(user, st->st_gid))
		bits = st->st_mode >> 3 & 7;
	return (bits & (unsigned)want) == (unsigned)want;
}

static bool has_access_list(const char *path)
{
	return getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

static int check_one(const char *path, const struct path_user *user, int want)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	return mode_allows(&st, user, want) || has_access_list(path) ? 0 : -EACCES;
}

/* Each directory above the real path, from the root. */
static int check_parents(char *path, const struct path_user *user, char *culprit, size_t size)
{
	int rc = check_one("/", user, X_OK);

	if (rc < 0)
		(void)string_copy(culprit, size, "/");
	for (char *slash = strchr(path + 1, '/'); rc == 0 && slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		rc = check_one(path, user, X_OK);
		if (rc < 0)
			(void)string_copy(culprit, size, path);
		*slash = '/';
	}
	return rc;
}

int path_existing_part(const char *path, char *out, size_t size)
{
	char part[PATH_MAX], *real;
	int rc = string_copy(part, sizeof(part), path);

	if (rc < 0)
		return rc;
	while ((real = realpath(part, NULL)) == NULL) {
		char *slash = strrchr(part, '/');

		if (errno != ENOENT && errno != ENOTDIR)
			return -errno;
		if (slash == NULL || part[1] == '\0')
			return -ENOENT;
		slash[slash == part] = '\0';
	}
	rc = string_copy(out, size, real);
	free(real);
	return rc;
}

int path_access_check(const char *path, const struct path_user *user, int want, char *culprit,
                      size_t size)
{
	char *real = realpath(path, NULL);

	(void)string_copy(culprit, size, path);
	if (real == NULL)
		return -errno;
	int rc = check_parents(real, user, culprit, size);
	if (rc == 0) {
		rc = check_one(real, user, want);
		(void)string_copy(culprit, size, real);
	}
	free(real);
	return rc;
}
