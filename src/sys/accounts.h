/* Users and groups by name or number, thread-safe. */
#ifndef SYS_ACCOUNTS_H
#define SYS_ACCOUNTS_H

#include <sys/types.h>

#include "base/error.h"

/* 0, or -ENOENT (no such name) or another -errno, with err. A number need not be in the data
 * base: containers often lack the names. */
int account_find_user(const char *text, uid_t *out, struct error *err);
int account_find_group(const char *text, gid_t *out, struct error *err);

#endif
