/* Files of the source tree, wherever a test is started from: found upwards from its own binary.
 */
#ifndef PROJECT_FILE_H
#define PROJECT_FILE_H

#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The path of name, in a buffer that the next call reuses. */
static inline const char *project_path(const char *name)
{
	static char path[PATH_MAX];
	char folder[PATH_MAX / 2];
	ssize_t len = readlink("/proc/self/exe", folder, sizeof(folder) - 1);

	ck_assert_int_gt(len, 0);
	folder[len] = '\0';
	for (char *slash = strrchr(folder, '/'); slash != NULL; slash = strrchr(folder, '/')) {
		*slash = '\0';
		snprintf(path, sizeof(path), "%s/%s", folder, name);
		if (access(path, R_OK) == 0)
			return path;
	}
	ck_abort_msg("%s is not in the tree of this binary", name);
}

/* Its whole text; the caller frees it. */
static inline char *project_text(const char *name)
{
	FILE *file = fopen(project_path(name), "r");
	char *text = NULL;
	size_t size = 0;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(getdelim(&text, &size, '\0', file), 0);
	fclose(file);
	return text;
}

#endif
