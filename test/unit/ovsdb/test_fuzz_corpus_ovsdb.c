/* The corpus of OVSDB's fuzz target, replayed: what once broke stays mended. */
#include "test/fuzz/fuzz_ovsdb.c"
#include "test/fuzz/replay.h"

START_TEST(ovsdb)
{
	replay_corpus("test/fuzz/corpus/ovsdb", LLVMFuzzerTestOneInput, 10);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {ovsdb};

	return replay_main("fuzz_corpus_ovsdb", tests, 1);
}
