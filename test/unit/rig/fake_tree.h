/* A directory of its own for a test, with files and links in it: a sysfs to read, sockets to find.
 */
#ifndef FAKE_TREE_H
#define FAKE_TREE_H

#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree_root[64];

static inline void tree_create(void)
{
	snprintf(tree_root, sizeof(tree_root), "/tmp/unit-tree-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(tree_root));
}

static inline int tree_remove_one(const char *path, const struct stat *st, int type,
                                  struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void tree_remove(void)
{
	ck_assert_int_eq(nftw(tree_root, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* root/path, in a buffer that the next call reuses. */
static inline const char *tree_path(const char *path)
{
	static char full[108]; /* a socket's address takes it */

	ck_assert_int_lt(snprintf(full, sizeof(full), "%s/%s", tree_root, path), (int)sizeof(full));
	return full;
}

static inline void tree_make_parents(const char *path)
{
	char part[PATH_MAX];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + strlen(tree_root), '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		ck_assert(mkdir(part, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

static inline void tree_file(const char *path, const char *text)
{
	const char *full = tree_path(path);

	tree_make_parents(full);
	FILE *file = fopen(full, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	fclose(file);
}

static inline void tree_link(const char *path, const char *target)
{
	const char *full = tree_path(path);

	tree_make_parents(full);
	ck_assert_int_eq(symlink(target, full), 0);
}

#endif
