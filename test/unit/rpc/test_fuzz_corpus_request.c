/* The corpus of the requests' fuzz target, replayed: what once broke stays mended.
 * WRAP: control_add_vf control_remove_vf control_add_sock control_remove_sock endpoint_answer
 * WRAP: control_dynamic_sockets control_relay_read control_relay_rates control_rates_between
 * WRAP: control_pin_read control_pins_update control_worker_count control_worker_read
 * WRAP: control_balance_explain endpoint_drop endpoint_reply_share control_dpdk_version
 * WRAP: control_lanes_read control_cycles_per_s
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
