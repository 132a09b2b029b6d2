/* The corpus of OVSDB's fuzz target, replayed: what once broke stays mended. */
#include "../fuzz/fuzz_ovsdb.c"
#include "../fuzz/replay.h"

START_TEST(ovsdb)
{
	replay_corpus("test/fuzz/corpus/ovsdb", LLVMFuzzerTestOneInput, 10);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fuzz_corpus_ovsdb");
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, ovsdb);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
