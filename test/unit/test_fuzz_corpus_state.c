/* The corpus of the saved state's fuzz target, replayed: what once broke stays mended. */
#include "../fuzz/fuzz_state.c"
#include "../fuzz/replay.h"

START_TEST(state_file)
{
	replay_corpus("test/fuzz/corpus/state", LLVMFuzzerTestOneInput, 17);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fuzz_corpus_state");
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, state_file);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
