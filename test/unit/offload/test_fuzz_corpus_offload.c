/* The corpus of the offloads' fuzz target, replayed: what once broke stays mended.
 */
#include "test/fuzz/fuzz_offload.c"
#include "test/fuzz/replay.h"

START_TEST(offload_corpus)
{
	replay_corpus("test/fuzz/corpus/offload", LLVMFuzzerTestOneInput, 17);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {offload_corpus};

	return replay_main("fuzz_corpus_offload", tests, 1);
}
