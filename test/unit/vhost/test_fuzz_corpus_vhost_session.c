/* The corpus of the sessions' fuzz target, replayed: what once broke stays mended. */
#include "test/fuzz/fuzz_vhost_session.c"
#include "test/fuzz/replay.h"

START_TEST(messages)
{
	replay_corpus("test/fuzz/corpus/vhost_session", LLVMFuzzerTestOneInput, 12);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {messages};

	return replay_main("fuzz_corpus_vhost_session", tests, 1);
}
