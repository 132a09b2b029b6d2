/* Users and groups. See accounts.h. */
#include "sys/accounts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

#define BUFFER_FIRST 1024
#define BUFFER_MAX   (1 << 20) /* a group may have thousands of members */

/* One look-up into a buffer of the given size: 0, ENOENT, or an errno such as ERANGE. */
static int user_look_up(const char *name, char *buffer, size_t size, uint32_t *id)
{
	struct passwd entry, *found;
	int rc = getpwnam_r(name, &entry, buffer, size, &found);

	if (rc != 0 || found == NULL)
		return rc != 0 ? rc : ENOENT;
	*id = found->pw_uid;
	return 0;
}

static int group_look_up(const char *name, char *buffer, size_t size, uint32_t *id)
{
	struct group entry, *found;
	int rc = getgrnam_r(name, &entry, buffer, size, &found);

	if (rc != 0 || found == NULL)
		return rc != 0 ? rc : ENOENT;
	*id = found->gr_gid;
	return 0;
}

static int account_find(const char *kind, const char *text,
                        int (*look_up)(const char *, char *, size_t, uint32_t *), uint32_t *id,
                        struct error *err)
{
	int rc = ERANGE;

	for (size_t size = BUFFER_FIRST; rc == ERANGE && size <= BUFFER_MAX; size *= 2) {
		char *buffer = malloc(size);

		rc = buffer != NULL ? look_up(text, buffer, size, id) : ENOMEM;
		free(buffer);
	}
	if (rc == 0)
		return 0;
	/* The last number means "leave as it is" to chown. */
	if (parse_u32(text, 0, UINT32_MAX - 1, id) == 0)
		return 0;
	/* getpwnam(3) and its kin tell "not found" in several ways. */
	if (rc == ENOENT || rc == ESRCH || rc == EBADF || rc == EPERM)
		return error_set(err, ENOENT, "there is no %s %s on this machine", kind, text);
	return error_set(err, rc, "cannot look up the %s %s: %s", kind, text, strerror(rc));
}

int account_find_user(const char *text, uid_t *out, struct error *err)
{
	return account_find("user", text, user_look_up, out, err);
}

int account_find_group(const char *text, gid_t *out, struct error *err)
{
	return account_find("group", text, group_look_up, out, err);
}
