/* Replays a corpus as an ordinary test: every file of a directory, once, through a fuzz target.
 */
#ifndef FUZZ_REPLAY_H
#define FUZZ_REPLAY_H

#include <check.h>
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "project_file.h"
#include "suite.h"

typedef int fuzz_target(const uint8_t *data, size_t size);

/* The last one is still to be read on stderr when the target aborts. */
static inline void replay_file(const char *path, fuzz_target *target)
{
	FILE *file = fopen(path, "r");
	uint8_t *data;
	long size;

	ck_assert_ptr_nonnull(file);
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	data = malloc(size > 0 ? (size_t)size : 1);
	ck_assert(data != NULL && fread(data, 1, (size_t)size, file) == (size_t)size);
	fclose(file);
	fprintf(stderr, "%s\n", path);
	target(data, (size_t)size);
	free(data);
}

/* corpus: "test/fuzz/corpus/NAME". At least so many files have to be there. */
static inline void replay_corpus(const char *corpus, fuzz_target *target, unsigned expected)
{
	char directory[PATH_MAX], path[PATH_MAX];
	const struct dirent *entry;
	unsigned n = 0;
	DIR *files;

	snprintf(directory, sizeof(directory), "%s", project_path(corpus));
	files = opendir(directory);
	ck_assert_ptr_nonnull(files);
	while ((entry = readdir(files)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		ck_assert_int_lt(snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name),
		                 (int)sizeof(path));
		replay_file(path, target);
		n++;
	}
	closedir(files);
	ck_assert_uint_ge(n, expected);
}

/* The main of a test that replays corpora: runs the tests, each against one. */
static inline int replay_main(const char *suite_name, const TTest *const *tests, unsigned n)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60);
	for (unsigned i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	return suite_main(suite_name, tcase);
}

#endif
