/* The corpus of the saved state's fuzz target, replayed: what once broke stays mended. */
#include "test/fuzz/fuzz_state.c"
#include "test/fuzz/replay.h"

START_TEST(state_file)
{
	replay_corpus("test/fuzz/corpus/state", LLVMFuzzerTestOneInput, 17);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {state_file};

	return replay_main("fuzz_corpus_state", tests, 1);
}
