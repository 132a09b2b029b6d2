/* Any bytes as a packed ring and a guest's memory: frames to a guest. See fuzz_virtqueue.h. */
#include "test/fuzz/fuzz_virtqueue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_virtqueue(data, size, true, true);
}
