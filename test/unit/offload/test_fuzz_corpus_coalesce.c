/* The corpus of the coalescing's fuzz target, replayed: what once broke stays mended.
 */
#include "test/fuzz/fuzz_coalesce.c"
#include "test/fuzz/replay.h"

START_TEST(coalesce_corpus)
{
	replay_corpus("test/fuzz/corpus/coalesce", LLVMFuzzerTestOneInput, 7);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {coalesce_corpus};

	return replay_main("fuzz_corpus_coalesce", tests, 1);
}
