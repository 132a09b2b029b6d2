/* The corpora of the configuration's fuzz targets, replayed: what once broke stays mended. The
 * targets all have the name that libFuzzer wants, so each is included under a name of its own.
 */
#define LLVMFuzzerTestOneInput fuzz_config
#define examine                examine_config
#include "test/fuzz/fuzz_config.c"
#undef LLVMFuzzerTestOneInput
#undef examine
#define LLVMFuzzerTestOneInput fuzz_pins
#include "test/fuzz/fuzz_pins.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_cpu_set
#include "test/fuzz/fuzz_cpu_set.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_device_spec
#define examine                examine_device_spec
#include "test/fuzz/fuzz_device_spec.c"
#undef LLVMFuzzerTestOneInput
#undef examine

#include "test/fuzz/replay.h"

START_TEST(config)
{
	replay_corpus("test/fuzz/corpus/config", fuzz_config, 10);
}
END_TEST

START_TEST(pins)
{
	replay_corpus("test/fuzz/corpus/pins", fuzz_pins, 10);
}
END_TEST

START_TEST(cpu_set)
{
	replay_corpus("test/fuzz/corpus/cpu_set", fuzz_cpu_set, 10);
}
END_TEST

START_TEST(device_spec)
{
	replay_corpus("test/fuzz/corpus/device_spec", fuzz_device_spec, 10);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {config, pins, cpu_set, device_spec};

	return replay_main("fuzz_corpus_config", tests, 4);
}
