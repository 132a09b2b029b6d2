/* The corpus of the flow hash's fuzz target, replayed: what once broke stays mended.
 */
#include "../fuzz/fuzz_flow_hash.c"
#include "../fuzz/replay.h"

START_TEST(flow_hash_corpus)
{
	replay_corpus("test/fuzz/corpus/flow_hash", LLVMFuzzerTestOneInput, 10);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fuzz_corpus_flow_hash");
	TCase *tcase = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, flow_hash_corpus);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
