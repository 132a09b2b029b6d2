/* The corpora of the virtqueues' fuzz targets, replayed: what once broke stays mended. The targets
 * all have the name that libFuzzer wants, so each is included under a name of its own.
 */
#define LLVMFuzzerTestOneInput fuzz_split_to
#include "test/fuzz/fuzz_virtqueue_split_to.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_split_from
#include "test/fuzz/fuzz_virtqueue_split_from.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_packed_to
#include "test/fuzz/fuzz_virtqueue_packed_to.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_packed_from
#include "test/fuzz/fuzz_virtqueue_packed_from.c"

#include "test/fuzz/replay.h"

START_TEST(split_to)
{
	replay_corpus("test/fuzz/corpus/virtqueue_split_to", fuzz_split_to, 10);
}
END_TEST

START_TEST(split_from)
{
	replay_corpus("test/fuzz/corpus/virtqueue_split_from", fuzz_split_from, 10);
}
END_TEST

START_TEST(packed_to)
{
	replay_corpus("test/fuzz/corpus/virtqueue_packed_to", fuzz_packed_to, 10);
}
END_TEST

START_TEST(packed_from)
{
	replay_corpus("test/fuzz/corpus/virtqueue_packed_from", fuzz_packed_from, 10);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {split_to, split_from, packed_to, packed_from};

	return replay_main("fuzz_corpus_virtqueue", tests, 4);
}
