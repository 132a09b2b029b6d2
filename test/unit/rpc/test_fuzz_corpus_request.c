/* The corpus of the requests' fuzz target, replayed: what once broke stays mended.
 */
#include "test/fuzz/fuzz_request.c"
#include "test/fuzz/replay.h"

START_TEST(request)
{
	replay_corpus("test/fuzz/corpus/request", LLVMFuzzerTestOneInput, 30);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {request};

	return replay_main("fuzz_corpus_request", tests, 1);
}
