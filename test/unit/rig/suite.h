/* The main of a unit test: runs what its test cases hold, and tells how that went by its exit
 * status.
 */
#ifndef SUITE_H
#define SUITE_H

#include <check.h>
#include <stdlib.h>

/* For a suite of several test cases, or one that must not or has to fork: CK_FORK_GETENV is the
 * usual. The suite is gone afterwards. */
static inline int suite_run(Suite *suite, enum fork_status fork_status)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_set_fork_status(runner, fork_status);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* For a suite of one test case. */
static inline int suite_main(const char *name, TCase *tcase)
{
	Suite *suite = suite_create(name);

	suite_add_tcase(suite, tcase);
	return suite_run(suite, CK_FORK_GETENV);
}

#endif
