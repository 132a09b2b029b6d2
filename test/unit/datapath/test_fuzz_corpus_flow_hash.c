/* The corpus of the flow hash's fuzz target, replayed: what once broke stays mended.
 */
#include "test/fuzz/fuzz_flow_hash.c"
#include "test/fuzz/replay.h"

START_TEST(flow_hash_corpus)
{
	replay_corpus("test/fuzz/corpus/flow_hash", LLVMFuzzerTestOneInput, 10);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {flow_hash_corpus};

	return replay_main("fuzz_corpus_flow_hash", tests, 1);
}
